import type { Listing, ListOptions, ObjectStat } from '../store-port.ts'
import { parseEntry } from './catalog-entry.ts'
import { compareUtf8, type KeyRange, keyAfter, keyIn, lastElement, prefixEnd, prefixRange } from './catalog-keys.ts'
import type { CatalogLevel } from './catalog-level.ts'
import { PAGE_CHARACTERS_MAX, pageLimit, type ReadObserver, Scan } from './catalog-scan.ts'

/**
 * One page of a bucket's keys, in the order of their UTF-8 bytes. Keys that share a prefix up to the delimiter are
 * one entry, and are skipped with one seek: a page reads in proportion to its own length, whatever lies under them.
 */
export async function listPage(
  database: CatalogLevel,
  bucket: string,
  options: ListOptions,
  observe: ReadObserver,
): Promise<Listing> {
  const page = new ListPage(bucket, options)
  await using snapshot = database.snapshot()
  await using scan = new Scan(database, page.range, snapshot, observe)
  for (let chunk = await scan.chunk(); chunk.length > 0; chunk = await scan.chunk()) {
    for (const [key, text] of chunk) if (!page.take(key, text)) return page.listing(true)
    const [lastKey = ''] = chunk[chunk.length - 1] ?? []
    const next = page.pastCover(lastKey)
    if (next !== undefined) scan.seek(next)
  }
  return page.listing(false)
}

class ListPage {
  readonly range: KeyRange
  readonly #bucket: string
  readonly #prefix: string
  readonly #delimiter: string
  readonly #limit: number
  readonly #objects: ObjectStat[] = []
  readonly #prefixes: string[] = []
  #characters = 0
  /** The last key or common prefix taken: where the next page goes on. */
  #last = ''
  /** The beginning of the keys that the last common prefix stands for. */
  #cover: string | undefined

  constructor(bucket: string, { prefix = '', after, delimiter = '', limit }: ListOptions) {
    this.#bucket = bucket
    this.#prefix = prefix
    this.#delimiter = delimiter
    this.#limit = pageLimit(limit)
    const range = prefixRange(keyIn('c', bucket, prefix))
    const start = after === undefined ? range.gte : this.#startAfter(after)
    this.range = compareUtf8(start, range.gte) > 0 ? { ...range, gte: start } : range
  }

  /** False, and the entry is not taken, when the page is full. */
  take(levelKey: string, text: string): boolean {
    if (this.pastCover(levelKey) !== undefined) return true
    if (this.#objects.length + this.#prefixes.length === this.#limit) return false
    if (this.#characters >= PAGE_CHARACTERS_MAX) return false
    const key = lastElement(levelKey)
    const common = this.#commonPrefix(key)
    this.#last = common ?? key
    if (common === undefined) {
      this.#objects.push(parseEntry(text).stat)
      this.#characters += text.length
    } else {
      this.#prefixes.push(common)
      this.#cover = keyIn('c', this.#bucket, common)
    }
    return true
  }

  /** The first key that the last common prefix does not stand for; undefined when it does not stand for `levelKey`. */
  pastCover(levelKey: string): string | undefined {
    return this.#cover !== undefined && levelKey.startsWith(this.#cover) ? prefixEnd(this.#cover) : undefined
  }

  listing(more: boolean): Listing {
    const page = { objects: this.#objects, prefixes: this.#prefixes }
    return more ? { ...page, next: this.#last } : page
  }

  /** Past a common prefix, past all that it stands for: it was on the page before. */
  #startAfter(after: string): string {
    const key = keyIn('c', this.#bucket, after)
    return this.#commonPrefix(after) === after ? prefixEnd(key) : keyAfter(key)
  }

  #commonPrefix(key: string): string | undefined {
    if (this.#delimiter === '' || !key.startsWith(this.#prefix)) return undefined
    const at = key.indexOf(this.#delimiter, this.#prefix.length)
    return at === -1 ? undefined : key.slice(0, at + this.#delimiter.length)
  }
}
