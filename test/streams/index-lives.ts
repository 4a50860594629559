import { cp, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Level } from 'level'
import { expect } from 'vitest'
import { parseEntry } from '../../streams/catalog/catalog-entry.ts'
import { INDEXED_ELEMENTS_MAX, indexKeysOf } from '../../streams/catalog/catalog-index.ts'
import { type Catalog, type CatalogOptions, openCatalog } from '../../streams/index.ts'
import { parseQuery } from '../../streams/query/query-parser.ts'
import { bucket, type Change, change, query, record } from './catalog-arbitraries.ts'
import { CatalogModel, modelValues } from './catalog-model.ts'
import { foldRest } from './catalog-support.ts'

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
async function countersOf(directory: string, model: CatalogModel, options: Partial<CatalogOptions>) {
  const catalog = await openCatalog({ directory, ...options })
  catalog.apply(model.records, 1)
  await catalog.settled(model.sequence)
  await catalog.close()
  return (await stored(directory)).counters
}

/** `other` is for a catalog beside it. */
async function expectRight(directory: string, other: string, model: CatalogModel, options: Partial<CatalogOptions>) {
  const { keys, expected, counters, counts, expectedCounts } = await stored(directory)
  expect(keys).toEqual(expected)
  expect(counts).toEqual(expectedCounts)
  expect(counters).toEqual(await countersOf(other, model, options))
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
async function imageOf(directory: string, image: string): Promise<string | undefined> {
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
  readonly #root: string
  readonly #options: Partial<CatalogOptions>

  /** `root` is gone with it. */
  constructor(root: string, options: Partial<CatalogOptions>) {
    this.#root = root
    this.#options = options
  }

  newDirectory(): Promise<string> {
    return mkdtemp(join(this.#root, 'catalog-'))
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
    while (image === undefined) image = await imageOf(this.directory, await this.newDirectory())
    for (const name of (await readdir(image)).filter((file) => file.endsWith('.log'))) {
      const log = join(image, name)
      await truncate(log, Math.floor(left * (await stat(log)).size))
    }
    await this.catalog.close()
    await this.open(image)
  }
}

const life = fc.record({
  names,
  steps: fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }),
  indexEntriesMax: fc.constantFrom(1, 2, 5),
  batchRecordsMax: fc.constantFrom(1, 3, 256),
})

/** Plays lives, as many as the parameters say; how many there were. */
export async function playIndexLives(parameters: fc.Parameters<[unknown]>): Promise<number> {
  let lives = 0
  const played = fc.asyncProperty(life, async ({ names, steps, ...options }) => {
    const root = await mkdtemp(join(tmpdir(), 'cenote-lives-'))
    const played = new Life(root, options)
    names.forEach(({ bucket, key }, at) => {
      const attributes = { color: `c${at % 3}`, n: at, 'email.subject': `Red march ${at}` }
      played.model.put(bucket, key, at % 4 === 0 ? { ...attributes, many: OVERFLOWING } : attributes, at)
    })
    await played.open(await played.newDirectory())
    try {
      await played.catalog.reindex()
      for (const made of steps) await played.take(made)
      await played.catalog.makeIndex()
      await played.catalog.indexed()
      await expectAnswer(played.catalog, played.model, 'color:*')
    } finally {
      await played.catalog.close()
    }
    await expectRight(played.directory, await played.newDirectory(), played.model, options)
    await rm(root, { recursive: true })
    lives += 1
  })
  await fc.assert(played, { ...(parameters as object), endOnFailure: true })
  return lives
}
