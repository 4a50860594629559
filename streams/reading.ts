import { hasCode, type PayloadRange, type Pool, type Sequence } from '../pool/index.ts'
import { StoreError } from './errors.ts'
import { toStoreError } from './store-errors.ts'
import type { ObjectStat } from './store-port.ts'

/**
 * The bytes of a version, undefined when its payload was let go. What is read once begun stays readable to its end,
 * so the first chunk is read here; whoever iterates no further calls return().
 */
export async function openBody(
  pool: Pool,
  version: Sequence,
  range: PayloadRange,
): Promise<AsyncIterableIterator<Uint8Array> | undefined> {
  const chunks = pool.read(version, 0, range)[Symbol.asyncIterator]()
  try {
    return new Body(chunks, await chunks.next())
  } catch (error) {
    if (hasCode(error, 'ERR_NOT_FOUND')) return undefined
    throw error
  }
}

/** The part of an object that is asked for, within its bytes; ERR_RANGE when it begins beyond the last one. */
export function partOf({ size }: ObjectStat, range: PayloadRange | undefined): PayloadRange {
  if (range === undefined) return { offset: 0, length: size }
  const { offset, length } = range
  if (!isCount(offset) || !isCount(length)) throw new StoreError('ERR_INVALID', 'a range is two whole numbers')
  if (offset >= size) throw new StoreError('ERR_RANGE', `byte ${offset} is beyond the object's ${size} bytes`)
  return { offset, length: Math.min(length, size - offset) }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** Chunks of which the first is here already. An error ends it, in the store's words. */
class Body implements AsyncIterableIterator<Uint8Array> {
  readonly #chunks: AsyncIterator<Uint8Array>
  #first: IteratorResult<Uint8Array> | undefined

  constructor(chunks: AsyncIterator<Uint8Array>, first: IteratorResult<Uint8Array>) {
    this.#chunks = chunks
    this.#first = first
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const first = this.#first
    this.#first = undefined
    if (first) return first
    try {
      return await this.#chunks.next()
    } catch (error) {
      throw toStoreError(error)
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#first = undefined
    await this.#chunks.return?.()
    return { done: true, value: undefined }
  }
}
