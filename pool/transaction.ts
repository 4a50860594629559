import assert from 'node:assert/strict'
import type { Drafting, Sequence, Staging, Transaction } from './contract.ts'
import type { Core } from './core.ts'
import type { Entry, Placement, ReleaseEntry } from './entry.ts'
import { PoolError } from './errors.ts'
import { PayloadStaging, type Sealed } from './staging.ts'

/** A transaction whose payloads are sealed, waiting for its place in a batch. */
export interface Sequencing {
  readonly sealed: readonly Sealed[]
  /** Draws up its entries from `first` on; a throw refuses it. */
  draft(first: Sequence, placements: readonly Placement[]): readonly Entry[]
  /** Its batch is durable: the records own what was staged. */
  own(): void
}

/** The queue that gives transactions their place; resolves with the first sequence once durable. */
export interface Sequencer {
  submit(sequencing: Sequencing): Promise<Sequence>
}

/** A record that owns what was staged when it was prepared. */
interface Prepared {
  readonly sequence: Sequence
  readonly forms: readonly Placement['form'][]
}

export class PoolTransaction implements Transaction {
  readonly #core: Core
  readonly #sequencer: Sequencer
  #stagings: PayloadStaging[] = []
  #prepared: Prepared | undefined
  #ended = false

  constructor(core: Core, sequencer: Sequencer) {
    this.#core = core
    this.#sequencer = sequencer
  }

  static resume(core: Core, sequencer: Sequencer, stagings: PayloadStaging[], prepared: Prepared): PoolTransaction {
    const transaction = new PoolTransaction(core, sequencer)
    transaction.#stagings = stagings
    transaction.#prepared = prepared
    return transaction
  }

  stage(): Staging {
    this.#assertOpen()
    const staging = new PayloadStaging(this.#core)
    this.#stagings.push(staging)
    return staging
  }

  async commit(drafting: Drafting): Promise<Sequence> {
    this.#assertOpen()
    this.#ended = true
    try {
      return await this.#submit(drafting)
    } catch (error) {
      await this.#discardAfter(error)
      throw error
    }
  }

  async prepare(content: (sequence: Sequence) => Uint8Array): Promise<Sequence> {
    this.#assertOpen()
    let forms: readonly Placement['form'][] = []
    const sequence = await this.#submit(
      (first) => ({ records: [{ content: content(first), payloads: this.#stagings }], releases: [] }),
      (sealed) => {
        forms = sealed.map(({ form }) => form)
      },
    )
    this.#prepared = { sequence, forms }
    return sequence
  }

  async abort(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#discard()
  }

  async #submit(drafting: Drafting, look: (sealed: readonly Sealed[]) => void = () => {}): Promise<Sequence> {
    const pending = this.#stagings.map((staging) => staging.seal())
    const sealed = pending.some((seal) => seal instanceof Promise) ? await Promise.all(pending) : (pending as Sealed[])
    look(sealed)
    return await this.#sequencer.submit({
      sealed,
      draft: (first, placements) => this.#entries(first, placements, drafting),
      own: () => this.#own(),
    })
  }

  #entries(first: Sequence, placements: readonly Placement[], drafting: Drafting): readonly Entry[] {
    const draft = drafting(first)
    assert(draft.records.length > 0, 'a transaction commits at least one record')
    const owned = draft.records.flatMap(({ payloads }) => payloads)
    assert(owned.length === this.#stagings.length && new Set(owned).size === owned.length, 'a record owns each payload')
    return draft.records.map(({ content, payloads }, i) => ({
      sequence: first + i,
      content,
      payloads: payloads.map((payload) => placements[this.#numberOf(payload)]!),
      releases: [...(i === 0 ? draft.releases : []), ...this.#inherit(payloads, placements)],
    }))
  }

  #numberOf(payload: Staging): number {
    const number = this.#stagings.indexOf(payload as PayloadStaging)
    assert(number >= 0, 'a payload belongs to its own transaction')
    return number
  }

  /** The prepared record lets its payloads go, and this record's take their data units over. */
  #inherit(payloads: readonly Staging[], placements: readonly Placement[]): ReleaseEntry[] {
    const prepared = this.#prepared
    if (!prepared) return []
    return payloads.flatMap((payload, heir) => {
      const number = this.#numberOf(payload)
      if (number >= prepared.forms.length) return []
      const release = { sequence: prepared.sequence, payload: number }
      const inherits = prepared.forms[number] === 'extents' && placements[number]!.form === 'extents'
      return [inherits ? { ...release, heir } : release]
    })
  }

  #own(): void {
    for (const staging of this.#stagings) {
      for (const run of staging.takeRuns()) {
        for (let i = 0; i < run.units; i++) this.#core.allocator.own(run.unit + i)
      }
    }
  }

  /** With the outcome unknown the units may be owned: they stay taken until the pool is opened again. */
  async #discardAfter(error: unknown): Promise<void> {
    if (error instanceof PoolError && error.code === 'ERR_OUTCOME_UNKNOWN') return
    await this.#discard()
  }

  async #discard(): Promise<void> {
    await Promise.all(this.#stagings.map((staging) => staging.discard()))
  }

  #assertOpen(): void {
    if (this.#ended) throw new PoolError('ERR_CLOSED', 'the transaction has ended')
  }
}
