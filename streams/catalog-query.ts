import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Sequence } from '../pool/index.ts'
import { parseEntry } from './catalog-entry.ts'
import { type KeyRange, keyAfter, keyIn, lastElement, POSITION_KEY } from './catalog-keys.ts'
import type { CatalogLevel, StoredPosition } from './catalog-level.ts'
import { type Chunk, PAGE_CHARACTERS_MAX, pageLimit, type ReadObserver, Scan, type Snapshot } from './catalog-scan.ts'
import { StoreError } from './errors.ts'
import { parseQuery } from './query.ts'
import { type Condition, conditionsOf, isWithin, leadsFirst, meets, type Path, pathsOf } from './query-plan.ts'
import type { ObjectStat, QueryOptions, QueryResult } from './store-port.ts'

export interface QueryBounds {
  /** Entries looked at for one page; it then ends with a cursor, however few were found. */
  readonly scanMax: number
  readonly observe: ReadObserver
}

/** Where a page ended: on which path (its index among the query's), and after which key. */
interface Cursor {
  readonly path: number
  readonly key: string
}

const CURSOR = /^([0-9a-f]{16})\.(\d{1,2})\.([\w-]+)$/

/** One page of a query's answer, in the order of its path's keys, all of it true at one sequence. */
export async function queryPage(
  database: CatalogLevel,
  text: string,
  options: QueryOptions,
  bounds: QueryBounds,
): Promise<QueryResult> {
  const conditions = conditionsOf(parseQuery(text))
  const paths = pathsOf(conditions)
  const limit = pageLimit(options.limit)
  const cursor = options.cursor === undefined ? undefined : parseCursor(options.cursor, text, paths)
  await using snapshot = database.snapshot()
  const index = cursor?.path ?? (await cheapest(database, paths))
  const path = pathAt(paths, index)
  const page = new QueryPage(path, conditions, limit, bounds.scanMax)
  const ended = await fill(page, rangesAfter(path, cursor?.key), database, snapshot, bounds.observe)
  const sequence = await sequenceAt(database, snapshot)
  return { sequence, objects: page.objects, cursor: ended ? null : formatCursor(text, { path: index, key: page.last }) }
}

class QueryPage {
  readonly path: Path
  readonly objects: ObjectStat[] = []
  /** The last key looked at. */
  last = ''
  readonly #conditions: readonly Condition[]
  readonly #limit: number
  #scanLeft: number
  #characters = 0

  constructor(path: Path, conditions: readonly Condition[], limit: number, scanMax: number) {
    this.path = path
    this.#conditions = conditions
    this.#limit = limit
    this.#scanLeft = scanMax
  }

  /** False, and the key is not looked at, when the page is full or has looked at enough. */
  take(key: string, text: string): boolean {
    if (this.#scanLeft === 0) return false
    const entry = parseEntry(text)
    if (meets(entry, this.#conditions) && leadsFirst(this.path, key, entry)) {
      if (this.objects.length === this.#limit || this.#characters >= PAGE_CHARACTERS_MAX) return false
      this.objects.push(entry.stat)
      this.#characters += text.length
    }
    this.#scanLeft -= 1
    this.last = key
    return true
  }
}

/** True when the ranges ended before the page did. */
async function fill(
  page: QueryPage,
  ranges: readonly KeyRange[],
  database: CatalogLevel,
  snapshot: Snapshot,
  observe: ReadObserver,
): Promise<boolean> {
  for (const range of ranges) {
    await using scan = new Scan(database, range, snapshot, observe)
    for (let chunk = await scan.chunk(); chunk.length > 0; chunk = await scan.chunk()) {
      const texts = await entryTexts(page.path, chunk, database, snapshot)
      for (const [index, [key]] of chunk.entries()) if (!page.take(key, found(texts[index]))) return false
    }
  }
  return true
}

/** The entries, as stored, that a chunk of a path's keys leads to. */
async function entryTexts(
  path: Path,
  chunk: Chunk,
  database: CatalogLevel,
  snapshot: Snapshot,
): Promise<readonly (string | undefined)[]> {
  if (path.attribute === undefined) return chunk.map(([, text]) => text)
  const objects = chunk.map(([key]) => keyIn('n', lastElement(key)))
  const names = await database.getMany(objects, { snapshot })
  return database.getMany(
    names.map((name) => `c${found(name)}`),
    { snapshot },
  )
}

/** The index holds keys of current entries only (catalog-fold.ts). */
function found(value: string | undefined): string {
  if (value === undefined) throw new StoreError('ERR_CORRUPT', 'the index of the catalog leads to no object')
  return value
}

async function sequenceAt(database: CatalogLevel, snapshot: Snapshot): Promise<Sequence> {
  const text = await database.get(POSITION_KEY, { snapshot })
  return text === undefined ? 0 : (JSON.parse(text) as StoredPosition).sequence
}

/** The path with the fewest bytes by LevelDB's estimate, which knows tables only: a small catalog goes by rank. */
async function cheapest(database: CatalogLevel, paths: readonly Path[]): Promise<number> {
  if (paths.length === 1) return 0
  const sizes = await Promise.all(paths.map((path) => bytesOf(database, path)))
  return sizes.indexOf(Math.min(...sizes))
}

async function bytesOf(database: CatalogLevel, path: Path): Promise<number> {
  const sizes = await Promise.all(path.ranges.map(({ gte, lt }) => database.approximateSize(gte, lt)))
  return sizes.reduce((sum, size) => sum + size, 0)
}

function rangesAfter(path: Path, key: string | undefined): readonly KeyRange[] {
  if (key === undefined) return path.ranges
  const at = path.ranges.findIndex((range) => isWithin(range, key))
  return path.ranges.slice(at).map((range, index) => (index === 0 ? { ...range, gte: keyAfter(key) } : range))
}

function formatCursor(text: string, { path, key }: Cursor): string {
  return `${hashOf(text)}.${path}.${Buffer.from(key).toString('base64url')}`
}

function parseCursor(cursor: string, text: string, paths: readonly Path[]): Cursor {
  const [, hash, path = '', key = ''] = CURSOR.exec(cursor) ?? []
  const parsed = { path: Number(path), key: Buffer.from(key, 'base64url').toString() }
  const ranges = paths[parsed.path]?.ranges ?? []
  if (hash === hashOf(text) && ranges.some((range) => isWithin(range, parsed.key))) return parsed
  throw new StoreError('ERR_INVALID', 'the cursor does not belong to this query')
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

function pathAt(paths: readonly Path[], index: number): Path {
  const path = paths[index]
  assert(path !== undefined)
  return path
}
