import { setImmediate } from 'node:timers/promises'
import { parseEntry } from './catalog-entry.ts'
import { indexKeysOf } from './catalog-index.ts'
import { keyAfter, prefixRange, type Space } from './catalog-keys.ts'
import type { CatalogLevel, StoredPosition } from './catalog-level.ts'
import type { EntryChange } from './facet-counters.ts'
import type { FacetWriter } from './facet-writer.ts'
import { afterChanges, BUILDING, WHOLE } from './index-state.ts'

/*
 * The making of an index (index-state.ts), one page at a time: what a page changes goes into the batch that says, by
 * its position, that it is done.
 */

/** Where the index is, in the order of the keys. */
const SPACES: readonly Space[] = ['f', 'g', 'i', 'o', 'r', 'w']
/** Entries that a page of the building adds, unless so many bytes of them are less; */
export const INDEX_ENTRIES_MAX = 512
const BUILT_BYTES = 1 << 20
/** for each a page of the clearing removes so many keys, which take as long. */
const CLEARED_KEYS = 16
/** Entries after which the event loop has its turn. */
const TURN_ENTRIES = 32

export interface IndexBatch {
  put(key: string, value: string): unknown
  del(key: string): unknown
}

export interface PageParts {
  readonly indexEntriesMax: number
  readonly facets: FacetWriter
  readonly batch: IndexBatch
}

/** What a page changes of a position. */
type Made = Pick<StoredPosition, 'index' | 'overflowing'>

/** Puts the page that comes after a position into the batch. Nobody else writes meanwhile. */
export function makePage(database: CatalogLevel, made: Made, parts: PageParts): Promise<Made> {
  return made.index.phase === 'clearing' ? clearPage(database, made, parts) : buildPage(database, made, parts)
}

async function clearPage(database: CatalogLevel, { index }: Made, parts: PageParts): Promise<Made> {
  const limit = CLEARED_KEYS * parts.indexEntriesMax
  for (const space of SPACES) {
    const range = prefixRange(space)
    if (range.lt <= index.upTo) continue
    const from = index.upTo < range.gte ? range.gte : keyAfter(index.upTo)
    const keys = await database.keys({ gte: from, lt: range.lt, limit }).all()
    for (const [at, key] of keys.entries()) {
      if (at % (CLEARED_KEYS * TURN_ENTRIES) === 0) await setImmediate()
      parts.batch.del(key)
    }
    const last = keys.at(-1)
    if (last !== undefined) return { index: { ...index, upTo: last }, overflowing: 0 }
  }
  return { index: BUILDING, overflowing: 0 }
}

async function buildPage(database: CatalogLevel, made: Made, parts: PageParts): Promise<Made> {
  const { index, overflowing } = made
  const { batch, facets } = parts
  const { page, isLast } = await entriesAfter(database, index.upTo, parts.indexEntriesMax)
  const changes: EntryChange[] = []
  let overflowed = 0
  for (const [at, [, text]] of page.entries()) {
    if (at % TURN_ENTRIES === 0) await setImmediate()
    const after = parseEntry(text)
    for (const key of indexKeysOf(after)) {
      if (key.startsWith('o')) overflowed += 1
      batch.put(key, '')
    }
    changes.push({ before: undefined, after })
  }
  await facets.count(changes, batch)
  const built = isLast ? WHOLE : afterChanges({ ...index, upTo: page.at(-1)?.[0] ?? '' }, changes)
  return { index: built, overflowing: overflowing + overflowed }
}

/** Current entries as stored. */
async function entriesAfter(database: CatalogLevel, key: string, limit: number) {
  const range = prefixRange('c')
  const gte = key === '' ? range.gte : keyAfter(key)
  await using iterator = database.iterator({ gte, lt: range.lt, highWaterMarkBytes: BUILT_BYTES })
  const page = await iterator.nextv(limit)
  return { page, isLast: (await iterator.nextv(1)).length === 0 }
}
