import assert from 'node:assert/strict'
import type { Drafting, Pool, Sequence, Transaction } from '../pool/index.ts'
import { type Binding, Bindings } from './bindings.ts'
import type { Catalog, DurableRecord } from './catalog/catalog-port.ts'
import type { Change } from './changes.ts'
import { Draft, type DraftGround, type Tail } from './draft.ts'
import type { ObjectName } from './envelope.ts'
import { StoreError } from './errors.ts'
import type { PartialUpload } from './partials/partial-port.ts'
import { PartialTable } from './partials/partial-table.ts'
import type { RecentRecords } from './tail/recent-records.ts'
import type { BucketSettings } from './versions/bucket-settings.ts'

export interface SequencerOptions {
  readonly pool: Pool
  readonly catalog: Catalog
  readonly partition: string
  readonly clock: { now(): number }
  readonly bucketsMax: number
  /** Told of what is applied. */
  readonly recent: RecentRecords
}

/** What there is when the store is opened. */
export interface Ground {
  readonly buckets: Iterable<readonly [string, BucketSettings]>
  readonly partials: Iterable<PartialUpload>
}

interface Sequenced {
  readonly draft: Draft
  isDurable: boolean
  /** Resolves when it is applied, or undone. */
  readonly ended: Promise<void>
  readonly end: () => void
}

/** Refuses a transaction that turned out to change nothing. */
const NOTHING_TO_DO = new StoreError('ERR_NOT_FOUND', 'the transaction changes nothing')

/**
 * Gives each transaction its place in the partition's stream, and what is durable to the catalog.
 *
 *   commit ──▶ HELD ──drafting──▶ SEQUENCED ──flush──▶ DURABLE ──every one before it is, too──▶ APPLIED
 *                │                    └──the pool refuses, or fails──▶ undone
 *                └──drafting throws──▶ undone
 *
 * 1. Records are numbered, dated and chained in the order in which the pool calls drafting, which is synchronous.
 * 2. A transaction that is refused leaves no trace: what it changed in memory is undone before another one is drafted.
 * 3. The catalog gets records in sequence order, every one, and none that is not durable.
 * 4. Nothing is told of a record before it is durable; then the catalog may lag, up to its bound.
 * 5. The pool may be shared: sequences between the store's are of records that it does not look at.
 */
export class Sequencer {
  readonly bindings: Bindings
  readonly buckets: Map<string, BucketSettings>
  readonly partials: PartialTable
  readonly #options: SequencerOptions
  readonly #ground: DraftGround
  readonly #sequenced: Sequenced[] = []
  readonly #observers: ((records: readonly DurableRecord[]) => void)[] = []
  #tail: Tail
  #applied: Sequence

  constructor(options: SequencerOptions, tail: Tail, ground: Ground) {
    this.#options = options
    this.#tail = tail
    this.#applied = tail.sequence
    this.bindings = new Bindings(options.catalog)
    this.buckets = new Map(ground.buckets)
    this.partials = new PartialTable(ground.partials)
    const { partition, bucketsMax } = options
    const { bindings, buckets, partials } = this
    this.#ground = { partition, bucketsMax, bindings, buckets, partials }
  }

  /** The last record sequenced, which need not be durable. */
  get last(): Sequence {
    return this.#tail.sequence
  }

  /** The last record of the store that the catalog was given. */
  get applied(): Sequence {
    return this.#applied
  }

  /** Tells `observer` of all records from now on, once they are durable, in order. It must not throw. */
  observe(observer: (records: readonly DurableRecord[]) => void): void {
    this.#observers.push(observer)
  }

  /** Resolves once the catalog holds every record of the store up to `sequence`, but for those that are undone. */
  async settled(sequence: Sequence): Promise<void> {
    for (const { draft, ended } of [...this.#sequenced]) if (draft.first <= sequence) await ended
    await this.#options.catalog.settled(this.#applied)
  }

  /** Resolves once the catalog holds what was sequenced by now of names that begin so. Partial uploads know of it already. */
  async settledUnder(bucket: string, prefix: string): Promise<void> {
    if (this.bindings.holdsUnder(bucket, prefix)) await this.settled(this.last)
  }

  /**
   * Commits what `transaction` holds together with `changes`. Resolves with the records, durable; with none when the
   * changes turned out to change nothing. When it rejects, it is the caller's to abort the transaction.
   */
  async commit(transaction: Transaction, changes: readonly Change[]): Promise<readonly DurableRecord[]> {
    const names = changes.length === 1 ? changes[0]!.names : changes.flatMap((change) => change.names)
    await this.#options.catalog.ready()
    await this.bindings.hold(names, isAlone(changes))
    return this.#commitHeld((drafting) => transaction.commit(drafting), changes, names)
  }

  /** The same for a change that prepares what `transaction` holds, which goes on; `sealed` as the pool calls it. */
  async prepare(transaction: Transaction, change: Change, sealed: () => void): Promise<readonly DurableRecord[]> {
    await this.#options.catalog.ready()
    await this.bindings.hold(change.names)
    return this.#commitHeld((drafting) => transaction.prepare(drafting, sealed), [change], change.names)
  }

  /** What a name is bound to as of the last record sequenced. */
  async bound(name: ObjectName): Promise<Binding | undefined> {
    await this.bindings.hold([name])
    const binding = this.bindings.get(name)
    this.bindings.release([name])
    return binding
  }

  async #commitHeld(
    submit: (drafting: Drafting) => Promise<Sequence>,
    changes: readonly Change[],
    names: Change['names'],
  ): Promise<readonly DurableRecord[]> {
    const place: { taken?: Sequenced } = {}
    try {
      for (const { load } of changes) await load?.(this.#options.catalog)
      await submit((first) => {
        const taken = this.#sequence(first, changes)
        place.taken = taken
        const { records, releases } = taken.draft
        return { records, releases, refused: () => this.#withdraw(taken) }
      })
    } catch (error) {
      if (place.taken) this.#withdraw(place.taken)
      this.bindings.release(names)
      if (error !== NOTHING_TO_DO) throw error
      await this.#durable()
      return []
    }
    assert(place.taken, 'the pool calls drafting')
    const { draft } = place.taken
    place.taken.isDurable = true
    this.#apply()
    this.bindings.releaseWhenFolded(names, draft.tail.sequence)
    return draft.durable
  }

  /**
   * What left nothing to do may be on its way to the disk still: nobody is told that it is so before it is durable. If it
   * was withdrawn, nobody knows.
   */
  async #durable(): Promise<void> {
    const { sequence } = this.#tail
    for (const { ended } of [...this.#sequenced]) await ended
    if (this.#applied < sequence)
      throw new StoreError('ERR_OUTCOME_UNKNOWN', 'what was asked for before may not be durable')
  }

  #sequence(first: Sequence, changes: readonly Change[]): Sequenced {
    assert(first > this.#tail.sequence, 'sequences follow one another')
    const draft = new Draft(this.#ground, this.#tail, first, this.#options.clock.now())
    try {
      for (const change of changes) change.draft(draft)
      if (draft.records.length === 0) throw NOTHING_TO_DO
    } catch (error) {
      draft.undo()
      throw error
    }
    this.#tail = draft.tail
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const sequenced = { draft, isDurable: false, ended, end }
    this.#sequenced.push(sequenced)
    return sequenced
  }

  /** Undoes one, and those after it, which will not become durable either: the pool has failed then. */
  #withdraw(refused: Sequenced): void {
    while (this.#sequenced.includes(refused)) {
      const last = this.#sequenced.pop()!
      assert(!last.isDurable, 'what is durable keeps its sequence')
      this.#tail = last.draft.undo()
      last.end()
    }
  }

  #apply(): void {
    const { catalog, pool, recent } = this.#options
    const waiting = this.#sequenced.findIndex(({ isDurable }) => !isDurable)
    const durable = this.#sequenced.splice(0, waiting < 0 ? this.#sequenced.length : waiting)
    if (durable.length === 0) return
    const records = durable.length === 1 ? durable[0]!.draft.durable : durable.flatMap(({ draft }) => draft.durable)
    catalog.apply(records, pool.position.epoch)
    this.#applied = durable.at(-1)!.draft.tail.sequence
    recent.add(durable.flatMap(({ draft }) => draft.sized))
    for (const observe of this.#observers) observe(records)
    for (const { end } of durable) end()
  }
}

/** Whether one of the changes must have its names to itself, because it looks at more than their bindings. */
function isAlone(changes: readonly Change[]): boolean {
  return changes.some(({ load }) => load !== undefined)
}
