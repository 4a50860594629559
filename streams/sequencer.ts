import assert from 'node:assert/strict'
import type { Pool, Sequence, Transaction } from '../pool/index.ts'
import { Bindings } from './bindings.ts'
import type { Catalog, DurableRecord } from './catalog-port.ts'
import type { Change } from './changes.ts'
import { Draft, type DraftGround, type Tail } from './draft.ts'
import { StoreError } from './errors.ts'

export interface SequencerOptions {
  readonly pool: Pool
  readonly catalog: Catalog
  readonly partition: string
  readonly clock: { now(): number }
  readonly bucketsMax: number
}

interface Sequenced {
  readonly draft: Draft
  isDurable: boolean
}

/** Refuses a transaction that turned out to change nothing. */
const NOTHING_TO_DO = new StoreError('ERR_NOT_FOUND', 'the transaction changes nothing')

/**
 * Gives each transaction its place in the partition's stream, and what is durable to the catalog.
 *
 *   commit ──▶ HELD ──drafting──▶ SEQUENCED ──flush──▶ DURABLE ──every one before it is, too──▶ APPLIED
 *                │                    └──the pool refuses──▶ undone
 *                └──drafting throws──▶ undone
 *
 * 1. Records are numbered, dated and chained in the order in which the pool calls drafting, which is synchronous.
 * 2. A transaction that is refused leaves no trace: what it changed in memory is undone before another one is drafted.
 * 3. The catalog gets records in sequence order, without gaps, and none that is not durable.
 * 4. Nothing is told of a record before it is durable; then the catalog may lag, up to its bound.
 */
export class Sequencer {
  readonly bindings: Bindings
  readonly buckets: Set<string>
  readonly #options: SequencerOptions
  readonly #ground: DraftGround
  readonly #sequenced: Sequenced[] = []
  #tail: Tail

  constructor(options: SequencerOptions, tail: Tail, buckets: Iterable<string>) {
    this.#options = options
    this.#tail = tail
    this.bindings = new Bindings(options.catalog)
    this.buckets = new Set(buckets)
    const { partition, bucketsMax } = options
    this.#ground = { partition, bucketsMax, bindings: this.bindings, buckets: this.buckets }
  }

  /**
   * Commits what `transaction` holds together with `changes`. Resolves with the records, durable; with none when the
   * changes turned out to change nothing. When it rejects, it is the caller's to abort the transaction.
   */
  async commit(transaction: Transaction, changes: readonly Change[]): Promise<readonly DurableRecord[]> {
    const names = changes.length === 1 ? changes[0]!.names : changes.flatMap((change) => change.names)
    await this.#options.catalog.ready()
    await this.bindings.hold(names)
    return this.#commitHeld(transaction, changes, names)
  }

  async #commitHeld(
    transaction: Transaction,
    changes: readonly Change[],
    names: Change['names'],
  ): Promise<readonly DurableRecord[]> {
    const place: { taken?: Sequenced } = {}
    try {
      await transaction.commit((first) => {
        place.taken = this.#sequence(first, changes)
        return place.taken.draft
      })
    } catch (error) {
      if (place.taken) this.#withdraw(place.taken)
      this.bindings.release(names)
      if (error === NOTHING_TO_DO) return []
      throw error
    }
    assert(place.taken, 'the pool calls drafting')
    const { draft } = place.taken
    place.taken.isDurable = true
    this.#apply()
    this.bindings.releaseWhenFolded(names, draft.tail.sequence)
    return draft.durable
  }

  #sequence(first: Sequence, changes: readonly Change[]): Sequenced {
    this.#withdrawFrom(first)
    assert(first === this.#tail.sequence + 1, 'sequences follow one another')
    const draft = new Draft(this.#ground, this.#tail, this.#options.clock.now())
    try {
      for (const change of changes) change.draft(draft)
      if (draft.records.length === 0) throw NOTHING_TO_DO
    } catch (error) {
      draft.undo()
      throw error
    }
    this.#tail = draft.tail
    const sequenced = { draft, isDurable: false }
    this.#sequenced.push(sequenced)
    return sequenced
  }

  /** A pool that gives `first` out again has refused whoever had it before, and its caller may not know yet. */
  #withdrawFrom(first: Sequence): void {
    for (let last = this.#sequenced.at(-1); last && last.draft.first >= first; last = this.#sequenced.at(-1)) {
      assert(!last.isDurable, 'what is durable keeps its sequence')
      this.#tail = last.draft.undo()
      this.#sequenced.pop()
    }
  }

  #withdraw(refused: Sequenced): void {
    if (this.#sequenced.includes(refused)) this.#withdrawFrom(refused.draft.first)
  }

  #apply(): void {
    const { catalog, pool } = this.#options
    const waiting = this.#sequenced.findIndex(({ isDurable }) => !isDurable)
    const durable = this.#sequenced.splice(0, waiting < 0 ? this.#sequenced.length : waiting)
    if (durable.length === 0) return
    const records = durable.length === 1 ? durable[0]!.draft.durable : durable.flatMap(({ draft }) => draft.durable)
    catalog.apply(records, pool.position.epoch)
  }
}
