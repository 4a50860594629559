import fc from 'fast-check'
import { Level } from 'level'
import { expect, test } from 'vitest'
import { indexKeysOf } from '../../streams/catalog/catalog-index.ts'
import { keyIn } from '../../streams/catalog/catalog-keys.ts'
import { type Catalog, type ObjectStat, openCatalog } from '../../streams/index.ts'
import { parseQuery } from '../../streams/query/query-parser.ts'
import { bucket, change, query, record } from './catalog-arbitraries.ts'
import { CatalogModel, digestAt } from './catalog-model.ts'
import { newDirectory } from './catalog-support.ts'

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
    expect(await catalog.head(record)).toEqual(
      expected && { stat: expected.stat, last: expected.last, application: expected.application },
    )
  }
  expect(await catalog.buckets()).toEqual([...model.buckets].sort())
  expect(await catalog.hasBucket('inbox')).toBe(model.buckets.has('inbox'))
  expect(await catalog.applications()).toEqual(model.applications)
  expect(await catalog.routes()).toEqual(model.routes)
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
  expect(new Set(keys.filter((key) => /^[cinorw]/.test(key)))).toEqual(new Set(expected))
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
