import assert from 'node:assert/strict'
import type { Sequence } from '../../pool/index.ts'
import { StoreError } from '../errors.ts'
import type { Heads, Operations } from './catalog-current.ts'
import { fold, headKeysOf } from './catalog-fold.ts'
import type { RecentHeads } from './catalog-heads.ts'
import { POSITION_KEY } from './catalog-keys.ts'
import {
  batchOf,
  type CatalogLevel,
  markKey,
  type StoredPosition,
  SYNC_BATCHES,
  storeErrorOf,
} from './catalog-level.ts'
import type { DurableRecord } from './catalog-port.ts'
import type { EntryChange } from './facet-counters.ts'
import { FacetWriter } from './facet-writer.ts'

interface Queued {
  readonly durable: DurableRecord
  readonly epoch: number
}

/** Resolved when `due` first holds; rejected when the writer has failed. */
interface Waiter {
  due(): boolean
  resolve(): void
  reject(error: StoreError): void
}

export interface WriterOptions {
  /** Records queued from which ready() waits. */
  readonly lagMax: number
  /** Records folded into one batch: as long as that takes, the event loop waits. */
  readonly batchRecordsMax: number
  /** Counters of one attribute's facet. */
  readonly facetCountersMax: number
  /** Counters of facets kept in memory. */
  readonly facetCountersKeptMax: number
}

/**
 * The one writer of the catalog. What is queued while a batch is being written goes into the next one.
 *
 *   IDLE ──apply──▶ WRITING ──last batch written──▶ IDLE
 *                      └──a write fails──▶ FAILED (for the rest of this run; what is written stays readable)
 */
export class CatalogWriter {
  readonly #database: CatalogLevel
  readonly #heads: RecentHeads
  readonly #facets: FacetWriter
  readonly #options: WriterOptions
  #position: StoredPosition
  /** Of the last record queued. */
  #queuedSequence: Sequence
  #queue: Queued[] = []
  /** Records queued or being written. */
  #unwritten = 0
  #waiters: Waiter[] = []
  #writing: Promise<void> | undefined
  #failure: StoreError | undefined

  constructor(database: CatalogLevel, position: StoredPosition, heads: RecentHeads, options: WriterOptions) {
    this.#database = database
    this.#position = position
    this.#queuedSequence = position.sequence
    this.#heads = heads
    this.#facets = new FacetWriter(database, options.facetCountersMax, options.facetCountersKeptMax)
    this.#options = options
  }

  get position(): StoredPosition {
    return this.#position
  }

  /** Why nothing is written any more. */
  get failure(): StoreError | undefined {
    return this.#failure
  }

  apply(records: readonly DurableRecord[], epoch: number): void {
    if (this.#failure !== undefined || records.length === 0) return
    for (const durable of records) {
      assert(durable.record.sequence > this.#queuedSequence, 'records come in sequence order')
      this.#queuedSequence = durable.record.sequence
      this.#queue.push({ durable, epoch })
      this.#unwritten++
    }
    this.#writing ??= this.#drain()
  }

  /** Resolves when fewer than `lagMax` records are queued or being written. */
  async ready(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    return this.#wait(() => this.#unwritten < this.#options.lagMax)
  }

  async settled(sequence: Sequence): Promise<void> {
    return this.#wait(() => this.#position.sequence >= sequence)
  }

  /** Writes what is queued, then fails whoever still waits. */
  async close(): Promise<void> {
    await this.#writing
    this.#fail(new StoreError('ERR_HALTED', 'the catalog is closed'))
  }

  /** Forgets what is queued. */
  async abandon(): Promise<void> {
    this.#fail(new StoreError('ERR_HALTED', 'the catalog was cleared'))
    await this.#writing
  }

  #wait(due: () => boolean): Promise<void> {
    if (due()) return Promise.resolve()
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => this.#waiters.push({ due, resolve, reject }))
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        await this.#write(this.#queue.splice(0, this.#options.batchRecordsMax))
        this.#wake()
      }
    } catch (error) {
      this.#fail(storeErrorOf(error))
    }
    this.#writing = undefined
  }

  async #write(queued: readonly Queued[]): Promise<void> {
    const heads = await this.#lookUp(queued)
    await using batch = batchOf(this.#database)
    const changes: EntryChange[] = []
    let { overflowing } = this.#position
    const operations: Operations = {
      put(key, value) {
        if (isOverflow(key)) overflowing += 1
        batch.put(key, value)
      },
      del(key) {
        if (isOverflow(key)) overflowing -= 1
        batch.del(key)
      },
      changed: (before, after) => changes.push({ before, after }),
    }
    for (const { durable } of queued) fold(durable, heads, operations)
    await this.#facets.count(changes, batch)
    const objects = this.#position.objects + created(changes)
    const position = { ...after(this.#position, queued), objects, overflowing }
    batch.put(markKey(position.ordinal), position.ordinal.toString())
    await batch.write(POSITION_KEY, JSON.stringify(position), { sync: position.ordinal % SYNC_BATCHES === 0 })
    this.#heads.written(heads)
    this.#position = position
    this.#unwritten -= queued.length
  }

  async #lookUp(queued: readonly Queued[]): Promise<Heads> {
    const heads: Heads = new Map()
    const misses: string[] = []
    for (const { durable } of queued) {
      for (const key of headKeysOf(durable.record)) {
        if (heads.has(key)) continue
        const known = this.#heads.get(key)
        heads.set(key, known ?? undefined)
        if (known === undefined) misses.push(key)
      }
    }
    const texts = misses.length === 0 ? [] : await this.#database.getMany(misses)
    misses.forEach((key, index) => {
      heads.set(key, texts[index])
    })
    return heads
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) {
      if (waiter.due()) waiter.resolve()
      else this.#waiters.push(waiter)
    }
  }

  #fail(error: StoreError): void {
    this.#failure ??= error
    this.#queue = []
    for (const waiter of this.#waiters) waiter.reject(this.#failure)
    this.#waiters = []
  }
}

const OVERFLOW_SPACE = 'o'.charCodeAt(0)

/** Whether it is in space `o`, where a key is put once and deleted once (catalog-current.ts). */
function isOverflow(key: string): boolean {
  return key.charCodeAt(0) === OVERFLOW_SPACE
}

/** By how many there are more objects. */
function created(changes: readonly EntryChange[]): number {
  return changes.reduce((sum, { before, after }) => sum + Number(after !== undefined) - Number(before !== undefined), 0)
}

function after(position: StoredPosition, queued: readonly Queued[]): StoredPosition {
  const last = queued[queued.length - 1]
  assert(last !== undefined)
  const { sequence } = last.durable.record
  return { ...position, ordinal: position.ordinal + 1, epoch: last.epoch, sequence, digest: last.durable.digest }
}
