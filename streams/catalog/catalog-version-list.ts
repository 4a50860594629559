import type { Sequence } from '../../pool/index.ts'
import { StoreError } from '../errors.ts'
import type { ObjectVersion, VersionListing, VersionListOptions } from '../versions/version-port.ts'
import { parseEntry } from './catalog-entry.ts'
import { olderKey, parseHidden, parseOlder } from './catalog-fold-versions.ts'
import {
  compareUtf8,
  decodeTuple,
  type KeyRange,
  keyAfter,
  keyIn,
  parentIn,
  prefixRange,
  sequenceText,
} from './catalog-keys.ts'
import type { CatalogLevel } from './catalog-level.ts'
import type { HiddenHead, ObjectPlace } from './catalog-port.ts'
import { type Chunk, PAGE_CHARACTERS_MAX, pageLimit, type ReadObserver, Scan, type Snapshot } from './catalog-scan.ts'

/** Where a page ended: under which key, in which object, live or hidden, and after which of its versions. */
interface Cursor {
  readonly key: string
  readonly object: string
  /** 0 of one that was live. */
  readonly marker: Sequence
  readonly version: Sequence
}

/**
 * One page of what is kept under a bucket's keys. The current entries and the hidden objects are two ranges in the same
 * order, read side by side; the older versions of each object follow its head. A page reads in proportion to its length.
 */
export async function versionPage(
  database: CatalogLevel,
  bucket: string,
  options: VersionListOptions,
  observe: ReadObserver,
): Promise<VersionListing> {
  const cursor = options.cursor === undefined ? undefined : parseCursor(options.cursor)
  const page = new VersionPage(pageLimit(options.limit))
  await using snapshot = database.snapshot()
  const from = { database, snapshot, observe }
  for await (const place of placesOf(from, bucket, options.prefix ?? '', cursor?.key)) {
    for await (const row of versionsAt(from, place, cursor))
      if (!page.take(row, markerOf(place))) return page.listing(true)
  }
  return page.listing(false)
}

interface Source {
  readonly database: CatalogLevel
  readonly snapshot: Snapshot
  readonly observe: ReadObserver
}

class VersionPage {
  readonly #limit: number
  readonly #versions: ObjectVersion[] = []
  #characters = 0
  #marker: Sequence = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** False, and it is not taken, when the page is full. `marker` is what its object is under, 0 for a live one. */
  take(version: ObjectVersion, marker: Sequence): boolean {
    if (this.#versions.length === this.#limit || this.#characters >= PAGE_CHARACTERS_MAX) return false
    this.#versions.push(version)
    this.#characters += JSON.stringify(version).length
    this.#marker = marker
    return true
  }

  listing(more: boolean): VersionListing {
    const last = this.#versions.at(-1)
    return { versions: this.#versions, ...(more && last && { next: formatCursor(last, this.#marker) }) }
  }
}

/** Every object of which something is kept, from a key on: by key, the live one of each first. */
async function* placesOf(source: Source, bucket: string, prefix: string, from?: string): AsyncGenerator<ObjectPlace> {
  await using live = new Entries(source, rangeOf('c', bucket, prefix, from))
  await using hidden = new Entries(source, rangeOf('d', bucket, prefix, from))
  for (;;) {
    const one = await live.peek()
    const other = await hidden.peek()
    if (one !== undefined && (other === undefined || isFirst(one[0], other[0]))) {
      live.pass()
      yield { state: 'live', head: parseEntry(one[1]) }
    } else if (other !== undefined) {
      hidden.pass()
      yield { state: 'hidden', head: await hiddenHead(source, other[1]) }
    } else return
  }
}

/** The versions of an object that no page before had, the newest first. */
async function* versionsAt(source: Source, place: ObjectPlace, cursor?: Cursor): AsyncGenerator<ObjectVersion> {
  const top = topOf(place)
  if (cursor && isPassed(place, cursor)) return
  const after = cursor?.object === top.object ? cursor.version : undefined
  if (after === undefined || top.sequence < after) yield top
  if (!place.head.older) return
  const { object, bucket, key } = top
  await using older = new Entries(source, olderRange(object, after))
  for (let entry = await older.peek(); entry !== undefined; entry = await older.peek()) {
    older.pass()
    const { stat, since } = parseOlder(entry[1])
    yield { ...stat, bucket, key, state: 'noncurrent', since }
  }
}

/** Whether an object under the cursor's key comes before the cursor's. */
function isPassed(place: ObjectPlace, { key, object, marker }: Cursor): boolean {
  const { head } = place
  const top = topOf(place)
  if (top.key !== key || top.object === object || marker === 0) return false
  return 'marker' in head ? head.marker > marker : true
}

function topOf({ state, head }: ObjectPlace): ObjectVersion {
  if (state === 'live') return { ...head.stat, state: 'current' }
  const { object, bucket, key, marker, time, older } = head
  const version = sequenceText(marker)
  return { state: 'marker', object, bucket, key, version, sequence: marker, time, hides: older?.count ?? 0 }
}

function markerOf({ state, head }: ObjectPlace): Sequence {
  return state === 'live' ? 0 : head.marker
}

/** Entries of a range one by one; the next one may be looked at before it is passed. */
class Entries {
  readonly #scan: Scan
  #chunk: Chunk = []
  #at = 0

  constructor({ database, snapshot, observe }: Source, range: KeyRange) {
    this.#scan = new Scan(database, range, snapshot, observe)
  }

  async peek(): Promise<Chunk[number] | undefined> {
    if (this.#at === this.#chunk.length) {
      this.#chunk = await this.#scan.chunk()
      this.#at = 0
    }
    return this.#chunk[this.#at]
  }

  pass(): void {
    this.#at += 1
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scan[Symbol.asyncDispose]()
  }
}

function rangeOf(space: 'c' | 'd', bucket: string, prefix: string, from: string | undefined): KeyRange {
  const range = prefixRange(keyIn(space, bucket, prefix))
  const start = from === undefined ? range.gte : keyIn(space, bucket, from)
  return compareUtf8(start, range.gte) > 0 ? { ...range, gte: start } : range
}

function olderRange(object: string, after: Sequence | undefined): KeyRange {
  const range = prefixRange(parentIn('v', object))
  return after === undefined ? range : { ...range, gte: keyAfter(olderKey(object, after)) }
}

/** Keys in the spaces of current entries and of hidden objects begin with bucket and key alike. */
function isFirst(live: string, hidden: string): boolean {
  const name = (key: string) => keyIn('c', ...decodeTuple(key.slice(1)).slice(0, 2))
  return compareUtf8(name(live), name(hidden)) <= 0
}

async function hiddenHead({ database, snapshot }: Source, object: string): Promise<HiddenHead> {
  const text = await database.get(keyIn('h', object), { snapshot })
  if (text === undefined) throw new StoreError('ERR_CORRUPT', 'the catalog lists a hidden object that it does not have')
  return parseHidden(text)
}

function formatCursor({ key, object, sequence }: ObjectVersion, marker: Sequence): string {
  return Buffer.from(JSON.stringify([key, object, marker, sequence])).toString('base64url')
}

function parseCursor(text: string): Cursor {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    const [key, object, marker, version] = Array.isArray(parsed) ? parsed : []
    const isOurs = typeof key === 'string' && typeof object === 'string'
    if (isOurs && Number.isSafeInteger(marker) && Number.isSafeInteger(version)) return { key, object, marker, version }
  } catch {
    // Told below.
  }
  throw new StoreError('ERR_INVALID', 'the cursor is none of this list')
}
