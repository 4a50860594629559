import { expect, test } from 'vitest'
import { serverOrigin } from '../../server/bootstrap.ts'
import { Expiring } from '../../server/expiring.ts'
import { gate } from '../support/store-harness.ts'

/** Rounds as the test has them, with the timer in the test's hand. */
function world(rounds: (() => Promise<boolean>)[]) {
  const said: object[] = []
  let tick = () => {}
  let asked = 0
  const expiring = new Expiring({
    store: {
      async expire(origin) {
        expect(origin).toBe(serverOrigin)
        asked += 1
        return (await rounds.shift()?.()) ?? false
      },
    },
    origin: serverOrigin,
    log: { error: (details) => said.push(details) },
    everyMs: 1000,
    every(milliseconds, task) {
      expect(milliseconds).toBe(1000)
      tick = task
      return () => {
        tick = () => {}
      }
    },
    pause: async () => {},
  })
  return { expiring, said, tick: () => tick(), asked: () => asked }
}

const yes = async () => true
const no = async () => false

test('a pass at the start and at each interval goes on until there is no more to look at', async () => {
  const { expiring, tick, asked } = world([yes, yes, no, yes, no])
  await expiring.settled()
  expect(asked()).toBe(3)
  tick()
  await expiring.settled()
  expect(asked()).toBe(5)
  await expiring.close()
})

test('one that is underway is not begun again, and ends with the round it is in when all is closed', async () => {
  const held = gate()
  const { expiring, tick, asked } = world([
    async () => {
      await held.opened
      return true
    },
    yes,
  ])
  tick()
  const closing = expiring.close()
  tick()
  held.open()
  await closing
  expect(asked()).toBe(1)
  expiring.look()
  expect(asked()).toBe(1)
})

test('a failure is told, and the next pass tries again', async () => {
  const failure = new Error('the pool has halted')
  const { expiring, said, tick, asked } = world([() => Promise.reject(failure), no])
  await expiring.settled()
  expect(said).toEqual([{ err: failure }])
  tick()
  await expiring.settled()
  expect(asked()).toBe(2)
  await expiring.close()
})
