import { describe, expect, test } from 'vitest'
import { believe } from '../../system/index.ts'

const whole = { unitMin: 4096, unitMax: 65_536, segmentsMax: 1, boundary: 0 }

describe('a claim to write atomically', () => {
  test.each([
    ['as XFS makes it', whole],
    ['of one size', { ...whole, unitMin: 65_536 }],
    ['with a boundary', { ...whole, boundary: 65_536 }],
    ['with a wide boundary', { ...whole, boundary: 1 << 20 }],
  ])('%s is believed', (_, claim) => {
    expect(believe(claim)).toEqual(claim)
  })

  test.each([
    ['of nothing', { ...whole, unitMin: 0, unitMax: 0, segmentsMax: 0 }],
    ['without a smallest unit', { ...whole, unitMin: 0 }],
    ['without a largest unit', { ...whole, unitMax: 0 }],
    ['of no piece of memory', { ...whole, segmentsMax: 0 }],
    ['whose smallest unit is no power of two', { ...whole, unitMin: 12_288 }],
    ['whose largest unit is no power of two', { ...whole, unitMax: 49_152 }],
    ['whose units are the wrong way round', { ...whole, unitMin: 131_072 }],
    ['whose boundary is no power of two', { ...whole, boundary: 196_608 }],
    ['whose boundary lies inside a unit', { ...whole, boundary: 32_768 }],
  ])('%s is not', (_, claim) => {
    expect(believe(claim)).toBeUndefined()
  })
})
