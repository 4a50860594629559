import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contentRange, type Selection, selectRange } from '../../protocols/http/range.ts'

/** RFC 9110 section 14.1.2 has its examples on a representation of 10,000 bytes. */
const table: readonly (readonly [header: string | undefined, size: number, selection: Selection])[] = [
  [undefined, 10_000, 'whole'],
  ['bytes=0-499', 10_000, { offset: 0, length: 500 }],
  ['bytes=500-999', 10_000, { offset: 500, length: 500 }],
  ['bytes=-500', 10_000, { offset: 9500, length: 500 }],
  ['bytes=9500-', 10_000, { offset: 9500, length: 500 }],
  ['bytes=0-', 10_000, { offset: 0, length: 10_000 }],
  ['bytes=0-0', 10_000, { offset: 0, length: 1 }],
  ['bytes=9999-9999', 10_000, { offset: 9999, length: 1 }],
  ['BYTES= 0-0 ', 10_000, { offset: 0, length: 1 }],
  // A last position beyond the end, and a suffix longer than the whole, are cut to it.
  ['bytes=9999-20000', 10_000, { offset: 9999, length: 1 }],
  ['bytes=-20000', 10_000, { offset: 0, length: 10_000 }],
  ['bytes=0-99999999999999999999999', 10_000, { offset: 0, length: 10_000 }],
  // Beyond the end: 416.
  ['bytes=10000-', 10_000, 'unsatisfiable'],
  ['bytes=10000-10001', 10_000, 'unsatisfiable'],
  ['bytes=99999999999999999999999-', 10_000, 'unsatisfiable'],
  ['bytes=-0', 10_000, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=0-0', 0, 'unsatisfiable'],
  ['bytes=-1', 0, 'whole'],
  // No range, another unit, more than one: ignored (section 14.2).
  ['bytes=500-499', 10_000, 'whole'],
  ['bytes=', 10_000, 'whole'],
  ['bytes=-', 10_000, 'whole'],
  ['bytes=a-b', 10_000, 'whole'],
  ['bytes=1-2-3', 10_000, 'whole'],
  ['bytes=+1-2', 10_000, 'whole'],
  ['bytes 0-499', 10_000, 'whole'],
  ['0-499', 10_000, 'whole'],
  ['lines=0-499', 10_000, 'whole'],
  ['bytes=0-0,-1', 10_000, 'whole'],
  ['bytes=500-600,601-999', 10_000, 'whole'],
]

describe('a Range header', () => {
  test.each(table)('%s of %i bytes selects %o', (header, size, selection) => {
    expect(selectRange(header, size)).toEqual(selection)
  })

  test('selects what slicing does, whatever the numbers', () => {
    const number = fc.nat({ max: 40 })
    fc.assert(
      fc.property(number, number, number, (first, last, size) => {
        const bytes = Array.from({ length: size }, (_, index) => index)
        const selection = selectRange(`bytes=${first}-${last}`, size)
        if (selection === 'whole') expect(last).toBeLessThan(first)
        else if (selection === 'unsatisfiable') expect(bytes.slice(first)).toEqual([])
        else {
          const { offset, length } = selection
          expect(bytes.slice(offset, offset + length)).toEqual(bytes.slice(first, last + 1))
          expect(length).toBeGreaterThan(0)
        }
      }),
    )
  })

  test('is told back in Content-Range', () => {
    expect(contentRange({ offset: 500, length: 500 }, 10_000)).toBe('bytes 500-999/10000')
  })
})
