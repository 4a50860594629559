import { expect, test } from 'vitest'
import { FlushLatency } from '../../pool/flush-latency.ts'

test('flushes are counted by powers of two of microseconds', () => {
  const latency = new FlushLatency()
  for (const microseconds of [0.5, 1, 2, 3, 4, 1000, 1024]) latency.record(microseconds)
  expect(latency.buckets.slice(0, 4)).toEqual([1, 1, 2, 1])
  expect([latency.buckets[10], latency.buckets[11]]).toEqual([1, 1])
  expect(latency).toMatchObject({ count: 7, microsecondsMax: 1024 })
})

test('what takes longest goes to the last bucket, and the number of buckets never grows', () => {
  const latency = new FlushLatency()
  const { length } = latency.buckets
  for (const microseconds of [2 ** 26, 2 ** 27, 2 ** 40]) latency.record(microseconds)
  expect(latency.buckets).toHaveLength(length)
  expect(latency.buckets.at(-1)).toBe(3)
})

test('a quantile is no less than what so many took', () => {
  const latency = new FlushLatency()
  expect(latency.quantile(0.5)).toBe(0)
  for (let i = 0; i < 99; i++) latency.record(100)
  latency.record(50_000)
  expect(latency.quantile(0.5)).toBe(128)
  expect(latency.quantile(0.99)).toBe(128)
  expect(latency.quantile(1)).toBe(50_000)
})
