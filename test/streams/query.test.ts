import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StoreError } from '../../streams/index.ts'
import { parseQuery, QUERY_BYTES_MAX, QUERY_TERMS_MAX, type Term } from '../../streams/query.ts'

/** What a query that must not parse is refused with. */
function refusal(text: string): string {
  try {
    parseQuery(text)
  } catch (error) {
    if (error instanceof StoreError && error.code === 'ERR_INVALID') return error.message
    throw error
  }
  throw new Error(`${JSON.stringify(text)} was parsed`)
}

describe('a query', () => {
  test.each([
    ['', []],
    [' \t\n', []],
    ['a:b', [['a', 'equals', 'b']]],
    ['a : b', [['a', 'equals', 'b']]],
    ['a=b', [['a', 'equals', 'b']]],
    ['a:b*', [['a', 'prefix', 'b']]],
    ['a:*', [['a', 'exists', '']]],
    ['a:""*', [['a', 'prefix', '']]],
    ['a:""', [['a', 'equals', '']]],
    ['a:"b*"', [['a', 'equals', 'b*']]],
    ['a:"b c"*', [['a', 'prefix', 'b c']]],
    ['a > 1', [['a', '>', '1']]],
    ['a>=1', [['a', '>=', '1']]],
    ['a< -1.5e3', [['a', '<', '-1.5e3']]],
    ['a <= 10MiB', [['a', '<=', '10MiB']]],
    ['time >= 2026-11-01T10:00:00Z', [['time', '>=', '2026-11-01T10:00:00Z']]],
    ['url:http://host/a?b=c', [['url', 'equals', 'http://host/a?b=c']]],
    ['a:"\\"\\\\"', [['a', 'equals', '"\\']]],
    ['"user.two words":"x"', [['user.two words', 'equals', 'x']]],
    ['größe:ü', [['größe', 'equals', 'ü']]],
    [
      'a:b AND c:d and e:f',
      [
        ['a', 'equals', 'b'],
        ['c', 'equals', 'd'],
        ['e', 'equals', 'f'],
      ],
    ],
    [
      'and:or AND and:*',
      [
        ['and', 'equals', 'or'],
        ['and', 'exists', ''],
      ],
    ],
  ])('%s', (text, terms) => {
    expect(parseQuery(text).map(({ name, operator, value }) => [name, operator, value])).toEqual(terms)
  })

  test.each([
    ['a', 'column 2: expected one of : = < <= > >= where the query ends'],
    ['a:', 'column 3: expected a value where the query ends'],
    [':b', 'column 1: expected the name of an attribute where there is ":b"'],
    ['a:b OR c:d', 'column 5: expected AND or the end of the query where there is "OR c:d"'],
    ['a:b c:d', 'column 5: expected AND or the end'],
    ['a:b AND', 'column 8: expected the name of an attribute where the query ends'],
    ['a:"x"AND b:c', 'column 6: expected AND or the end'],
    ['a:b*c', 'column 5: expected AND or the end'],
    ['a = b*', 'column 6: expected AND or the end'],
    ['a:**', 'column 4: expected AND or the end'],
    ['a>>5', 'column 3: expected a value'],
    ['a:=5', 'column 3: expected a value'],
    ['(a:b)', 'column 1: expected the name of an attribute'],
    ['a:(b)', 'column 3: expected a value'],
    ['a:"b', 'column 3: expected a closing quote'],
    ['a:"\\n"', 'column 3: expected a closing quote, and only \\" and \\\\ after a backslash'],
    ['a:b"c"', 'column 4: expected AND or the end'],
  ])('%s is refused', (text, message) => {
    expect(refusal(text)).toContain(message)
  })

  test(`has at most ${QUERY_BYTES_MAX} bytes`, () => {
    expect(parseQuery(`a:${'é'.repeat((QUERY_BYTES_MAX - 2) / 2)}`)).toHaveLength(1)
    expect(refusal(`a:é${'x'.repeat(QUERY_BYTES_MAX - 3)}`)).toBe(`a query has at most ${QUERY_BYTES_MAX} bytes`)
  })

  test(`has at most ${QUERY_TERMS_MAX} terms`, () => {
    const terms = Array.from({ length: QUERY_TERMS_MAX }, () => 'a:b')
    expect(parseQuery(terms.join(' AND '))).toHaveLength(QUERY_TERMS_MAX)
    expect(refusal([...terms, 'a:b'].join(' AND '))).toContain(`at most ${QUERY_TERMS_MAX} terms`)
  })

  test('of any text parses or is refused with a column', () => {
    const piece = fc.constantFrom('a', ':', '=', '<', '>', '"', '\\', '*', ' ', 'AND', '(', '10KB', '\u0000', '😀')
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(piece).map((pieces) => pieces.join('')),
    )
    fc.assert(
      fc.property(text, (query) => {
        try {
          parseQuery(query)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_INVALID', message: expect.stringMatching(/^query, column \d+: /) })
        }
      }),
      { numRuns: 5000 },
    )
  })

  test('says what was written, whatever the names and values', () => {
    const word = fc.string({ unit: 'binary', maxLength: 12 })
    const operator = fc.constantFrom('equals' as const, 'prefix' as const, '<' as const, '<=' as const, '>=' as const)
    const terms: fc.Arbitrary<Term[]> = fc.array(fc.record({ name: word, operator, value: word }), { maxLength: 5 })
    fc.assert(
      fc.property(terms, (written) => {
        expect(parseQuery(written.map(format).join(' AND '))).toEqual(written)
      }),
      { numRuns: 1000 },
    )
  })
})

function format({ name, operator, value }: Term): string {
  if (operator === 'prefix') return `${quote(name)}:${quote(value)}*`
  return `${quote(name)} ${operator === 'equals' ? '=' : operator} ${quote(value)}`
}

function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
