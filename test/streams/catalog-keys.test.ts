import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { INDEX_VALUE_BYTES_MAX, indexedPart, typedText } from '../../streams/attributes.ts'
import {
  decodeTuple,
  elementRange,
  encodeTuple,
  keyAfter,
  keyIn,
  lastElement,
  numberText,
  parentIn,
  prefixEnd,
} from '../../streams/catalog/catalog-keys.ts'

/** Characters where an encoding goes wrong first: the escapes, the ends of UTF-8's lengths, both sides of the surrogates. */
const edges = fc.constantFrom('\u0000', '\u0001', '\u0002', 'a', '/', '\u007f', '\u0080', '\u07ff', '\ud7ff')
const wideEdges = fc.constantFrom('\ue000', '\uffff', '\u{10000}', '\u{10ffff}')
const text = fc.oneof(fc.string({ unit: fc.oneof(edges, wideEdges), maxLength: 6 }), fc.string({ unit: 'binary' }))

function compare(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

function compareTuples(left: readonly string[], right: readonly string[]): number {
  for (const [index, element] of left.entries()) {
    const other = right[index]
    if (other === undefined) return 1
    const order = compare(element, other)
    if (order !== 0) return order
  }
  return Math.sign(left.length - right.length)
}

describe('tuples', () => {
  const tuple = fc.array(text, { minLength: 1, maxLength: 4 })

  test('decode to what was encoded', () => {
    fc.assert(
      fc.property(tuple, (elements) => {
        expect(decodeTuple(encodeTuple(...elements))).toEqual(elements)
        expect(lastElement(keyIn('i', ...elements))).toBe(elements.at(-1))
      }),
      { numRuns: 1000 },
    )
  })

  test('sort as their elements do, in UTF-8', () => {
    fc.assert(
      fc.property(tuple, tuple, (left, right) => {
        expect(compare(encodeTuple(...left), encodeTuple(...right))).toBe(compareTuples(left, right))
      }),
      { numRuns: 2000 },
    )
  })

  test('of an element begin with the tuple of its beginning', () => {
    fc.assert(
      fc.property(text, text, text, (parent, start, end) => {
        expect(keyIn('c', parent, start + end).startsWith(keyIn('c', parent, start))).toBe(true)
        expect(keyIn('c', parent, start).startsWith(parentIn('c', parent))).toBe(true)
      }),
    )
  })

  test('lie in the range of their elements, whatever follows', () => {
    fc.assert(
      fc.property(text, text, text, fc.option(text), (from, to, element, next) => {
        const { gte, lt } = elementRange(parentIn('i', 'name'), from, to)
        const key = next === null ? keyIn('i', 'name', element) : keyIn('i', 'name', element, next)
        const within = compare(from, element) <= 0 && compare(element, to) <= 0
        expect(compare(gte, key) <= 0 && compare(key, lt) < 0).toBe(within)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the end of a prefix', () => {
  test('is above what begins with it and not above anything else beyond it', () => {
    fc.assert(
      fc.property(text, text, (prefix, other) => {
        const end = prefixEnd(`c${prefix}`)
        expect(compare(`c${prefix}${other}`, end)).toBe(-1)
        if (!other.startsWith(prefix) && compare(other, prefix) > 0) expect(compare(`c${other}`, end)).not.toBe(-1)
      }),
      { numRuns: 2000 },
    )
  })

  test('stays UTF-8 where code points end', () => {
    expect(prefixEnd('a\ud7ff')).toBe('a\ue000')
    expect(prefixEnd('a\uffff')).toBe('a\u{10000}')
    expect(prefixEnd('a\u{10ffff}\u{10ffff}')).toBe('b')
    expect(prefixEnd('a\ud800')).toBe('a\ufffe')
  })

  test('of one key alone is the key after it', () => {
    fc.assert(
      fc.property(text, text, (key, other) => {
        const after = keyAfter(keyIn('c', 'inbox', key))
        expect(compare(keyIn('c', 'inbox', other), after) < 0).toBe(compare(other, key) <= 0)
      }),
      { numRuns: 1000 },
    )
  })
})

test('numbers sort by value and differ when they differ', () => {
  const number = fc.oneof(
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom(0, -0, 1, -1, 0.1, -0.1, Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE),
  )
  fc.assert(
    fc.property(number, number, (left, right) => {
      const order = left === right ? 0 : left < right ? -1 : 1
      expect(compare(numberText(left), numberText(right))).toBe(order)
    }),
    { numRuns: 5000 },
  )
})

describe('the indexed part of a value', () => {
  const long = fc.string({ unit: fc.oneof(edges, wideEdges), minLength: 60, maxLength: 300 })
  const shared = fc.tuple(long, long, long).map(([start, left, right]) => [start + left, start + right] as const)

  test('is its beginning, within the bound, and keeps the order', () => {
    fc.assert(
      fc.property(shared, ([left, right]) => {
        expect(left.startsWith(indexedPart(left))).toBe(true)
        expect(Buffer.byteLength(indexedPart(left))).toBeLessThanOrEqual(INDEX_VALUE_BYTES_MAX)
        const order = compare(indexedPart(left), indexedPart(right))
        expect([0, compare(left, right)]).toContain(order)
      }),
      { numRuns: 3000 },
    )
  })

  test('reaches the bound, and is all of a short value', () => {
    expect(Buffer.byteLength(indexedPart(`${'a'.repeat(252)}\u{10000}b`))).toBe(INDEX_VALUE_BYTES_MAX)
    expect(indexedPart('a'.repeat(252))).toBe('a'.repeat(252))
    expect(indexedPart('a'.repeat(1000))).toBe('a'.repeat(253))
  })
})

describe('typed texts', () => {
  test('of one moment are the same, however it is written', () => {
    const canonical = typedText('2026-11-01T10:00:00.000Z')
    const same = ['2026-11-01T10:00Z', '2026-11-01T10:00:00', '2026-11-01T11:00:00+01:00', '2026-11-01T10:00:00.0Z']
    for (const time of same) expect(typedText(time)).toBe(canonical)
  })

  test('of what is no moment are the string', () => {
    for (const string of ['2026-11-01', '2026-99-01T10:00:00Z', '2026-11-01T10:00:00Zulu', '0000-01-01T00:00+01:00']) {
      expect(typedText(string)).toBe(`t${string}`)
    }
  })

  test('hold what UTF-8 keeps of a string', () => {
    expect(typedText('a\ud800b')).toBe('ta\ufffdb')
    expect(typedText('a\ud83d\ude00b')).toBe('ta\ud83d\ude00b')
  })
})
