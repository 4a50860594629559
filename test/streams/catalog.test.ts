import fc from 'fast-check'
import { Level } from 'level'
import { expect, test } from 'vitest'
import { indexKeysOf } from '../../streams/catalog-entry.ts'
import { keyIn } from '../../streams/catalog-keys.ts'
import { type Catalog, type ObjectStat, openCatalog } from '../../streams/index.ts'
import { parseQuery } from '../../streams/query.ts'
import { CatalogModel, digestAt } from './catalog-model.ts'
import { newDirectory } from './catalog-support.ts'

const REGISTRATION = { types: ['http'], permissions: [], secret: { kind: 'argon2id', value: 'x' } } as const

const bucket = fc.constantFrom('inbox', 'outbox')
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
const name = fc.record({ bucket, key })
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
const attributes = fc.dictionary(
  fc.constantFrom('color', 'n', 'when', 'to', 'flag', 'object.size', '\u0000'),
  fc.oneof(text, moment, number, fc.boolean(), list),
  { maxKeys: 4 },
)
const unset = fc.subarray(['color', 'n', 'to'])
const change = fc.oneof(
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
  { weight: 1, arbitrary: fc.record({ operation: fc.constant('stray' as const), name }) },
)
type Change = typeof change extends fc.Arbitrary<infer C> ? C : never

function record(model: CatalogModel, made: Change): void {
  const { operation } = made
  if (operation === 'put') model.put(made.name.bucket, made.name.key, made.attributes, made.size)
  if (operation === 'bucket') model.append({ operation, bucket: made.bucket })
  if (operation === 'application')
    model.append({ operation, id: 'app', registration: made.removed ? null : REGISTRATION })
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
  fc.constantFrom('true', 'false', 'inbox', 'a/', 'http', '1500'),
)
const attribute = fc.constantFrom(
  ...['color', 'n', 'when', 'to', 'flag', 'color', 'n', 'when', 'to'],
  ...['color', 'n', 'when', 'to', 'flag', '\u0000', 'object.bucket', 'object.key', 'object.name', 'object.size'],
  ...['object.version', 'protocol', 'principal.application', 'time', 'nothing'],
)
const operator = fc.constantFrom(':', ':', ':', '=', '<', '<=', '>', '>=')
const term = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(attribute, operator, literal).map(([a, o, l]) => `"${a}" ${o} "${l}"`) },
  { weight: 2, arbitrary: fc.tuple(attribute, literal).map(([a, l]) => `"${a}":"${l}"*`) },
  { weight: 1, arbitrary: attribute.map((a) => `"${a}":*`) },
)
const query = fc.array(term, { maxLength: 3 }).map((terms) => terms.join(' AND '))
const listing = fc.record({
  bucket,
  prefix: fc.constantFrom('', 'a', 'a/', 'a/c', '\u0000', '\uffff'),
  delimiter: fc.constantFrom('', '/', '\u0000'),
  after: fc.option(fc.constantFrom('', 'a', 'a/', 'a/b', 'a/c/', '\uffff', '\u{10000}'), { nil: undefined }),
  limit: fc.constantFrom(1, 2, 3, 1000),
})
type ListingOf = typeof listing extends fc.Arbitrary<infer L> ? L : never

async function sameListing(catalog: Catalog, model: CatalogModel, { bucket, ...options }: ListingOf): Promise<void> {
  let after: string | undefined = options.after
  do {
    const at = { prefix: options.prefix, delimiter: options.delimiter, ...(after !== undefined && { after }) }
    const expected = model.list(bucket, at)
    const slice = expected.slice(0, options.limit)
    const page = await catalog.list(bucket, { ...at, limit: options.limit })
    expect(page.objects).toEqual(slice.filter((entry) => typeof entry === 'object'))
    expect(page.prefixes).toEqual(slice.filter((entry) => typeof entry === 'string'))
    expect(page.next).toBe(expected.length > slice.length ? nameOf(slice.at(-1)) : undefined)
    after = page.next
  } while (after !== undefined)
}

function nameOf(entry: ObjectStat | string | undefined): string | undefined {
  return typeof entry === 'object' ? entry.key : entry
}

async function sameAnswers(catalog: Catalog, model: CatalogModel, query: string, limit: number): Promise<void> {
  const versions: string[] = []
  let cursor: string | null = null
  do {
    const page = await catalog.query(query, { limit, ...(cursor !== null && { cursor }) })
    expect(page.sequence).toBe(model.sequence)
    for (const stat of page.objects) {
      expect(stat).toEqual(model.head(stat)?.stat)
      versions.push(stat.version)
    }
    cursor = page.cursor
  } while (cursor !== null)
  const whole = await catalog.query(query, {})
  expect(versions).toEqual(whole.objects.map(({ version }) => version))
  expect(versions.toSorted()).toEqual(model.query(parseQuery(query)))
}

async function same(catalog: Catalog, model: CatalogModel): Promise<void> {
  expect(catalog.position).toMatchObject({ epoch: 3, sequence: model.sequence, digest: digestAt(model.sequence) })
  for (const [object, sequences] of model.streams) {
    expect(await catalog.streamOf(object)).toEqual(sequences)
    const [first = 0] = sequences
    expect(await catalog.streamOf(object, first, 2)).toEqual(sequences.slice(1, 3))
    expect(await catalog.streamOf(object, sequences.at(-1), 2)).toEqual([])
  }
  for (const { record } of model.records) {
    if (!('key' in record)) continue
    const expected = model.head(record)
    expect(await catalog.head(record)).toEqual(expected && { stat: expected.stat, last: expected.last })
  }
  expect(await catalog.buckets()).toEqual([...model.buckets].sort())
  expect(await catalog.hasBucket('inbox')).toBe(model.buckets.has('inbox'))
  expect(await catalog.applications()).toEqual(model.applications)
}

/** No key is left of what is gone, and none is missing. */
async function sameKeys(directory: string, model: CatalogModel): Promise<void> {
  const level = new Level(directory)
  const keys = await level.keys().all()
  await level.close()
  const expected = [...model.entries.values()].flatMap((entry) => {
    const { object, bucket, key } = entry.stat
    return [keyIn('n', object), keyIn('c', bucket, key), ...indexKeysOf(entry)]
  })
  expect(new Set(keys.filter((key) => /^[cino]/.test(key)))).toEqual(new Set(expected))
}

test('the fold says the same, whatever the records, batches and questions, and after it was opened again', async () => {
  const scenario = fc.record({
    changes: fc.array(change, { minLength: 1, maxLength: 50, size: 'max' }),
    cut: fc.nat(50),
    batchRecordsMax: fc.constantFrom(1, 3, 256),
    group: fc.integer({ min: 1, max: 20 }),
    queries: fc.array(fc.tuple(query, fc.constantFrom(1, 2, 1000)), { minLength: 15, maxLength: 30 }),
    listings: fc.array(listing, { minLength: 8, maxLength: 16 }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ changes, cut, batchRecordsMax, group, queries, listings }) => {
      const model = new CatalogModel()
      for (const made of changes) record(model, made)
      fc.pre(model.sequence > 0)
      const directory = await newDirectory()
      let catalog = await openCatalog({ directory, batchRecordsMax })
      for (let first = 0; first < model.sequence; first += group) {
        if (first <= cut && cut < first + group) {
          await catalog.close()
          catalog = await openCatalog({ directory, batchRecordsMax })
          expect(catalog.position.sequence).toBe(first)
        }
        catalog.apply(model.records.slice(first, first + group), 3)
      }
      await catalog.settled(model.sequence)
      await same(catalog, model)
      for (const [text, limit] of queries) await sameAnswers(catalog, model, text, limit)
      for (const options of listings) await sameListing(catalog, model, options)
      await catalog.close()
      await sameKeys(directory, model)
    }),
    { numRuns: 60 },
  )
})
