import { expect, test } from 'vitest'
import { giveMemory, takeMemory } from '../../system/index.ts'

const BYTES = 64 * 1024

test('memory that was given back is given out again, once', () => {
  const first = takeMemory(BYTES)
  giveMemory(first.subarray(10, 20))
  giveMemory(first) // It was said already.
  expect(takeMemory(BYTES).buffer).toBe(first.buffer)
  expect(takeMemory(BYTES).buffer).not.toBe(first.buffer)
})

test('memory that came from elsewhere is left to its owner', () => {
  const own = Buffer.alloc(BYTES)
  giveMemory(own)
  expect(takeMemory(BYTES).buffer).not.toBe(own.buffer)
})

test('larger memory is had, and not kept', () => {
  const larger = takeMemory(1_000_000)
  expect(larger).toHaveLength(1_000_000)
  giveMemory(larger)
  expect(takeMemory(1_000_000).buffer).not.toBe(larger.buffer)
})

test('fewer bytes are a part of memory of the next size', () => {
  const odd = takeMemory(BYTES - 1000)
  expect(odd).toHaveLength(BYTES - 1000)
  giveMemory(odd)
  expect(takeMemory(BYTES).buffer).toBe(odd.buffer)
})

test('what is kept is bounded', () => {
  const many = Array.from({ length: 300 }, () => takeMemory(BYTES))
  for (const one of many) giveMemory(one)
  const before = new Set(many.map(({ buffer }) => buffer))
  const again = Array.from({ length: 300 }, () => takeMemory(BYTES).buffer).filter((buffer) => before.has(buffer))
  expect(again).toHaveLength((16 << 20) / BYTES)
})
