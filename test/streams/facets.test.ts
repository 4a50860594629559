import fc from 'fast-check'
import { Level } from 'level'
import { describe, expect, test } from 'vitest'
import { FACET_VALUES_MAX, FACETS_MAX } from '../../streams/catalog/catalog-facets.ts'
import { type Catalog, type CatalogOptions, type Facet, openCatalog } from '../../streams/index.ts'
import { parseQuery } from '../../streams/query/query-parser.ts'
import { change, query, record } from './catalog-arbitraries.ts'
import { CatalogModel, modelValues } from './catalog-model.ts'
import { folded, foldRest, newDirectory, open, readCounter } from './catalog-support.ts'

/** Values longer than the index has are counted by their beginnings. */
function shown(value: unknown): unknown {
  if (typeof value !== 'string') return value
  return /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value).toISOString() : value.slice(0, 252)
}

function countsOf(model: CatalogModel, text: string, name: string): ReadonlyMap<unknown, number> {
  const counts = new Map<unknown, number>()
  for (const entry of model.found(parseQuery(text)))
    for (const value of new Set(modelValues(entry, name).map(shown))) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

function expectSame(facet: Facet, counts: ReadonlyMap<unknown, number>): void {
  expect(new Map(facet.values.map(({ value, count }) => [value, count]))).toEqual(counts)
  expect(facet.distinct).toBe(counts.size)
  const order = facet.values.map(({ count }) => count)
  expect(order).toEqual(order.toSorted((one, other) => other - one))
}

/** The counters as stored. */
async function countersIn(directory: string): Promise<readonly [string, string][]> {
  const level = new Level(directory)
  const entries = await level.iterator({ gte: 'f', lt: 'h' }).all()
  await level.close()
  return entries
}

async function counters(
  model: CatalogModel,
  options: Partial<CatalogOptions>,
  cut: number,
): Promise<readonly [string, string][]> {
  const directory = await newDirectory()
  let catalog = await openCatalog({ directory, ...options })
  catalog.apply(model.records.slice(0, cut), 1)
  await catalog.close()
  catalog = await openCatalog({ directory, ...options })
  await foldRest(catalog, model)
  await catalog.close()
  return countersIn(directory)
}

const NAMES = [
  'color',
  'n',
  'when',
  'to',
  'flag',
  'email.to',
  'email.subject',
  'protocol',
  'object.bucket',
  'object.key',
]

test('facets are what a count gives, after any history', async () => {
  const scenario = fc.record({
    changes: fc.array(change, { minLength: 1, maxLength: 60, size: 'max' }),
    options: fc.record({
      batchRecordsMax: fc.constantFrom(1, 3, 256),
      facetCountersMax: fc.constantFrom(2, 6, 10_000),
    }),
    asked: fc.array(fc.oneof(fc.constantFrom('', 'object.bucket:inbox', 'object.bucket IN (inbox, outbox)'), query), {
      minLength: 6,
      maxLength: 6,
    }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ changes, options, asked }) => {
      const model = new CatalogModel()
      for (const made of changes) record(model, made)
      const catalog = await openCatalog({ directory: await newDirectory(), ...options })
      try {
        await foldRest(catalog, model)
        for (const text of asked) {
          const { sequence, facets } = await catalog.facets(text, { names: NAMES, values: 1000 })
          expect(sequence).toBe(model.sequence)
          for (const facet of facets) {
            expect(facet.complete).toBe(true)
            expectSame(facet, countsOf(model, text, facet.name))
          }
        }
      } finally {
        await catalog.close()
      }
    }),
    { numRuns: 15, endOnFailure: true },
  )
})

test('the same records leave the same counters, whatever the batches', async () => {
  const scenario = fc.tuple(
    fc.array(change, { minLength: 10, maxLength: 60, size: 'max' }),
    fc.constantFrom(2, 5, 100),
    fc.nat(40),
  )
  await fc.assert(
    fc.asyncProperty(scenario, async ([changes, facetCountersMax, cut]) => {
      const model = new CatalogModel()
      for (const made of changes) record(model, made)
      const one = await counters(model, { batchRecordsMax: 1, facetCountersMax }, 0)
      expect(await counters(model, { batchRecordsMax: 256, facetCountersMax }, 0)).toEqual(one)
      expect(await counters(model, { batchRecordsMax: 7, facetCountersMax }, cut)).toEqual(one)
      const forgetful = { batchRecordsMax: 2, facetCountersMax, facetCountersKeptMax: 3 }
      expect(await counters(model, forgetful, cut)).toEqual(one)
    }),
    { numRuns: 8, endOnFailure: true },
  )
})

describe('a facet', () => {
  async function catalogOf(objects: number, options: Partial<CatalogOptions> = {}): Promise<Catalog> {
    const model = new CatalogModel()
    for (let index = 0; index < objects; index += 1)
      model.put(index % 10 === 0 ? 'outbox' : 'inbox', `${index}`, { tenth: index % 10, own: `${index}`, all: 'x' })
    return folded(model, options)
  }

  test('of everything, or of a bucket, is read in proportion to its values', async () => {
    const reads = readCounter()
    const catalog = await catalogOf(2000, { onRead: (entries) => reads.onRead(entries) })
    reads.count = 0
    const { facets } = await catalog.facets('', { names: ['tenth', 'all'], values: 3 })
    expect(facets).toEqual([
      {
        name: 'tenth',
        distinct: 10,
        counted: true,
        complete: true,
        values: [0, 1, 2].map((value) => ({ value, count: 200 })),
      },
      { name: 'all', distinct: 1, counted: true, complete: true, values: [{ value: 'x', count: 2000 }] },
    ])
    const bucket = await catalog.facets('object.bucket:outbox', { names: ['all'] })
    expect(bucket.facets).toMatchObject([{ counted: true, values: [{ value: 'x', count: 200 }] }])
    expect(reads.count).toBeLessThanOrEqual(14)
  })

  test('of an attribute with more values than are counted is counted by looking, as far as it may', async () => {
    const catalog = await catalogOf(100, { facetCountersMax: 50, queryScanMax: 60 })
    const { facets } = await catalog.facets('', { names: ['own', 'tenth', 'object.key'] })
    expect(facets).toMatchObject([
      { name: 'own', counted: false, complete: false },
      { name: 'tenth', counted: true, complete: true, distinct: 10 },
      { name: 'object.key', counted: false, complete: false },
    ])
    const some = await catalog.facets('tenth:3', { names: ['own'] })
    expect(some.facets).toMatchObject([{ counted: false, complete: true, distinct: 10 }])
  })

  test('is refused beyond its bounds', async () => {
    const catalog = await open()
    const names = Array.from({ length: FACETS_MAX }, (_, index) => `a${index}`)
    expect((await catalog.facets('', { names, values: FACET_VALUES_MAX })).facets).toHaveLength(FACETS_MAX)
    const refused = { code: 'ERR_INVALID' }
    await expect(catalog.facets('', { names: [...names, 'b'] })).rejects.toMatchObject(refused)
    for (const values of [0, 1.5, FACET_VALUES_MAX + 1])
      await expect(catalog.facets('', { names, values })).rejects.toMatchObject(refused)
    await expect(catalog.facets('', { names: [] })).rejects.toMatchObject(refused)
    await expect(catalog.facets('a', { names })).rejects.toMatchObject(refused)
  })
})
