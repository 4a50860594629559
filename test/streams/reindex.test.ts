import { access, cp, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { Level } from 'level'
import { describe, expect, test, vi } from 'vitest'
import { parseEntry } from '../../streams/catalog/catalog-entry.ts'
import { INDEXED_ELEMENTS_MAX, indexKeysOf } from '../../streams/catalog/catalog-index.ts'
import { type Catalog, type CatalogOptions, openCatalog } from '../../streams/index.ts'
import { parseQuery } from '../../streams/query/query-parser.ts'
import { bucket, type Change, change, query, record } from './catalog-arbitraries.ts'
import { CatalogModel, modelValues } from './catalog-model.ts'
import { foldRest, newDirectory, open } from './catalog-support.ts'

/*
 * The index made anew beside random changes: each at any page of it, with ends of the process between them. At its end
 * it is what the current entries say, and nothing else; and all along every answer is right.
 */
const OVERFLOWING = Array.from({ length: INDEXED_ELEMENTS_MAX + 1 }, (_, at) => `element ${at}`)
const NAMES = ['color', 'n', 'to', 'flag', 'protocol', 'object.bucket', 'email.subject']

/** The keys of the index, its counters, and the counts of the position, as the current entries say and as they are. */
async function stored(directory: string) {
  const level = new Level(directory)
  try {
    const entries = (await level.values({ gte: 'c', lt: 'd' }).all()).map(parseEntry)
    const spaces = ['i', 'o', 'r', 'w']
    const keys = (await level.keys({ gte: 'i', lt: 'x' }).all()).filter((key) => spaces.includes(key[0]!))
    const counters = await level.iterator({ gte: 'f', lt: 'h' }).all()
    const position = JSON.parse((await level.get('p')) ?? '')
    const expected = [...new Set(entries.flatMap(indexKeysOf))]
    return {
      keys: keys.toSorted(),
      expected: expected.toSorted(),
      counters,
      counts: [position.objects, position.overflowing, position.index.phase],
      expectedCounts: [entries.length, expected.filter((key) => key.startsWith('o')).length, 'whole'],
    }
  } finally {
    await level.close()
  }
}

/** Of an index that was never made anew. */
async function countersOf(model: CatalogModel, options: Partial<CatalogOptions>) {
  const directory = await newDirectory()
  const catalog = await openCatalog({ directory, ...options })
  catalog.apply(model.records, 1)
  await catalog.settled(model.sequence)
  await catalog.close()
  return (await stored(directory)).counters
}

async function expectRight(directory: string, model: CatalogModel, options: Partial<CatalogOptions>) {
  const { keys, expected, counters, counts, expectedCounts } = await stored(directory)
  expect(keys).toEqual(expected)
  expect(counts).toEqual(expectedCounts)
  expect(counters).toEqual(await countersOf(model, options))
}

/** Gives the index another format, as if by another version of the program. */
async function age(directory: string): Promise<void> {
  const level = new Level(directory)
  const position = JSON.parse((await level.get('p')) ?? '')
  await level.put('p', JSON.stringify({ ...position, index: { ...position.index, format: 0 } }))
  for (const strange of ['ix', 'ffx', 'wx', 'oyy', 'gx', 'rx']) await level.put(strange, 'of another format')
  await level.close()
}

async function expectAnswer(catalog: Catalog, model: CatalogModel, text: string): Promise<void> {
  const { objects } = await catalog.query(text, {})
  expect(objects.map(({ version }) => version).toSorted()).toEqual(model.query(parseQuery(text)))
  const { facets } = await catalog.facets('', { names: NAMES, values: 1000 })
  for (const { name, values, complete } of facets) {
    const counts = new Map<unknown, number>()
    for (const entry of model.entries.values())
      for (const value of new Set(modelValues(entry, name).map(shown))) counts.set(value, (counts.get(value) ?? 0) + 1)
    expect(complete).toBe(true)
    expect(new Map(values.map(({ value, count }) => [value, count]))).toEqual(counts)
  }
}

function shown(value: unknown): unknown {
  if (typeof value !== 'string') return value
  return /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value).toISOString() : value.slice(0, 252)
}

type Step =
  | { readonly kind: 'changes'; readonly changes: readonly Change[] }
  | { readonly kind: 'ask'; readonly text: string }
  | { readonly kind: 'reindex' | 'close' | 'age' }
  /** As much of the log is left. */
  | { readonly kind: 'kill'; readonly left: number }

const key = fc.tuple(fc.constantFrom('a/', 'b/', '', '\u{10000}'), fc.nat(12)).map(([folder, n]) => `${folder}${n}`)
const names = fc.uniqueArray(fc.record({ bucket, key }), {
  minLength: 10,
  maxLength: 40,
  size: 'max',
  selector: ({ bucket, key }) => `${bucket}/${key}`,
})
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('changes' as const), changes: fc.array(change, { maxLength: 4 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ask' as const), text: query }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('reindex' as const, 'close' as const, 'age' as const) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('kill' as const), left: fc.constantFrom(1, 1, 0.97, 0.8, 0.3, 0) }),
  },
)

/** A copy of files that are being written; undefined when tables came or went meanwhile, as at no one moment. */
async function imageOf(directory: string): Promise<string | undefined> {
  const image = await newDirectory()
  const files = async () => String((await readdir(directory)).toSorted())
  const before = await files()
  const copied = cp(directory, image, { recursive: true, filter: (file) => !file.endsWith('LOCK') })
  const isWhole = await copied.then(
    () => true,
    () => false,
  )
  return isWhole && (await files()) === before ? image : undefined
}

/** A life of a catalog: each step of it comes wherever the making of the index then is. */
class Life {
  directory = ''
  catalog!: Catalog
  readonly model = new CatalogModel()
  readonly #options: Partial<CatalogOptions>

  constructor(options: Partial<CatalogOptions>) {
    this.#options = options
  }

  async open(directory: string): Promise<void> {
    this.directory = directory
    const onDamaged = (reason: string) => expect.unreachable(reason)
    this.catalog = await openCatalog({ directory, onDamaged, ...this.#options })
    await foldRest(this.catalog, this.model)
    await this.catalog.makeIndex()
  }

  async take(made: Step): Promise<void> {
    if (made.kind === 'ask') await expectAnswer(this.catalog, this.model, made.text)
    if (made.kind === 'reindex') await this.catalog.reindex()
    if (made.kind === 'changes') {
      for (const change of made.changes) record(this.model, change)
      await foldRest(this.catalog, this.model)
    }
    if (made.kind === 'close' || made.kind === 'age') {
      await this.catalog.close()
      if (made.kind === 'age') await age(this.directory)
      await this.open(this.directory)
    }
    if (made.kind === 'kill') await this.#kill(made.left)
  }

  /** Goes on with the files as they are while a page is on its way, but for an end of the log that is lost. */
  async #kill(left: number): Promise<void> {
    let image: string | undefined
    while (image === undefined) image = await imageOf(this.directory)
    for (const name of (await readdir(image)).filter((file) => file.endsWith('.log'))) {
      const log = join(image, name)
      await truncate(log, Math.floor(left * (await stat(log)).size))
    }
    await this.catalog.close()
    await this.open(image)
  }
}

test('an index made anew is what the entries say, whatever happens meanwhile', async () => {
  const scenario = fc.record({
    names,
    steps: fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }),
    indexEntriesMax: fc.constantFrom(1, 2, 5),
    batchRecordsMax: fc.constantFrom(1, 3, 256),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ names, steps, ...options }) => {
      const life = new Life(options)
      names.forEach(({ bucket, key }, at) => {
        const attributes = { color: `c${at % 3}`, n: at, 'email.subject': `Red march ${at}` }
        life.model.put(bucket, key, at % 4 === 0 ? { ...attributes, many: OVERFLOWING } : attributes, at)
      })
      await life.open(await newDirectory())
      try {
        await life.catalog.reindex()
        for (const made of steps) await life.take(made)
        await life.catalog.makeIndex()
        await life.catalog.indexed()
        await expectAnswer(life.catalog, life.model, 'color:*')
      } finally {
        await life.catalog.close()
      }
      await expectRight(life.directory, life.model, options)
    }),
    { numRuns: 12, endOnFailure: true },
  )
})

describe('before the index is whole', () => {
  /** Objects of which none is in the index, which nobody has begun to make. */
  async function unindexed(options: Partial<CatalogOptions> = {}) {
    const model = new CatalogModel()
    for (let n = 0; n < 40; n += 1) model.put(n < 4 ? 'outbox' : 'inbox', `key-${n}`, { color: `c${n % 2}`, n }, n)
    const catalog = await open(options)
    await catalog.clear('pool')
    await foldRest(catalog, model)
    return { model, catalog }
  }
  const BUSY = { code: 'ERR_BUSY', message: expect.stringContaining('the index is being made anew (0 % is there)') }
  const whole = async (catalog: Catalog) => {
    await catalog.makeIndex()
    await catalog.indexed()
  }

  test('queries are scans, and say so', async () => {
    const { catalog } = await unindexed({ indexEntriesMax: 10 })
    expect(catalog.index).toEqual({ phase: 'building', built: 0, objects: 40 })
    const plan = { index: catalog.index, isScan: true, legs: [{ reads: 'every current object' }] }
    expect(await catalog.explain('n:7', {})).toMatchObject(plan)
    expect(await catalog.explain('n:7', { sort: 'color' })).toMatchObject({ ...plan, sorting: 'gather' })
    const within = await catalog.explain('object.bucket:outbox AND n:3', {})
    expect(within).toMatchObject({ isScan: false, legs: [{ reads: 'the current objects of a bucket' }] })
    const { facets } = await catalog.facets('', { names: ['color'] })
    expect(facets).toMatchObject([{ counted: false, complete: true, values: [{ count: 20 }, { count: 20 }] }])
    await whole(catalog)
    expect(await catalog.explain('n:7', {})).toMatchObject({ index: { phase: 'whole', built: 40 }, isScan: false })
    expect((await catalog.facets('', { names: ['color'] })).facets).toMatchObject([{ counted: true }])
  })

  test('an answer is sorted as far as it can be gathered, and refused beyond', async () => {
    const { catalog } = await unindexed({ querySortMax: 39 })
    await expect(catalog.query('', { sort: '-n' })).rejects.toMatchObject(BUSY)
    const { objects } = await catalog.query('object.bucket:outbox', { sort: '-n' })
    expect(objects.map(({ attributes }) => attributes.n)).toEqual([3, 2, 1, 0])
    await whole(catalog)
    expect((await catalog.query('', { sort: '-n' })).objects).toHaveLength(40)
  })

  test('a cursor that needs the index waits for it, and one that does not goes on without', async () => {
    const { catalog } = await unindexed()
    const text = 'object.bucket:inbox AND color:c1'
    const scanned = await catalog.query(text, { limit: 10 })
    await whole(catalog)
    const indexed = await catalog.query(text, { limit: 10 })
    const rest = await catalog.query(text, { cursor: scanned.cursor! })
    const versions = [...scanned.objects, ...rest.objects].map(({ version }) => version)
    expect(new Set(versions).size).toBe(18)
    expect(versions).toHaveLength(18)

    await catalog.reindex()
    expect(catalog.index.phase).not.toBe('whole')
    await expect(catalog.query(text, { cursor: indexed.cursor! })).rejects.toMatchObject({ code: 'ERR_BUSY' })
    await catalog.indexed()
    expect((await catalog.query(text, { cursor: indexed.cursor! })).objects).toHaveLength(8)
  })

  test('each page adds as many entries as it may, and is told', async () => {
    const steps: unknown[] = []
    const { catalog } = await unindexed({ indexEntriesMax: 15, onIndexed: ({ built }) => steps.push(built) })
    await whole(catalog)
    expect(steps).toEqual([15, 30, 40])
    await catalog.makeIndex()
    expect(steps).toHaveLength(3)
  })

  test('damage that it meets ends it, and is remembered by the next open', async () => {
    const directory = await newDirectory()
    const { catalog } = await unindexed({ directory })
    await catalog.close()
    const level = new Level(directory)
    for (const [key] of (await level.iterator({ gte: 'c', lt: 'd' }).all()).slice(-1)) await level.put(key, 'no entry')
    await level.close()
    const again = await open({ directory, indexEntriesMax: 15 })
    await again.makeIndex()
    const damage = { code: 'ERR_CORRUPT', message: 'an entry of the catalog is damaged' }
    await vi.waitFor(() => access(join(directory, 'DAMAGED')))
    expect(again.failure).toMatchObject(damage)
    await again.close()
    const reasons: string[] = []
    const third = await open({ directory, onDamaged: (reason) => reasons.push(reason) })
    expect([reasons, third.position.sequence]).toEqual([['it was found damaged before'], 0])
  })

  test('a catalog that is closed makes no more of it, and the next goes on', async () => {
    const directory = await newDirectory()
    const { catalog } = await unindexed({ directory, indexEntriesMax: 1 })
    await catalog.makeIndex()
    await catalog.close()
    await expect(catalog.makeIndex()).rejects.toMatchObject({ code: 'ERR_HALTED' })
    await expect(catalog.indexed()).rejects.toMatchObject({ code: 'ERR_HALTED' })
    const again = await open({ directory, onDamaged: () => expect.unreachable() })
    expect(again.index.phase).toBe('building')
    expect(again.index.built).toBeGreaterThan(0)
    await whole(again)
    expect(await again.explain('n:7', {})).toMatchObject({ isScan: false, entries: 1 })
  })
})
