import type { Release, Sequence } from './contract.ts'
import type { Core } from './core.ts'
import { ENTRY_PAYLOADS_MAX, ENTRY_RELEASES_MAX, type Entry, entryBytes } from './entry.ts'
import { PoolError } from './errors.ts'
import { Mutex } from './io.ts'
import type { Journal } from './journal.ts'
import type { Releases } from './releases.ts'
import { SEGMENTS_KEPT } from './reservations.ts'
import { segmentPayloadsMax } from './segment.ts'
import type { Sequencer, Sequencing } from './transaction.ts'

interface Waiting {
  readonly sequencing: Sequencing
  readonly inlineBytes: number
  /** Staged bytes that must be flushed before the record that names them is written; 0 for none. */
  readonly dataMark: number
  readonly resolve: (first: Sequence) => void
  readonly reject: (error: unknown) => void
}

interface Placed {
  readonly waiting: Waiting
  readonly first: Sequence
  readonly entries: readonly Entry[]
}

/**
 * Group commit. While one batch is being flushed the next gathers, without a timer: whoever is ready when the device is
 * free again goes together. A transaction with staged bytes is ready once a flush has covered them, which under load
 * the flush of the batch before does in passing.
 */
export class CommitQueue implements Sequencer {
  readonly #core: Core
  readonly #journal: Journal
  readonly #releases: Releases
  readonly #lane = new Mutex()
  readonly #onDurable: (sequence: Sequence) => void
  readonly #onFailure: (error: unknown) => void
  #queue: Waiting[] = []
  #queueBytes = 0
  #running: Promise<void> | undefined
  #halted: unknown
  commits = 0

  constructor(
    core: Core,
    journal: Journal,
    releases: Releases,
    events: { durable(sequence: Sequence): void; failed(error: unknown): void },
  ) {
    this.#core = core
    this.#journal = journal
    this.#releases = releases
    this.#onDurable = events.durable
    this.#onFailure = events.failed
  }

  async submit(sequencing: Sequencing): Promise<Sequence> {
    const inlineBytes = inlineBytesOf(sequencing)
    if (!this.#halted && this.#isShortFor(sequencing)) await this.#core.reclaim()
    if (this.#halted) throw new PoolError('ERR_HALTED', 'the pool has halted', { cause: this.#halted })
    if (!this.#hasSpace(sequencing)) throw full()
    const { queueTransactionsMax, queueBytesMax } = this.#core.tuning
    if (this.#queue.length >= queueTransactionsMax || this.#queueBytes + inlineBytes > queueBytesMax) {
      throw new PoolError('ERR_BUSY', `${this.#queue.length} transactions are waiting already`)
    }
    const staged = sequencing.sealed.some((payload) => payload.form === 'extents')
    const dataMark = staged ? this.#journal.dataWritten() : 0
    return await new Promise((resolve, reject) => {
      this.#queue.push({ sequencing, inlineBytes, dataMark, resolve, reject })
      this.#queueBytes += inlineBytes
      this.#running ??= this.#run()
    })
  }

  /** An empty batch, if none was written since the last one: it says that what came before it is durable. */
  async seal(): Promise<void> {
    await this.#lane.run(async () => {
      if (this.#halted || this.#journal.isSealed) return
      this.#journal.builder.reset()
      await this.#journal.append(true)
    })
  }

  /** Runs `task` between two batches. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return this.#lane.run(task)
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Refuses whatever waits and whatever comes. */
  halt(error: unknown): void {
    if (this.#halted) return
    this.#halted = error
    const queue = this.#queue
    this.#queue = []
    this.#queueBytes = 0
    for (const { reject } of queue) reject(new PoolError('ERR_HALTED', 'the pool has halted', { cause: error }))
  }

  /** Compaction needs a free region itself, so it is asked while there still is one for it. */
  #isShortFor(sequencing: Sequencing): boolean {
    return this.#core.reservations.freeSegments <= SEGMENTS_KEPT || !this.#hasSpace(sequencing)
  }

  /**
   * Payload bytes leave the reserve alone. Records without any may use half of it, those of payloads that were promised
   * room some more, and all of it those that bring nothing and let something go: so a full pool can be emptied, whatever
   * came to it before. Until its `entries` are drafted a transaction that brings nothing may be one of these.
   */
  #hasSpace(sequencing: Sequencing, entries?: readonly Entry[]): boolean {
    const { reservations, tuning } = this.#core
    if (inlineBytesOf(sequencing) > 0) return reservations.freeSegments > tuning.reserveSegments
    const removes = entries?.some(({ releases }) => releases.length > 0) ?? true
    const mayUseAll = sequencing.sealed.length === 0 && removes
    const { segmentsForPromised, segmentsForRecords } = reservations
    const kept = mayUseAll ? 0 : sequencing.isPromised ? segmentsForPromised : segmentsForRecords
    return reservations.freeSegments >= Math.max(SEGMENTS_KEPT, kept)
  }

  async #run(): Promise<void> {
    await null // What is submitted in the same turn goes into the same batch.
    try {
      while (this.#queue.length > 0) await this.#lane.run(() => this.#commitGroup())
    } finally {
      this.#running = undefined
    }
  }

  async #commitGroup(): Promise<void> {
    const ready = this.#queue.filter(({ dataMark }) => this.#journal.isDataFlushed(dataMark))
    let group: readonly Placed[] = []
    try {
      if (ready.length === 0 && this.#queue.length > 0) return await this.#journal.flush()
      group = this.#gather(ready)
      if (group.length > 0) await this.#append(group)
    } catch (error) {
      this.halt(error)
      for (const { waiting } of group)
        waiting.reject(new PoolError('ERR_OUTCOME_UNKNOWN', 'the device failed', { cause: error }))
      this.#onFailure(error)
    }
  }

  /** Gives transactions their sequences, in the order in which they came, until the batch is large enough. */
  #gather(ready: readonly Waiting[]): Placed[] {
    const { tuning, zones } = this.#core
    const { builder } = this.#journal
    const group: Placed[] = []
    const taken = new Set<Waiting>()
    let first = this.#journal.nextSequence
    let payloads = 0
    builder.reset()
    for (const waiting of ready) {
      if (builder.bytes >= tuning.groupBytesMax || group.length >= tuning.groupTransactionsMax) break
      if (payloads >= segmentPayloadsMax(zones) / 2) break
      taken.add(waiting)
      this.#queueBytes -= waiting.inlineBytes
      if (!this.#hasSpace(waiting.sequencing)) {
        this.#again(waiting)
        continue
      }
      const entries = this.#draft(waiting, first)
      if (!entries) continue
      builder.add(entries, waiting.sequencing.sealed)
      group.push({ waiting, first, entries })
      first += entries.length
      payloads += waiting.sequencing.sealed.length
    }
    this.#queue = taken.size === this.#queue.length ? [] : this.#queue.filter((waiting) => !taken.has(waiting))
    return group
  }

  /** What went before it in the queue has taken the space: it asks for some once more, as if it came now. */
  #again({ sequencing, resolve, reject }: Waiting): void {
    this.submit(sequencing).then(resolve, reject)
  }

  /** Its entries, or undefined when the transaction is refused: nothing of it has been written then. */
  #draft(waiting: Waiting, first: Sequence): readonly Entry[] | undefined {
    const { sequencing, reject } = waiting
    try {
      const entries = sequencing.draft(first, this.#journal.builder.place(sequencing.sealed))
      if (!this.#hasSpace(sequencing, entries)) throw full()
      this.#checkBounds(sequencing, entries)
      for (const { releases } of entries) for (const release of releases) checkRelease(release, first)
      return entries
    } catch (error) {
      sequencing.refused()
      reject(error)
      return undefined
    }
  }

  #checkBounds(sequencing: Sequencing, entries: readonly Entry[]): void {
    const { transactionBytesMax } = this.#core.tuning
    const { sealed } = sequencing
    let bytes = inlineBytesOf(sequencing)
    for (const entry of entries) bytes += entryBytes(entry)
    if (bytes > transactionBytesMax) {
      throw new PoolError('ERR_LIMITS', `a transaction of ${bytes} bytes exceeds ${transactionBytesMax}`)
    }
    const payloadsMax = Math.min(ENTRY_PAYLOADS_MAX, segmentPayloadsMax(this.#core.zones) / 2)
    const many = sealed.length > payloadsMax || entries.some(({ releases }) => releases.length > ENTRY_RELEASES_MAX)
    if (many) throw new PoolError('ERR_LIMITS', 'a transaction has too many payloads or releases')
  }

  async #append(group: readonly Placed[]): Promise<void> {
    const early = this.#core.mutations.has('ack-before-flush')
    const acknowledge = () => {
      for (const { waiting, first } of group) waiting.resolve(first)
    }
    await this.#journal.append(false, early ? acknowledge : undefined)
    for (const { waiting, entries } of group) {
      waiting.sequencing.own()
      for (const entry of entries) this.#releases.add(entry.sequence, entry.releases)
    }
    this.commits += group.length
    this.#onDurable(this.#journal.nextSequence - 1)
    acknowledge()
  }
}

function inlineBytesOf({ sealed }: Sequencing): number {
  let bytes = 0
  for (const payload of sealed) if (payload.form === 'inline') bytes += payload.length
  return bytes
}

/** Whether the payload is still there is found out later; a release of one that is gone changes nothing. */
function checkRelease({ sequence, payload }: Release, first: Sequence): void {
  const earlier = Number.isInteger(sequence) && sequence >= 1 && sequence < first
  const possible = Number.isInteger(payload) && payload >= 0 && payload < ENTRY_PAYLOADS_MAX
  if (!earlier || !possible) {
    throw new PoolError('ERR_NOT_FOUND', `no payload ${payload} of an earlier record ${sequence} to release`)
  }
}

const full = (): PoolError => new PoolError('ERR_NO_SPACE', 'the pool is full')
