import assert from 'node:assert/strict'
import type { Sequence } from '../../pool/index.ts'
import { StoreError } from '../errors.ts'
import { UsageDelta } from '../policy/usage.ts'
import type { IndexProgress } from '../store-port.ts'
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
import { makePage } from './index-maker.ts'
import { added, afterChanges, CLEARING, changesIn, progressOf } from './index-state.ts'
import type { MessageIds } from './message-ids.ts'
import type { UsageCounters } from './usage-counters.ts'

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

/** What the writer keeps true, and others read. */
export interface WriterMemory {
  readonly heads: RecentHeads
  readonly usages: UsageCounters
  readonly messageIds: Pick<MessageIds, 'note'>
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
  /** Entries of one page of the making of the index. */
  readonly indexEntriesMax: number
  /** Told after each page of the making of the index. */
  readonly onIndexed: (progress: IndexProgress) => void
}

/**
 * The one writer of the catalog. What is queued while a batch is being written goes into the next one. While the index is
 * made, batches of records take turns with pages of it.
 *
 *   IDLE ──apply, makeIndex──▶ WRITING ──last batch written──▶ IDLE
 *                      └──a write fails──▶ FAILED (for the rest of this run; what is written stays readable)
 */
export class CatalogWriter {
  readonly #database: CatalogLevel
  readonly #heads: RecentHeads
  readonly #usages: UsageCounters
  readonly #messageIds: WriterMemory['messageIds']
  #facets: FacetWriter
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
  #makesIndex = false
  #isReindexAsked = false
  /** Of the index, written so far. */
  #pages = 0

  constructor(database: CatalogLevel, position: StoredPosition, memory: WriterMemory, options: WriterOptions) {
    this.#database = database
    this.#position = position
    this.#queuedSequence = position.sequence
    this.#heads = memory.heads
    this.#usages = memory.usages
    this.#messageIds = memory.messageIds
    this.#options = options
    this.#facets = this.#newFacets()
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

  get index(): IndexProgress {
    return progressOf(this.#position.index, this.#position.objects)
  }

  /** Goes on with the making of the index until it is whole or this is closed; resolves after the first page. */
  async makeIndex(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isIndexWhole) return
    const pages = this.#pages
    this.#makesIndex = true
    this.#writing ??= this.#drain()
    await this.#wait(() => this.#pages > pages)
  }

  /** Has the index made anew; one that is being made goes on as it does. */
  async reindex(): Promise<void> {
    this.#isReindexAsked ||= this.#isIndexWhole
    await this.makeIndex()
  }

  /** Resolves once the index is whole. */
  async indexed(): Promise<void> {
    return this.#wait(() => this.#isIndexWhole)
  }

  get #isIndexWhole(): boolean {
    return this.#position.index.phase === 'whole' && !this.#isReindexAsked
  }

  /** Writes what is queued, then fails whoever still waits. */
  async close(): Promise<void> {
    this.#makesIndex = false // The rest is left to the next open.
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
      while (this.#queue.length > 0 || this.#makesIndex) {
        if (this.#queue.length > 0) await this.#write(this.#queue.splice(0, this.#options.batchRecordsMax))
        this.#wake()
        if (this.#makesIndex) await this.#writePage()
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
    const kept = new UsageDelta()
    let { overflowing } = this.#position
    const { index } = this.#position
    const operations: Operations = {
      index,
      put(key, value) {
        if (isOverflow(key)) overflowing += 1
        batch.put(key, value)
      },
      del(key) {
        if (isOverflow(key)) overflowing -= 1
        batch.del(key)
      },
      changed: (before, after) => changes.push({ before, after }),
      kept(owner, by) {
        if (owner) kept.add(owner, by)
      },
    }
    for (const { durable } of queued) fold(durable, heads, operations)
    this.#messageIds.note(changes)
    const indexed = changesIn(index, changes)
    await this.#facets.count(indexed, batch)
    const counted = this.#usages.count(changes, kept, batch)
    const counts = { objects: this.#position.objects + added(changes), overflowing }
    const position = { ...after(this.#position, queued), ...counts, index: afterChanges(index, indexed) }
    batch.put(markKey(position.ordinal), position.ordinal.toString())
    await batch.write(POSITION_KEY, JSON.stringify(position), { sync: position.ordinal % SYNC_BATCHES === 0 })
    this.#heads.written(heads)
    counted()
    this.#position = position
    this.#unwritten -= queued.length
  }

  /** One page of the index. A new one begins with counters that nobody has counted on. */
  async #writePage(): Promise<void> {
    if (this.#isReindexAsked) this.#facets = this.#newFacets()
    const from = this.#isReindexAsked ? { ...this.#position, index: CLEARING } : this.#position
    this.#isReindexAsked = false
    await using batch = batchOf(this.#database)
    const made = await makePage(this.#database, from, { ...this.#options, facets: this.#facets, batch })
    const position = { ...from, ...made, ordinal: from.ordinal + 1 }
    batch.put(markKey(position.ordinal), position.ordinal.toString())
    await batch.write(POSITION_KEY, JSON.stringify(position), { sync: position.ordinal % SYNC_BATCHES === 0 })
    this.#position = position
    this.#makesIndex &&= !this.#isIndexWhole
    this.#pages += 1
    this.#options.onIndexed(this.index)
  }

  #newFacets(): FacetWriter {
    return new FacetWriter(this.#database, this.#options.facetCountersMax, this.#options.facetCountersKeptMax)
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
    this.#makesIndex = false
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

function after(position: StoredPosition, queued: readonly Queued[]): StoredPosition {
  const last = queued[queued.length - 1]
  assert(last !== undefined)
  const { sequence } = last.durable.record
  return { ...position, ordinal: position.ordinal + 1, epoch: last.epoch, sequence, digest: last.durable.digest }
}
