import fc from 'fast-check'
import type { CatalogModel } from './catalog-model.ts'

/* Random records and random queries. */

const REGISTRATION = { types: ['http'], permissions: [], secret: { kind: 'argon2id', value: 'x' } } as const

export const bucket = fc.constantFrom('inbox', 'outbox')
const key = fc.constantFrom(
  'a',
  'a/b',
  'a/c',
  'a/c/d',
  'a0',
  'é',
  '\u0000',
  'a\u0000',
  'a\u0001/b',
  '\uffff/x',
  '\u{10000}/x',
)
export const name = fc.record({ bucket, key })
const text = fc.constantFrom(
  '',
  'red',
  'Red',
  're',
  '10',
  '-2',
  '\u{10000}',
  '\uffff',
  'x'.repeat(300),
  `${'x'.repeat(299)}y`,
)
const moment = fc.constantFrom(
  '2026-11-01',
  '2026-11-01T00:00:05Z',
  '2026-11-01T00:00:05.000Z',
  '2026-11-01T01:00:07+01:00',
)
const number = fc.constantFrom(-2, -0.5, 0, 7, 10, 1e21)
const list = fc.array(text, { maxLength: 4 })
const sentence = fc.constantFrom('Red march', 'Märch RED re', 'ann@example.com', 'bob@example.org', 'a/b.pdf')
export const attributes = fc.dictionary(
  fc.constantFrom(
    'color',
    'n',
    'when',
    'to',
    'flag',
    'object.size',
    '\u0000',
    'email.to',
    'email.subject',
    'email.date',
  ),
  fc.oneof(text, moment, number, fc.boolean(), list, sentence),
  { maxKeys: 5 },
)
const unset = fc.subarray(['color', 'n', 'to'])
export const change = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ operation: fc.constant('put' as const), name, attributes, size: fc.nat(3000) }),
  },
  { weight: 2, arbitrary: fc.record({ operation: fc.constant('delete' as const), name }) },
  {
    weight: 3,
    arbitrary: fc.record({ operation: fc.constant('attributes' as const), name, set: attributes, unset }),
  },
  { weight: 3, arbitrary: fc.record({ operation: fc.constant('rename' as const), from: name, name }) },
  { weight: 1, arbitrary: fc.record({ operation: fc.constant('bucket' as const), bucket }) },
  { weight: 1, arbitrary: fc.record({ operation: fc.constant('application' as const), removed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ operation: fc.constant('route' as const), removed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ operation: fc.constant('stray' as const), name }) },
)
export type Change = typeof change extends fc.Arbitrary<infer C> ? C : never

export function record(model: CatalogModel, made: Change): void {
  const { operation } = made
  if (operation === 'put') model.put(made.name.bucket, made.name.key, made.attributes, made.size)
  if (operation === 'bucket') model.append({ operation, bucket: made.bucket })
  if (operation === 'application')
    model.append({ operation, id: 'app', registration: made.removed ? null : REGISTRATION })
  if (operation === 'route')
    model.append({
      operation,
      id: '*@a.example',
      registration: made.removed ? null : { bucket: 'a', application: 'app' },
    })
  if (operation === 'stray') model.append({ operation: 'delete', object: 'another', ...made.name })
  if (operation === 'delete' || operation === 'attributes') {
    const object = model.head(made.name)?.stat.object
    if (object === undefined) return
    if (operation === 'delete') model.append({ operation, object, ...made.name })
    else model.append({ operation, object, ...made.name, set: made.set, unset: made.unset })
  }
  if (operation === 'rename') {
    const object = model.head(made.from)?.stat.object
    if (object !== undefined) model.append({ operation, object, ...made.name, from: made.from })
  }
}

const literal = fc.oneof(
  text,
  moment,
  number.map(String),
  fc.constantFrom('true', 'false', 'inbox', 'a/', 'http', '1500', '@example.com', 'march', 'd', 'b'),
)
export const attribute = fc.constantFrom(
  ...['color', 'n', 'when', 'to', 'flag', 'color', 'n', 'when', 'to', 'email.to', 'email.subject', 'email.date'],
  ...['color', 'n', 'when', 'to', 'flag', '\u0000', 'object.bucket', 'object.key', 'object.name', 'object.size'],
  ...['object.version', 'protocol', 'principal.application', 'time', 'nothing'],
)
/** What the attribute may be asked for. */
function literalOf(name: string): fc.Arbitrary<string> {
  if (name === 'object.size') return fc.oneof(number.map(String), fc.constantFrom('1500', '700', '2e+3'))
  return name === 'time' || name === 'email.date' ? moment : literal
}
const operator = fc.constantFrom(':', ':', ':', '=', '<', '<=', '>', '>=')
const term = attribute.chain((name) => {
  const value = literalOf(name).map((text) => `"${text}"`)
  const start = `"${name}"`
  const terms = [
    { weight: 6, arbitrary: fc.tuple(operator, value).map(([o, v]) => `${start} ${o} ${v}`) },
    { weight: 1, arbitrary: fc.constant(`${start}:*`) },
    { weight: 1, arbitrary: fc.array(value, { minLength: 1, maxLength: 4 }).map((vs) => `${start} IN (${vs.join()})`) },
    { weight: 1, arbitrary: fc.tuple(value, value).map(([v, w]) => `${start} IN [${v} TO ${w}]`) },
    { weight: 1, arbitrary: fc.constantFrom('red', 'march re', 'RED', 'b', 'com').map((w) => `${start} ~ "${w}"`) },
  ]
  const parts = [
    { weight: 1, arbitrary: value.map((v) => `${start}:${v}*`) },
    { weight: 2, arbitrary: value.map((v) => `${start}:*${v}`) },
    { weight: 1, arbitrary: value.map((v) => `${start}:*${v}*`) },
  ]
  return fc.oneof(...(name === 'object.size' ? terms : [...terms, ...parts]))
})
export const { query } = fc.letrec<{ query: string; operand: string }>((tie) => ({
  operand: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    { weight: 8, arbitrary: term },
    { weight: 1, arbitrary: tie('operand').map((part) => `NOT ${part}`) },
    { weight: 2, arbitrary: tie('query').map((part) => (part === '' ? 'n:*' : `(${part})`)) },
  ),
  query: fc
    .tuple(fc.constantFrom(' AND ', ' AND ', ' OR '), fc.array(tie('operand'), { maxLength: 3 }))
    .map(([joint, parts]) => parts.join(joint)),
}))
