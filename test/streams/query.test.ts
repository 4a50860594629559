import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StoreError } from '../../streams/index.ts'
import {
  joined,
  type Operator,
  QUERY_BYTES_MAX,
  QUERY_DEPTH_MAX,
  QUERY_TERMS_MAX,
  type Query,
} from '../../streams/query/query.ts'
import { parseQuery } from '../../streams/query/query-parser.ts'
import { printQuery } from '../../streams/query/query-printer.ts'

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

/** A tree as lists: `[name, operator, ...values]`, `['and', ...parts]`, `['not', part]`. */
type Shape = readonly (string | Shape)[]

function shapeOf(query: Query): Shape {
  if (query.kind === 'term') return [query.name, query.operator, ...query.values.map(({ text }) => text)]
  return query.kind === 'not' ? ['not', shapeOf(query.part)] : [query.kind, ...query.parts.map(shapeOf)]
}

describe('a query', () => {
  test.each<[string, Shape]>([
    ['', ['and']],
    [' \t\n', ['and']],
    ['a:b', ['a', 'equals', 'b']],
    ['a : b', ['a', 'equals', 'b']],
    ['a=b', ['a', 'equals', 'b']],
    ['a:b*', ['a', 'prefix', 'b']],
    ['a:*', ['a', 'exists']],
    ['a:*b', ['a', 'suffix', 'b']],
    ['a:*b*', ['a', 'contains', 'b']],
    ['a:*"b c"*', ['a', 'contains', 'b c']],
    ['a:""*', ['a', 'prefix', '']],
    ['a:""', ['a', 'equals', '']],
    ['a:"b*"', ['a', 'equals', 'b*']],
    ['a:"b c"*', ['a', 'prefix', 'b c']],
    ['a > 1', ['a', '>', '1']],
    ['a>=1', ['a', '>=', '1']],
    ['a< -1.5e3', ['a', '<', '-1.5e3']],
    ['a <= 10MiB', ['a', '<=', '10MiB']],
    ['a ~ invoice', ['a', 'words', 'invoice']],
    ['a ~"invoice march"', ['a', 'words', 'invoice march']],
    ['a~b:c', ['a~b', 'equals', 'c']],
    ['a IN (b)', ['a', 'in', 'b']],
    ['a in ( b,"c d" , e )', ['a', 'in', 'b', 'c d', 'e']],
    ['a IN [1 TO 10MB]', ['a', 'between', '1', '10MB']],
    ['a IN[TO to TO]', ['a', 'between', 'TO', 'TO']],
    ['in IN (in)', ['in', 'in', 'in']],
    ['a:b,c', ['a', 'equals', 'b,c']],
    ['a:[b]', ['a', 'equals', '[b]']],
    ['time >= 2026-11-01T10:00:00Z', ['time', '>=', '2026-11-01T10:00:00Z']],
    ['time >= now-7d', ['time', '>=', 'now-7d']],
    ['url:http://host/a?b=c', ['url', 'equals', 'http://host/a?b=c']],
    ['a:"\\"\\\\"', ['a', 'equals', '"\\']],
    ['"user.two words":"x"', ['user.two words', 'equals', 'x']],
    ['größe:ü', ['größe', 'equals', 'ü']],
    ['a:b AND c:d and e:f', ['and', ['a', 'equals', 'b'], ['c', 'equals', 'd'], ['e', 'equals', 'f']]],
    ['and:or AND and:*', ['and', ['and', 'equals', 'or'], ['and', 'exists']]],
    ['a:1 OR b:2 AND c:3', ['or', ['a', 'equals', '1'], ['and', ['b', 'equals', '2'], ['c', 'equals', '3']]]],
    ['(a:1 OR b:2)AND(c:3)', ['and', ['or', ['a', 'equals', '1'], ['b', 'equals', '2']], ['c', 'equals', '3']]],
    ['a:1 or (b:2 or (c:3))', ['or', ['a', 'equals', '1'], ['b', 'equals', '2'], ['c', 'equals', '3']]],
    ['NOT a:1 AND b:2', ['and', ['not', ['a', 'equals', '1']], ['b', 'equals', '2']]],
    ['NOT(a:1 AND b:2)', ['not', ['and', ['a', 'equals', '1'], ['b', 'equals', '2']]]],
    ['not not a:1', ['not', ['not', ['a', 'equals', '1']]]],
    ['NOT in:1', ['not', ['in', 'equals', '1']]],
    ['NOT:1', ['NOT', 'equals', '1']],
    ['not = 1', ['not', 'equals', '1']],
    ['not ~ x', ['not', 'words', 'x']],
    ['nota:1', ['nota', 'equals', '1']],
  ])('%s', (text, shape) => {
    expect(shapeOf(parseQuery(text))).toEqual(shape)
  })

  test('knows where its values are written', () => {
    expect(parseQuery('a:b AND c IN ("d", e)')).toMatchObject({
      parts: [{ values: [{ column: 3 }] }, { values: [{ column: 15 }, { column: 20 }] }],
    })
  })

  test.each([
    ['a', 'column 2: expected one of : = < <= > >= ~ IN where the query ends'],
    ['a:', 'column 3: expected a value where the query ends'],
    [':b', 'column 1: expected the name of an attribute where there is ":b"'],
    ['a:b c:d', 'column 5: expected AND, OR or the end of the query where there is "c:d"'],
    ['a:b AND', 'column 8: expected the name of an attribute where the query ends'],
    ['a:b OR', 'column 7: expected the name of an attribute where the query ends'],
    ['NOT ', 'column 5: expected the name of an attribute where the query ends'],
    ['a:"x"AND b:c', 'column 6: expected AND, OR or the end'],
    ['name:f*.txt', 'column 7: expected * at the start or the end of a value only, or in quotes for itself, where'],
    ['(a:b*c)', 'column 5: expected * at the start or the end of a value only'],
    ['a:*b*"c"', 'column 5: expected * at the start or the end of a value only'],
    ['a:**', 'column 4: expected * at the start or the end of a value only'],
    ['a = b*', 'column 6: expected no * in a value after = (name:value* finds what begins so) where there is "*"'],
    ['a ~ b*', 'column 6: expected no * in a value after ~ (words are found whole)'],
    ['a > b*', 'column 6: expected no * in a value after > (a comparison has none)'],
    ['a = *', 'column 5: expected a value after = (name:* asks whether there is one)'],
    ['a == b', 'column 4: expected a value: one operator is enough, and = is one, where there is "= b"'],
    ['a:>5', 'column 3: expected a value: one operator is enough, and : is one,'],
    ['a != b', 'column 3: expected one of : = < <= > >= ~ IN (NOT name = value says what it is not)'],
    ['a:b && c:d', 'column 5: expected AND or OR as a word where there is "&& c:d"'],
    ['a:b | c:d', 'column 5: expected AND or OR as a word'],
    ['a:"b", c:d', 'column 6: expected AND or OR as a word'],
    ['a:b"c"', 'column 4: expected all of the value in quotes, with \\" for a quote in it,'],
    ['a:b"', 'column 4: expected all of the value in quotes'],
    ['a:\u201cb c\u201d', 'column 3: expected straight quotes (") around a value with spaces'],
    [
      'time > 2026-11-01 10:00',
      'column 19: expected T between a date and a time, as 2026-11-01T10:00, where there is "10:00"',
    ],
    ['a:b and', 'column 8: expected the name of an attribute where the query ends'],
    ['a:b) and c:d', 'column 4: expected AND, OR or the end of the query where there is ") and c:d"'],
    ['a:* b', 'column 5: expected AND, OR or the end'],
    ['a>>5', 'column 3: expected a value: one operator'],
    ['a:=5', 'column 3: expected a value: one operator'],
    ['(a:b', 'column 5: expected AND, OR or ) where the query ends'],
    ['a:b)', 'column 4: expected AND, OR or the end of the query where there is ")"'],
    ['()', 'column 2: expected the name of an attribute where there is ")"'],
    ['a:(b)', 'column 3: expected one value (of several it is name IN (a, b)) where there is "(b)"'],
    ['a IN b', 'column 6: expected ( or [ where there is "b"'],
    ['a IN ()', 'column 7: expected a value'],
    ['a IN (b', 'column 8: expected a comma or ) where the query ends'],
    ['a IN (b c)', 'column 9: expected a comma or ) where there is "c)"'],
    ['a IN [b c]', 'column 9: expected TO'],
    ['a IN [b TO c', 'column 13: expected ] where the query ends'],
    ['a~b', 'column 4: expected one of'],
    ['a:"b', 'column 3: expected a closing quote'],
    ['a:"\\n"', 'column 3: expected a closing quote, and only \\" and \\\\ after a backslash'],
  ])('%s is refused', (text, message) => {
    expect(refusal(text)).toContain(message)
  })

  test(`has at most ${QUERY_BYTES_MAX} bytes`, () => {
    expect(parseQuery(`a:${'é'.repeat((QUERY_BYTES_MAX - 2) / 2)}`)).toMatchObject({ kind: 'term' })
    expect(refusal(`a:é${'x'.repeat(QUERY_BYTES_MAX - 3)}`)).toBe(`a query has at most ${QUERY_BYTES_MAX} bytes`)
  })

  test(`has at most ${QUERY_TERMS_MAX} terms, each value of IN being one`, () => {
    const terms = Array.from({ length: QUERY_TERMS_MAX }, () => 'a:b')
    expect(parseQuery(terms.join(' AND '))).toMatchObject({ parts: { length: QUERY_TERMS_MAX } })
    expect(refusal([...terms, 'a:b'].join(' AND '))).toContain(`at most ${QUERY_TERMS_MAX} terms`)
    const values = terms.map((_, index) => `${index}`)
    expect(parseQuery(`a IN (${values.join()})`)).toMatchObject({ values: { length: QUERY_TERMS_MAX } })
    expect(refusal(`a IN (${values.join()},x)`)).toContain(`at most ${QUERY_TERMS_MAX} terms`)
  })

  test(`has at most ${QUERY_DEPTH_MAX} levels of parentheses and NOT`, () => {
    const nested = (depth: number) => `${'(NOT '.repeat(depth / 2)}a:b${')'.repeat(depth / 2)}`
    expect(parseQuery(nested(QUERY_DEPTH_MAX))).toBeDefined()
    expect(refusal(nested(QUERY_DEPTH_MAX + 2))).toContain(`at most ${QUERY_DEPTH_MAX} levels of ( and NOT`)
  })

  const pieces = [
    'a',
    ':',
    '=',
    '<',
    '>',
    '"',
    '\\',
    '*',
    ' ',
    ' AND ',
    ' OR ',
    'NOT ',
    '(',
    ')',
    '[',
    ']',
    ' IN ',
    ' TO ',
  ]
  const piece = fc.constantFrom(...pieces, ',', ' ~ ', '10KB', 'now-7d', '\u0000', '😀')
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 40 }).map((parts) => parts.join('')),
  )

  test('of any text parses, and is printed as the same, or is refused with a column', () => {
    fc.assert(
      fc.property(anything, (text) => {
        let query: Query
        try {
          query = parseQuery(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_INVALID', message: expect.stringMatching(/^query, column \d+: /) })
          return
        }
        expect(shapeOf(parseQuery(printQuery(query)))).toEqual(shapeOf(query))
      }),
      { numRuns: 20_000 },
    )
  })

  const word = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), piece)
  const operator = fc.constantFrom<Operator>('equals', 'prefix', 'suffix', 'contains', 'words', '<', '<=', '>', '>=')
  const literals = (count: number) =>
    fc.array(word, { minLength: count, maxLength: count }).map((texts) => texts.map((text) => ({ text, column: 0 })))
  const term = fc.oneof(
    fc.record({ kind: fc.constant('term' as const), name: word, operator, values: literals(1) }),
    fc.record({
      kind: fc.constant('term' as const),
      name: word,
      operator: fc.constant('exists' as const),
      values: literals(0),
    }),
    fc.record({
      kind: fc.constant('term' as const),
      name: word,
      operator: fc.constant('between' as const),
      values: literals(2),
    }),
    fc.record({
      kind: fc.constant('term' as const),
      name: word,
      operator: fc.constant('in' as const),
      values: literals(3),
    }),
  )
  const { tree } = fc.letrec<{ tree: Query }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', maxDepth: 5 },
      term,
      fc
        .tuple(fc.constantFrom('and' as const, 'or' as const), fc.array(tie('tree'), { minLength: 2, maxLength: 4 }))
        .map(([kind, parts]) => joined(kind, parts)),
      tie('tree').map((part): Query => ({ kind: 'not', part })),
    ),
  }))

  test('that is printed says what was meant, whatever the tree', () => {
    fc.assert(
      fc.property(tree, (query) => {
        const text = printQuery(query)
        fc.pre(Buffer.byteLength(text) <= QUERY_BYTES_MAX)
        expect(shapeOf(parseQuery(text))).toEqual(shapeOf(query))
      }),
      { numRuns: 2000 },
    )
  })
})
