import { describe, expect, test } from 'vitest'
import { directPays, readsAreQuick } from '../../pool/io-choice.ts'

const sample = (direct: number, buffered: number, tries = 12) => ({
  bytes: 4096,
  direct: Array<number>(tries).fill(direct),
  buffered: Array<number>(tries).fill(buffered),
})

describe('direct writes pay', () => {
  test('when they are faster at every size', () => {
    expect(directPays([sample(50, 100), sample(60, 100)])).toBe(true)
  })

  test('never when they are only as fast', () => {
    expect(directPays([sample(100, 100), sample(90, 100)])).toBe(false)
  })

  test('never when one size is slower, whatever the others gain', () => {
    expect(directPays([sample(150, 100), sample(10, 100)])).toBe(false)
  })

  test('never when there was no time for enough tries', () => {
    expect(directPays([sample(50, 100, 9)])).toBe(false)
    expect(directPays([sample(50, 100), { ...sample(50, 100), buffered: [100] }])).toBe(false)
  })

  test('whatever else the machine was doing meanwhile', () => {
    const disturbed = { ...sample(50, 100), direct: [50, 50, 50, ...Array<number>(9).fill(5000)] }
    expect(directPays([disturbed])).toBe(true)
  })
})

test('reads are quick below a millisecond, as half of enough tries say', () => {
  expect(readsAreQuick(Array<number>(15).fill(90))).toBe(true)
  expect(readsAreQuick([...Array<number>(8).fill(90), ...Array<number>(7).fill(9000)])).toBe(true)
  expect(readsAreQuick(Array<number>(15).fill(8000))).toBe(false)
  expect(readsAreQuick([90])).toBe(false)
})
