import assert from 'node:assert/strict'
import { unitsOf } from './allocator.ts'
import type { Draft, Drafting, Sequence, Staging, Transaction } from './contract.ts'
import type { Core } from './core.ts'
import type { Entry, Placement, ReleaseEntry } from './entry.ts'
import { hasCode, PoolError } from './errors.ts'
import { treeUnits } from './extent-tree.ts'
import { Mutex } from './io.ts'
import type { Reservation } from './reservations.ts'
import { PayloadStaging, type Sealed } from './staging.ts'

/** A transaction whose payloads are sealed, waiting for its place in a batch. */
export interface Sequencing {
  readonly sealed: readonly Sealed[]
  /** It was let in as one that there is room for. */
  readonly isPromised: boolean
  /** Draws up its entries from `first` on; a throw refuses it. */
  draft(first: Sequence, placements: readonly Placement[]): readonly Entry[]
  /** Drafted or half drafted, it is refused: nothing of it will be written. */
  refused(): void
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

interface SealedStagings {
  readonly staged: readonly PayloadStaging[]
  readonly sealed: readonly Sealed[]
}

/** A payload of a prepared record, with its bytes where it is an inline one. */
export interface PreparedPayload {
  readonly placement: Placement
  readonly inline: Uint8Array
}

/** Its verbs take effect one after the other: what a record is about to own is neither given back nor taken over. */
export class PoolTransaction implements Transaction {
  readonly #core: Core
  readonly #sequencer: Sequencer
  readonly #turn = new Mutex()
  readonly #reservation: Reservation
  #stagings: PayloadStaging[] = []
  #prepared: Prepared | undefined
  #ended = false

  constructor(core: Core, sequencer: Sequencer) {
    this.#core = core
    this.#sequencer = sequencer
    this.#reservation = core.reservations.begin()
  }

  /** Goes on with payloads that a prepared record owns. */
  async goOn(sequence: Sequence, payloads: readonly PreparedPayload[]): Promise<readonly Staging[]> {
    for (const { placement, inline } of payloads) {
      this.#stagings.push(await PayloadStaging.resume(this.#core, this.#reservation, placement, inline))
    }
    this.#prepared = { sequence, forms: payloads.map(({ placement }) => placement.form) }
    return [...this.#stagings]
  }

  async reserve(bytes: number): Promise<void> {
    this.#assertOpen()
    const { tuning, zones, format } = this.#core
    if (bytes <= tuning.inlineBytesMax) return
    const units = treeUnits(bytes, zones, format.recordExtentsMax)
    if (this.#reservation.take(units)) return
    await this.#core.reclaim()
    this.#assertOpen()
    if (this.#reservation.take(units)) return
    const free = this.#core.reservations.unitsBeside * zones.unitBytes
    const lacking = units * zones.unitBytes - free
    const growable = this.#core.growableBytes()
    if (growable > 0 && lacking <= growable) return
    if (lacking <= 0) throw new PoolError('ERR_NO_SPACE', 'the pool is full: what is left is for deletes')
    throw new PoolError('ERR_NO_SPACE', `${bytes} bytes do not fit the pool, which has ${free} left to promise`)
  }

  stage(): Staging {
    this.#assertOpen()
    const staging = new PayloadStaging(this.#core, this.#reservation)
    this.#stagings.push(staging)
    return staging
  }

  async drop(payload: Staging): Promise<void> {
    this.#assertOpen()
    await this.#turn.run(async () => {
      const number = this.#numberOf(payload)
      assert(number >= (this.#prepared?.forms.length ?? 0), 'a prepared record owns it')
      const [staging] = this.#stagings.splice(number, 1)
      staging!.end()
      await staging!.discard()
    })
  }

  async commit(drafting: Drafting): Promise<Sequence> {
    this.#assertOpen()
    this.#end()
    return await this.#turn.run(() => this.#commit(drafting))
  }

  async #commit(drafting: Drafting): Promise<Sequence> {
    try {
      return await this.#submit(await this.#seal(), drafting)
    } catch (error) {
      await this.#discardAfter(error)
      throw error
    } finally {
      this.#reservation.end()
      this.#hold(undefined)
    }
  }

  async prepare(drafting: Drafting, sealed: () => void = () => {}): Promise<Sequence> {
    this.#assertOpen()
    return await this.#turn.run(() => this.#prepare(drafting, sealed))
  }

  async #prepare(drafting: Drafting, onSealed: () => void): Promise<Sequence> {
    const seal = this.#seal()
    onSealed()
    const { staged, sealed } = await seal
    const sequence = await this.#submit({ staged, sealed }, drafting, assertPrepares)
    this.#hold({ sequence, forms: sealed.map(({ form }) => form) })
    return sequence
  }

  async abort(): Promise<void> {
    if (this.#ended) return
    this.#end()
    await this.#turn.run(async () => {
      this.#reservation.end()
      await this.#discard() // Nobody lets go of what was prepared while it is read still.
      this.#hold(undefined)
    })
  }

  #end(): void {
    this.#ended = true
    for (const staging of this.#stagings) staging.end()
  }

  /** While an upload goes on from a prepared record, nobody else may take that over or let it go. */
  #hold(prepared: Prepared | undefined): void {
    const { held } = this.#core
    if (this.#prepared) held.delete(this.#prepared.sequence)
    if (prepared) held.add(prepared.sequence)
    this.#prepared = prepared
  }

  /** Everything staged by the time of the call. */
  async #seal(): Promise<SealedStagings> {
    const staged = [...this.#stagings]
    const pending = staged.map((staging) => staging.seal())
    const isWaiting = pending.some((seal) => seal instanceof Promise)
    return { staged, sealed: isWaiting ? await Promise.all(pending) : (pending as Sealed[]) }
  }

  async #submit(
    { staged, sealed }: SealedStagings,
    drafting: Drafting,
    check: (draft: Draft, staged: readonly Staging[]) => void = () => {},
  ): Promise<Sequence> {
    let draft: Draft | undefined
    return await this.#sequencer.submit({
      sealed,
      isPromised: this.#reservation.isPromised,
      draft: (first, placements) => {
        draft = drafting(first)
        check(draft, staged)
        return this.#entries(first, placements, draft)
      },
      refused: () => draft?.refused?.(),
      own: () => this.#own(staged),
    })
  }

  #entries(first: Sequence, placements: readonly Placement[], draft: Draft): readonly Entry[] {
    assert(draft.records.length > 0, 'a transaction commits at least one record')
    const owned = draft.records.flatMap(({ payloads }) => payloads)
    assert(owned.length === placements.length && new Set(owned).size === owned.length, 'a record owns each payload')
    const busy = draft.releases.find(({ sequence }) => this.#core.held.has(sequence))
    if (busy) throw new PoolError('ERR_BUSY', `an upload goes on from record ${busy.sequence}`)
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

  #own(staged: readonly PayloadStaging[]): void {
    for (const staging of staged) {
      for (const unit of staging.takeRuns().flatMap(unitsOf)) this.#core.allocator.own(unit)
    }
  }

  /** With the outcome unknown the units may be owned: they stay taken until the pool is opened again. */
  async #discardAfter(error: unknown): Promise<void> {
    if (hasCode(error, 'ERR_OUTCOME_UNKNOWN')) return
    await this.#discard()
  }

  async #discard(): Promise<void> {
    await Promise.all(this.#stagings.map((staging) => staging.discard()))
  }

  #assertOpen(): void {
    if (this.#ended) throw new PoolError('ERR_CLOSED', 'the transaction has ended')
  }
}

/** Whoever resumes knows the payloads by their numbers. */
function assertPrepares({ records }: Draft, staged: readonly Staging[]): void {
  assert(records.length === 1, 'what is prepared is one record')
  const { payloads } = records[0]!
  assert(payloads.length === staged.length && payloads.every((one, i) => one === staged[i]), 'it owns all, in order')
}
