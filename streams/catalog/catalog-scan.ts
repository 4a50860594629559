import type { Iterator } from 'level'
import { StoreError } from '../errors.ts'
import type { KeyRange } from './catalog-keys.ts'
import type { CatalogLevel } from './catalog-level.ts'

/** Keys and values, in order. */
export type Chunk = readonly (readonly [key: string, value: string])[]

export type Snapshot = ReturnType<CatalogLevel['snapshot']>

/** Told how many entries were read from `level`, for tests and metrics. */
export type ReadObserver = (entries: number) => void

export const PAGE_LIMIT_DEFAULT = 1000
export const PAGE_LIMIT_MAX = 10_000
/** A page ends early when its entries as stored have this many characters. */
export const PAGE_CHARACTERS_MAX = 8 << 20
const CHUNK_ENTRIES_MIN = 8
const CHUNK_ENTRIES_MAX = 256
const CHUNK_BYTES_MAX = 1 << 20

/** The number of entries asked for; ERR_INVALID outside 1 to PAGE_LIMIT_MAX. */
export function pageLimit(limit = PAGE_LIMIT_DEFAULT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_LIMIT_MAX) return limit
  throw new StoreError('ERR_INVALID', `a page's limit is a whole number from 1 to ${PAGE_LIMIT_MAX}`)
}

export interface ScanOptions {
  /** From the end of the range to its beginning. */
  readonly reverse?: boolean
  /** Entries of the first chunk. */
  readonly chunkMin?: number
  /** The values are empty: a chunk is as long as was asked for, but for the last one. */
  readonly keysOnly?: boolean
}

/** Reads a range in chunks, which grow as it goes on: a short page costs little, a long one few calls. */
export class Scan {
  readonly #iterator: Iterator<CatalogLevel, string, string>
  readonly #observe: ReadObserver
  readonly #sizeMin: number
  readonly #keysOnly: boolean
  #size: number
  #ended = false

  constructor(
    database: CatalogLevel,
    range: KeyRange,
    snapshot: Snapshot,
    observe: ReadObserver,
    { reverse = false, chunkMin = CHUNK_ENTRIES_MIN, keysOnly = false }: ScanOptions = {},
  ) {
    this.#iterator = database.iterator({ ...range, reverse, snapshot, highWaterMarkBytes: CHUNK_BYTES_MAX })
    this.#observe = observe
    this.#keysOnly = keysOnly
    this.#sizeMin = chunkMin
    this.#size = chunkMin
  }

  /** The next entries; none at the end. */
  async chunk(): Promise<Chunk> {
    if (this.#ended) return []
    const entries = await this.#iterator.nextv(this.#size)
    this.#ended = this.#keysOnly && entries.length < this.#size
    this.#size = Math.max(this.#sizeMin, Math.min(2 * this.#size, CHUNK_ENTRIES_MAX))
    this.#observe(entries.length)
    return entries
  }

  /** Goes on from the first key that is not below `key`. */
  seek(key: string): void {
    this.#iterator.seek(key)
    this.#ended = false
    this.#size = this.#sizeMin
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#iterator.close()
  }
}
