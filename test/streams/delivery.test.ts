import { describe, expect, test } from 'vitest'
import { DELIVERY_LIMITS, type ShownRecord, type TailPage } from '../../streams/index.ts'
import { RECORDS } from '../golden/records.ts'
import { accepted, DeliveryRun, putAll, refused, subscription } from '../support/delivery-harness.ts'
import { named, openHarness, origin, putText, turns } from '../support/store-harness.ts'

async function begin(limits = {}, state = subscription(), random = () => 1) {
  const { store } = await openHarness()
  return { store, run: new DeliveryRun(store, state, limits, random) }
}

describe('order', () => {
  test('the records of an object go one after the other, those of others meanwhile', async () => {
    const { store, run } = await begin({}, subscription({ after: 1 }))
    const [first = 0, second = 0, other = 0] = await putAll(store, ['a', 'a', 'b'])
    await run.answer(other, accepted)
    await run.message(first)
    await turns(10)
    expect(run.sent).toEqual([first, other])
    await run.answer(first, accepted)
    await run.message(second)
  })

  test('a message says its record, in the format asked for, under an id of its own', async () => {
    const { registration } = subscription()
    const { store, run } = await begin({}, subscription({ registration: { ...registration, format: 's3' } }))
    const [sequence = 0] = await putAll(store, ['a'])
    const { message } = await run.message(sequence)
    expect(message).toMatchObject({ id: 'SB-0000000000000002', mediaType: 'application/json' })
    expect(JSON.parse(message.body).Records[0].s3.object.key).toBe('a')
    expect(run.sent).toEqual([sequence])
  })

  test('only records that meet the query go', async () => {
    const { registration } = subscription()
    const query = 'object.key:b*'
    const { store, run } = await begin({}, subscription({ registration: { ...registration, query } }))
    const [, sequence = 0] = await putAll(store, ['a', 'b', 'c'])
    await run.answer(sequence, accepted)
    await run.until(() => run.delivery.after === sequence + 1)
    expect(run.sent).toEqual([sequence])
  })
})

describe('an attempt in vain', () => {
  test('is followed by another, twice as late each time, up to a bound, with the same message', async () => {
    const { store, run } = await begin({ backoffMsMin: 1000, backoffMsMax: 3000 }, subscription({ after: 1 }))
    const [sequence = 0] = await putAll(store, ['a'])
    const { message } = await run.message(sequence)
    for (const [count, wait] of [1000, 2000, 3000, 3000].entries()) {
      await run.answer(sequence, refused())
      await run.until(() => run.clock.timers === 1)
      run.clock.run(wait - 1)
      expect(run.sent).toHaveLength(count + 1)
      run.clock.run(1)
      expect((await run.message(sequence)).message).toEqual(message)
    }
    expect(run.delivery.health).toBe('failing')
    expect(run.delivery.figures).toMatchObject({ attemptsFailed: 4, lastFailure: { reason: 'it answered 500' } })
    await run.answer(sequence, accepted)
    await run.until(() => run.delivery.after === sequence)
    expect(run.delivery.health).toBe('idle')
  })

  test('chance takes up to half of the wait away', async () => {
    const { store, run } = await begin({ backoffMsMin: 1000 }, subscription({ after: 1 }), () => 0)
    const [sequence = 0] = await putAll(store, ['a'])
    await run.answer(sequence, refused())
    await run.until(() => run.clock.timers === 1)
    run.clock.run(499)
    expect(run.clock.timers).toBe(1)
    run.clock.run(1)
    await run.message(sequence)
  })

  test('is followed by another when the subscriber asks for it, within the bound', async () => {
    const { store, run } = await begin({ backoffMsMin: 1000, backoffMsMax: 60_000 }, subscription({ after: 1 }))
    const [sequence = 0] = await putAll(store, ['a'])
    for (const [retryAfterMs, wait] of [
      [30_000, 30_000],
      [1e9, 60_000],
    ] as const) {
      await run.answer(sequence, { kind: 'refused', reason: 'busy', retryAfterMs })
      await run.until(() => run.clock.timers === 1)
      run.clock.run(wait - 1)
      expect(run.clock.timers).toBe(1)
      run.clock.run(1)
      await run.message(sequence)
    }
  })
})

/** Attempts follow one another with the clock, all in vain. */
async function failAll(run: DeliveryRun, sequence: number, attempts: number): Promise<void> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    await run.answer(sequence, refused(`no ${attempt}`))
    await turns(3)
    if (attempt < attempts) run.clock.run(DELIVERY_LIMITS.backoffMsMax)
  }
}

describe('a dead letter', () => {
  test('is given up after so many attempts, and the object goes on', async () => {
    const { store, run } = await begin({ attemptsMax: 3 }, subscription({ after: 1 }))
    const [first = 0, second = 0] = await putAll(store, ['a', 'a'])
    await failAll(run, first, 3)
    await run.answer(second, accepted)
    await run.until(() => run.delivery.after === second)
    expect(run.delivery.deadLetters).toMatchObject([{ sequence: first, attempts: 3, reason: 'no 3' }])
    expect(run.delivery.health).toBe('idle')
    expect(run.delivery.takeProgress()).toMatchObject({ after: second, dead: [{ sequence: first }], settled: [] })
  })

  test('is tried again when it is asked for, and is one until it is delivered', async () => {
    const dead = [
      { sequence: 2, attempts: 9, time: 0, reason: 'then' },
      { sequence: 3, attempts: 9, time: 0, reason: 'then' },
    ]
    const { store, run } = await begin({ attemptsMax: 1 }, subscription({ after: 3, dead }))
    await putAll(store, ['a', 'b'])
    run.delivery.revive()
    run.delivery.revive()
    await run.answer(2, accepted)
    await run.answer(3, refused('still'))
    await run.until(() => run.delivery.deadLetters.length === 1 && run.delivery.unnoted === 2)
    expect(run.sent).toEqual([2, 3])
    expect(run.delivery.deadLetters).toMatchObject([{ sequence: 3, attempts: 1, reason: 'still' }])
    expect(run.delivery.takeProgress()).toMatchObject({ after: 3, dead: [{ sequence: 3 }], settled: [2] })
  })

  test('none is made beyond the bound: what fails then is tried on', async () => {
    const { store, run } = await begin({ attemptsMax: 1, deadLettersMax: 1 }, subscription({ after: 1 }))
    const [first = 0, second = 0] = await putAll(store, ['a', 'b'])
    await run.answer(first, refused())
    await failAll(run, second, 5)
    expect(run.delivery.health).toBe('blocked')
    expect(run.delivery.deadLetters).toHaveLength(1)
    expect(run.delivery.after).toBe(first)
    run.clock.run(DELIVERY_LIMITS.backoffMsMax)
    await run.answer(second, accepted)
    await run.until(() => run.delivery.after === second)
  })
})

describe('bounds', () => {
  test('so many attempts are underway at once, and so many records are taken in', async () => {
    const { store, run } = await begin({ sendsMax: 2, windowRecordsMax: 3 }, subscription({ after: 1 }))
    const sequences = await putAll(store, ['a', 'b', 'c', 'd', 'e'])
    await run.message(sequences[1]!)
    await turns(10)
    expect(run.sent).toEqual(sequences.slice(0, 2))
    await run.answer(sequences[1]!, accepted)
    await run.message(sequences[2]!)
    await run.answer(sequences[2]!, accepted)
    await run.message(sequences[3]!)
    await run.answer(sequences[3]!, accepted)
    await run.message(sequences[4]!)
    expect(run.delivery.after).toBe(sequences[0]! - 1)
  })

  test('one that does not succeed lets others overtake it, but not without end', async () => {
    const { store, run } = await begin({ windowRecordsMax: 2 }, subscription({ after: 1 }))
    const [stuck = 0, ...others] = await putAll(store, ['a', 'a', 'c', 'd'])
    await run.message(stuck)
    await turns(20)
    expect(run.sent).toEqual([stuck])
    await run.answer(stuck, accepted)
    for (const sequence of others) await run.answer(sequence, accepted)
    await run.until(() => run.delivery.after === others.at(-1))
  })

  test('large records count by their length', async () => {
    const { store, run } = await begin({ windowCharactersMax: 1 }, subscription({ after: 1 }))
    const [first = 0, second = 0] = await putAll(store, ['a', 'b'])
    await run.message(first)
    await turns(20)
    expect(run.sent).toEqual([first])
    await run.answer(first, accepted)
    await run.message(second)
  })
})

describe('progress', () => {
  test('never passes what is not settled, and is taken once', async () => {
    const { store, run } = await begin({}, subscription({ after: 1 }))
    const [first = 0, second = 0] = await putAll(store, ['a', 'b'])
    await run.answer(second, accepted)
    await run.until(() => run.delivery.unnoted === 1)
    const progress = run.delivery.takeProgress()
    expect(progress).toEqual({ id: 'SB', after: first - 1, dead: [], settled: [] })
    expect(run.delivery.takeProgress()).toBeUndefined()
    run.delivery.putBack(progress!)
    expect(run.delivery.takeProgress()).toEqual(progress)
    await run.answer(first, accepted)
    await run.until(() => run.delivery.after === second)
  })

  test('of records that nobody asked for it is told seldom, so that notes make no notes', async () => {
    const { store, run } = await begin()
    await run.answer(1, accepted)
    await run.until(() => run.progressTold === 1)
    for (let round = 0; round < 3; round++) {
      const progress = run.delivery.takeProgress()
      if (progress) await store.noteDelivery(origin, progress)
      await turns(20)
    }
    expect(store.status.sequence).toBe(2)
    expect(run.delivery.after).toBe(2)
  })
})

test('a checkpoint that covers notes is delivered, and makes no note', async () => {
  const checkpoint = RECORDS.find(({ operation }) => operation === 'checkpoint') as ShownRecord
  const { sequence } = checkpoint
  const tail = async function* (): AsyncGenerator<TailPage> {
    yield { records: [checkpoint], next: sequence, upToDate: true }
  }
  const run = new DeliveryRun({ tail }, subscription({ after: sequence - 1 }))
  await run.answer(sequence, accepted)
  await run.until(() => run.delivery.after === sequence)
  expect(run.progressTold).toBe(0)
  expect(run.delivery.takeProgress()).toBeUndefined()
})

describe('the end', () => {
  test('waits for attempts underway, and begins none', async () => {
    const { store, run } = await begin({}, subscription({ after: 1 }))
    const [first = 0] = await putAll(store, ['a', 'a'])
    await run.message(first)
    const closing = run.delivery.close()
    await run.answer(first, accepted)
    await closing
    expect(run.sent).toEqual([first])
    expect(run.delivery.takeProgress()).toMatchObject({ after: first })
  })

  test('cuts off what takes too long, which is neither delivered nor failed', async () => {
    const { store, run } = await begin({}, subscription({ after: 1 }))
    const [first = 0] = await putAll(store, ['a'])
    await run.message(first)
    const closing = run.delivery.close()
    run.clock.run(DELIVERY_LIMITS.closeMsMax)
    await closing
    expect(run.delivery.figures).toMatchObject({ delivered: 0, attemptsFailed: 0 })
    expect(run.delivery.takeProgress()).toBeUndefined()
  })

  test('does not wait for who backs off, or for room', async () => {
    const { store, run } = await begin({ windowRecordsMax: 1 }, subscription({ after: 1 }))
    const [first = 0] = await putAll(store, ['a', 'b'])
    await run.answer(first, refused())
    await run.until(() => run.clock.timers === 1)
    await run.delivery.close()
    expect(run.clock.timers).toBe(0)
  })
})

test('a stream that cannot be followed is tried again, and the trouble told', async () => {
  const { store } = await openHarness()
  const state = subscription({ after: 99 })
  const run = new DeliveryRun(store, state, { backoffMsMin: 1000 })
  await run.until(() => run.clock.timers === 1)
  expect(run.delivery.health).toBe('failing')
  expect(run.delivery.figures.lastFailure?.reason).toContain('no stream goes on after record 99')
  for (let count = 0; count < 99; count++) await putText(store, named('a'), 'x')
  run.clock.run(1000)
  await run.message(100)
  expect(run.delivery.health).toBe('delivering')
})
