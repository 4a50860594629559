import assert from 'node:assert/strict'
import { isVolumeRecord, type Pool, type Sequence } from '../../pool/index.ts'
import type { DurableRecord } from '../catalog/catalog-port.ts'
import type { AttributeRecord, Coverage } from '../records/record.ts'
import { decodeRecord, digestOf } from '../records/record-codec.ts'
import { MerkleTree } from './merkle.ts'

/**
 * What the server writes because something else was written: it is covered, and no reason for a checkpoint, or the
 * checkpoint would be a reason for the next one of its kind.
 */
export const HOUSEKEEPING: ReadonlySet<AttributeRecord['operation']> = new Set(['checkpoint', 'delivery'])

interface Held {
  readonly sequence: Sequence
  readonly digest: string
  readonly isContent: boolean
}

/**
 * The durable records that no checkpoint covers yet, in order: the first `heldMax` of them are held, by their digests,
 * and those that follow are read again when their turn comes.
 *
 *   CURRENT ──more come than are held──▶ BEHIND ──all read again──▶ CURRENT
 */
export class Uncovered {
  readonly #pool: Pick<Pool, 'replay'>
  readonly #heldMax: number
  readonly #held: Held[] = []
  #isBehind: boolean
  /** The last record taken or passed over, and the last one that is known to be durable. */
  #taken: Sequence
  #durable: Sequence
  #source: AsyncIterator<{ readonly sequence: Sequence; readonly content: Uint8Array }> | undefined

  /** `covered` is the last record that is covered, `durable` the last one of the store. */
  constructor(pool: Pick<Pool, 'replay'>, heldMax: number, covered: Sequence, durable: Sequence) {
    this.#pool = pool
    this.#heldMax = heldMax
    this.#taken = covered
    this.#durable = durable
    this.#isBehind = covered < durable
  }

  /** Records held. */
  get size(): number {
    return this.#held.length
  }

  /** True when there is more to cover than housekeeping. */
  get hasContent(): boolean {
    return this.#isBehind || this.#held.some(({ isContent }) => isContent)
  }

  /** Takes what has become durable, in order. */
  add(records: readonly DurableRecord[]): void {
    for (const { record, digest } of records) {
      const { sequence, operation } = record
      this.#durable = sequence
      if (this.#held.length >= this.#heldMax) this.#isBehind = true
      if (!this.#isBehind && sequence > this.#taken) this.#hold(sequence, digest, !HOUSEKEEPING.has(operation))
    }
  }

  /** Reads on until `records` are held, or all there are. */
  async fill(records: number): Promise<void> {
    assert(records <= this.#heldMax)
    while (this.#isBehind && this.#held.length < records) {
      this.#source ??= this.#pool.replay(this.#taken + 1)[Symbol.asyncIterator]()
      const { done, value } = await this.#source.next()
      if (!done) this.#take(value.sequence, value.content)
      else {
        this.#source = undefined
        this.#isBehind = this.#taken < this.#durable
      }
    }
  }

  /** What a checkpoint of the first `records` covers; undefined when none is held. */
  coverage(records: number): Coverage | undefined {
    const covered = this.#held.slice(0, records)
    const [first, last] = [covered[0], covered.at(-1)]
    if (first === undefined || last === undefined) return undefined
    const { root } = new MerkleTree(covered.map(({ digest }) => digest))
    return { first: first.sequence, last: last.sequence, records: covered.length, digest: last.digest, root }
  }

  /** How many of the first `records` are no housekeeping. */
  contentIn(records: number): number {
    return this.#held.slice(0, records).filter(({ isContent }) => isContent).length
  }

  /** A checkpoint covers the records up to `sequence`. */
  drop(sequence: Sequence): void {
    const left = this.#held.findIndex((held) => held.sequence > sequence)
    this.#held.splice(0, left < 0 ? this.#held.length : left)
  }

  async close(): Promise<void> {
    await this.#source?.return?.()
  }

  #take(sequence: Sequence, content: Uint8Array): void {
    if (isVolumeRecord(content)) this.#taken = sequence
    else this.#hold(sequence, digestOf(content), isContent(content))
  }

  #hold(sequence: Sequence, digest: string, isContent: boolean): void {
    this.#held.push({ sequence, digest, isContent })
    this.#taken = sequence
  }
}

/** What is no record is covered like one. */
function isContent(content: Uint8Array): boolean {
  try {
    return !HOUSEKEEPING.has(decodeRecord(content).operation)
  } catch {
    return true
  }
}
