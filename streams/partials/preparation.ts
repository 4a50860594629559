import type { Sequence, Transaction } from '../../pool/index.ts'
import type { Envelope } from '../envelope.ts'
import type { Intake } from '../intake.ts'
import type { Allowance } from '../policy/allowance.ts'
import type { Sequencer } from '../sequencer.ts'
import type { Underway } from '../underway.ts'
import { prepare } from './partial-changes.ts'
import type { PartialUpload } from './partial-port.ts'
import { partialOf } from './partial-state.ts'
import type { Claim } from './partial-table.ts'
import type { Unprepared } from './unprepared.ts'

export interface PreparationParts {
  readonly sequencer: Pick<Sequencer, 'prepare'>
  readonly underway: Underway
  /** An upload is prepared at each multiple of so many bytes, and goes on meanwhile: what is not durable is twice as much at the most. */
  readonly stepBytes: number
  /** And when something of it has waited for long enough, or for several times as long where that is little. */
  readonly unprepared: Unprepared
  /** Reserves, and lets partial uploads go while there is no room. */
  readonly reserve: (envelope: Envelope, transaction: Transaction, bytes: number) => Promise<void>
}

/** What comes more slowly than this a wait is prepared less and less often: a record of it costs some 600 bytes. */
export const SLOW_BYTES = 64 * 1024

/** Waits after which even a single byte is prepared. */
export const SLOW_WAITS_MAX = 64

/** What is copied from elsewhere. */
export interface Basis {
  readonly size: number
  readonly chunks: AsyncIterable<Uint8Array>
}

/** What an upload begins with. */
export interface Beginning {
  readonly envelope: Envelope
  readonly transaction: Transaction
  readonly intake: Intake
  /** Its place among the partial uploads; undefined while another upload has that, and then this one leaves nothing. */
  readonly claim: Claim | undefined
  /** The room that it holds; undefined where no quota bounds it. */
  readonly allowance: Allowance | undefined
  /** The last record that it can know of. */
  readonly since: Sequence
  /** What is durable of it. */
  readonly own?: PartialUpload
  /** Bytes that come before those of its client, to be copied. */
  readonly basis?: Basis
  /** The version that it goes on from, which must be the current one still at its end. */
  readonly replaces?: Sequence | undefined
}

/**
 * What of an upload is durable, and how more of it comes to be: now and then a record takes over what the one before it owned.
 * That something cannot be prepared is no failure of the upload: less of it can be gone on with.
 *
 *   next ──▶ SEALING, nothing may be written ──the pool has sealed what there is──▶ SEALED ──durable, or refused──▶ idle
 */
export class Preparation {
  readonly #parts: PreparationParts
  readonly #beginning: Beginning
  readonly #isOpen: () => boolean
  #own: PartialUpload | undefined
  /** Bytes that the upload went on from; not to be reached before all of them are there. */
  #begun = Number.POSITIVE_INFINITY
  /** Until what is being prepared is durable; undefined while nothing is. */
  #preparing: Promise<void> | undefined
  #sealing: Promise<void> | undefined
  /** Waits in a row that came to nothing, and how many it takes until what is less than SLOW_BYTES is prepared. */
  #waits = 0
  #waitsMin = 1
  readonly #nextLate = () => this.#late()

  /** `isOpen` tells whether more of the upload may be prepared. */
  constructor(parts: PreparationParts, beginning: Beginning, isOpen: () => boolean) {
    this.#parts = parts
    this.#beginning = beginning
    this.#isOpen = isOpen
    this.#own = beginning.own
  }

  /** What is durable. */
  get own(): PartialUpload | undefined {
    return this.#own
  }

  /** Whether more of it is than it began with. */
  get hasAdded(): boolean {
    return this.#own !== this.#beginning.own
  }

  /** Pending until something may be written; undefined where it may. */
  get sealing(): Promise<void> | undefined {
    return this.#sealing
  }

  /** Resolves once nothing is being prepared. */
  async idle(): Promise<void> {
    await this.#preparing
  }

  /** All is there that the upload goes on from. */
  begin(): void {
    this.#begun = this.#beginning.intake.size
  }

  /** Something has come. */
  came(): void {
    if (this.#beginning.claim) this.#parts.unprepared.add(this.#nextLate)
  }

  /** Nothing more will come to be prepared. */
  end(): void {
    this.#parts.unprepared.delete(this.#nextLate)
  }

  /** At a multiple of the step: resolves once more may be written. */
  async step(): Promise<void> {
    await this.#reserve()
    await this.#next()
    await this.#sealing
  }

  /** What there is as the upload is cut off, where that is anything new. */
  async rest(): Promise<void> {
    if (this.#isNew) await this.prepare().catch(() => {})
  }

  get #isNew(): boolean {
    const { claim, intake } = this.#beginning
    return claim !== undefined && intake.size > this.#begun && intake.size !== this.#own?.size
  }

  /** Something has waited for long enough; for a trickle that is twice as long each time. */
  #late(): void {
    if (!this.#isOpen()) return
    const isSlow = this.#beginning.intake.size - (this.#own?.size ?? 0) < SLOW_BYTES
    this.#waits += 1
    if (isSlow && this.#waits < this.#waitsMin) {
      this.came()
      return
    }
    this.#waits = 0
    this.#waitsMin = isSlow ? Math.min(2 * this.#waitsMin, SLOW_WAITS_MAX) : 1
    void this.#next()
  }

  /** Begins to prepare what there is, once what is being prepared is durable; what was refused is tried again. */
  async #next(): Promise<void> {
    while (this.#preparing !== undefined) await this.#preparing
    if (!this.#isOpen() || !this.#isNew) return
    this.#sealing = new Promise((resolve) => {
      const sealed = () => {
        this.#sealing = undefined
        resolve()
      }
      this.#preparing = this.prepare(sealed)
        .catch(() => {
          this.#waitsMin = 1
          this.came()
        })
        .finally(() => {
          sealed()
          this.#preparing = undefined
        })
    })
  }

  /** Of what nobody declared the size, so much as comes until the next step; where there is no room it may end before. */
  async #reserve(): Promise<void> {
    const { claim, envelope, transaction } = this.#beginning
    if (!claim || (envelope.expected.size ?? envelope.announced) !== undefined) return
    await this.#parts.reserve(envelope, transaction, this.#parts.stepBytes).catch(() => {})
  }

  /** Nothing is prepared that has no room in a quota. */
  async prepare(sealed: () => void = () => {}): Promise<void> {
    const { underway, sequencer } = this.#parts
    const { envelope, intake, transaction, since, replaces: base, allowance } = this.#beginning
    if (allowance && !allowance.keep(intake.size)) return
    const { origin, name } = envelope
    const change = prepare({ origin, name, ...intake.freeze(), own: this.#own, since, base })
    this.#parts.unprepared.delete(this.#nextLate)
    const [durable] = await underway.during(() => sequencer.prepare(transaction, change, sealed))
    if (durable?.record.operation === 'prepare') this.#own = partialOf(durable.record)
  }
}
