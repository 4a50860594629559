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

test('other sizes are had, and not kept', () => {
  const odd = takeMemory(1000)
  expect(odd).toHaveLength(1000)
  giveMemory(odd)
  expect(takeMemory(1000).buffer).not.toBe(odd.buffer)
})

test('what is kept is bounded', () => {
  const many = Array.from({ length: 300 }, () => takeMemory(BYTES))
  for (const one of many) giveMemory(one)
  const before = new Set(many.map(({ buffer }) => buffer))
  const again = Array.from({ length: 300 }, () => takeMemory(BYTES).buffer).filter((buffer) => before.has(buffer))
  expect(again).toHaveLength((16 << 20) / BYTES)
})
