import { describe, expect, test } from 'vitest'
import { mayBeAtomic } from '../../pool/atomic-shape.ts'

const KIB = 1024
const limits = { unitMin: 4 * KIB, unitMax: 64 * KIB, boundary: 0 }

describe('a write is atomic', () => {
  test.each([
    [0, 4],
    [4, 4],
    [64, 64],
    [16, 16],
  ])('at %i KiB of %i KiB', (offset, length) => {
    expect(mayBeAtomic(limits, offset * KIB, length * KIB)).toBe(true)
  })

  test.each([
    ['below the smallest unit', 0, 2],
    ['beyond the largest unit', 0, 128],
    ['of no power of two', 0, 12],
    ['not aligned to its length', 4, 16],
  ])('never %s', (_, offset, length) => {
    expect(mayBeAtomic(limits, offset * KIB, length * KIB)).toBe(false)
  })

  test('never across a boundary', () => {
    const odd = { ...limits, unitMax: 128 * KIB, boundary: 64 * KIB } // More than a unit: the kernel never says so.
    expect(mayBeAtomic(odd, 0, 64 * KIB)).toBe(true)
    expect(mayBeAtomic(odd, 0, 128 * KIB)).toBe(false)
  })

  test('never on a device that says nothing', () => {
    expect(mayBeAtomic(undefined, 0, 4 * KIB)).toBe(false)
  })
})
