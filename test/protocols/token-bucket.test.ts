import { expect, test } from 'vitest'
import { TokenBucket } from '../../protocols/token-bucket.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { turns } from '../support/store-harness.ts'

/** When each of some pieces was let go, in milliseconds from the start. */
async function schedule(bucket: TokenBucket, clock: ManualClock, pieces: readonly number[], lasting: number) {
  const start = clock.now()
  const times: number[] = []
  const { signal } = new AbortController()
  const done = (async () => {
    for (const piece of pieces) {
      await bucket.take(piece, signal)
      times.push(clock.now() - start)
    }
  })()
  for (let time = 0; time < lasting; time += 100) {
    await turns(2)
    clock.run(100)
  }
  await turns(2)
  if (times.length === pieces.length) await done
  return times
}

test('lets a burst go at once, and what follows at the rate', async () => {
  const clock = new ManualClock()
  const bucket = new TokenBucket(1000, clock)
  expect(await schedule(bucket, clock, [400, 600, 500, 500, 100], 3000)).toEqual([0, 0, 500, 1000, 1100])
})

test('fills again while nothing is taken, up to the burst', async () => {
  const clock = new ManualClock()
  const bucket = new TokenBucket(1000, clock, 2000)
  await schedule(bucket, clock, [2000], 0)
  clock.run(500)
  expect(await schedule(bucket, clock, [500, 100], 1000)).toEqual([0, 100])
  clock.run(3_600_000)
  expect(await schedule(bucket, clock, [2000, 100], 1000)).toEqual([0, 100])
})

test('takes a piece that is larger than itself, on credit', async () => {
  const clock = new ManualClock()
  expect(await schedule(new TokenBucket(1000, clock), clock, [3000, 1000], 4000)).toEqual([2000, 3000])
})

test('is shared: who comes later waits for who came before', async () => {
  const clock = new ManualClock()
  const bucket = new TokenBucket(1000, clock)
  const two = await Promise.all([schedule(bucket, clock, [1000], 0), schedule(bucket, clock, [500, 500], 1000)])
  expect(two).toEqual([[0], [500, 1000]])
})

test('does not make wait who is over', async () => {
  const clock = new ManualClock()
  const bucket = new TokenBucket(1000, clock)
  const over = new AbortController()
  const waiting = bucket.take(100_000, over.signal)
  over.abort()
  await waiting
  await bucket.take(1, over.signal)
  expect(clock.timers).toBe(0)
})
