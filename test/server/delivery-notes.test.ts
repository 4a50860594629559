import { expect, test } from 'vitest'
import { DeliveryNotes } from '../../server/delivery-notes.ts'
import type { Delivery, DeliveryProgress } from '../../streams/index.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { turns } from '../support/store-harness.ts'

const limits = { noteMsMax: 1000, noteRecordsMax: 3 }

/** A delivery that has settled as many records as the test says. */
class FakeDelivery {
  unnoted = 0

  takeProgress(): DeliveryProgress | undefined {
    if (this.unnoted === 0) return undefined
    const after = this.unnoted
    this.unnoted = 0
    return { id: 'SB', after, dead: [], settled: [] }
  }

  putBack({ after }: DeliveryProgress): void {
    this.unnoted += after
  }
}

function begin() {
  const clock = new ManualClock()
  const noted: number[] = []
  const warned: object[] = []
  const state = { fails: false }
  const note = async ({ after }: DeliveryProgress): Promise<void> => {
    if (state.fails) throw new Error('the pool is full')
    noted.push(after)
  }
  const log = { warn: (details: object) => warned.push(details) }
  const notes = new DeliveryNotes({ note, timers: clock, limits, log })
  const delivery = new FakeDelivery()
  const settle = async (): Promise<void> => {
    delivery.unnoted += 1
    notes.tell(delivery as unknown as Delivery)
    await turns(3)
  }
  return { clock, noted, warned, notes, delivery, settle, state }
}

test('progress is noted once it is due', async () => {
  const { clock, noted, settle } = begin()
  await settle()
  clock.run(999)
  await settle()
  expect(noted).toEqual([])
  clock.run(1)
  await turns(3)
  expect(noted).toEqual([2])
  expect(clock.timers).toBe(0)
})

test('much progress is noted at once', async () => {
  const { clock, noted, settle } = begin()
  for (let count = 0; count < 7; count++) await settle()
  expect(noted).toEqual([3, 3])
  clock.run(1000)
  await turns(3)
  expect(noted).toEqual([3, 3, 1])
})

test('what could not be noted is noted later, with what came since, and is warned of once', async () => {
  const { clock, noted, warned, settle, state } = begin()
  state.fails = true
  for (let count = 0; count < 5; count++) await settle()
  clock.run(3000)
  await turns(3)
  expect(warned).toHaveLength(1)
  expect(clock.timers).toBe(1)
  state.fails = false
  clock.run(1000)
  await turns(3)
  expect(noted).toEqual([5])
  expect(clock.timers).toBe(0)
})

test('a flush waits for all, and says when it could not', async () => {
  const { clock, noted, notes, settle, state } = begin()
  await settle()
  await notes.flush()
  expect(noted).toEqual([1])
  await notes.flush()
  expect(noted).toEqual([1])
  state.fails = true
  await settle()
  await expect(notes.flush()).rejects.toThrow('the pool is full')
  notes.close()
  expect(clock.timers).toBe(0)
})
