import type { Sequence, Transaction } from '../../pool/index.ts'
import type { Admission } from '../admission.ts'
import type { Attributes, Envelope } from '../envelope.ts'
import { StoreError, type StoreErrorCode } from '../errors.ts'
import type { Intake } from '../intake.ts'
import type { Allowance } from '../policy/allowance.ts'
import type { Quotas } from '../policy/quotas.ts'
import type { Scanning } from '../scanning/scanning.ts'
import type { Sequencer } from '../sequencer.ts'
import { toStoreError } from '../store-errors.ts'
import type { Receipt } from '../store-port.ts'
import { receiptsOf } from '../store-transaction.ts'
import type { Underway } from '../underway.ts'
import { prepare } from './partial-changes.ts'
import type { PartialUpload, ResumableUpload } from './partial-port.ts'
import { partialOf } from './partial-state.ts'
import type { Claim } from './partial-table.ts'
import type { Unprepared } from './unprepared.ts'

export interface PreparingParts {
  readonly admission: Pick<Admission, 'leave'>
  readonly sequencer: Pick<Sequencer, 'commit' | 'prepare'>
  readonly underway: Underway
  readonly quotas: Pick<Quotas, 'release'>
  readonly scanning: Pick<Scanning, 'begin'>
  /** An upload is prepared at each multiple of so many bytes, and goes on meanwhile: what is not durable is twice as much at the most. */
  readonly stepBytes: number
  /** And when something of it has waited for long enough. */
  readonly unprepared: Unprepared
  /** Reserves, and lets partial uploads go while there is no room. */
  readonly reserve: (envelope: Envelope, transaction: Transaction, bytes: number) => Promise<void>
  /** Lets go of what was prepared of an upload that has ended. */
  readonly abandon: (envelope: Envelope, partial: PartialUpload) => Promise<void>
  /** An upload has left something behind. */
  readonly suspended: (envelope: Envelope, left: PartialUpload) => Promise<void>
}

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

/** Refusals after which the same may be tried again: what is durable stays. */
const TRANSIENT: ReadonlySet<StoreErrorCode> = new Set([
  'ERR_NO_SPACE',
  'ERR_BUSY',
  'ERR_TIMEOUT',
  'ERR_OUTCOME_UNKNOWN',
  'ERR_HALTED',
])

type State = 'open' | 'sealed' | 'ended'

/**
 * An upload that is made durable now and then while it runs, without its bytes being copied: each time a record takes
 * over what the one before it owned. If power fails here, the last such record is a partial upload.
 *
 * 1. What a record says of the stages is true of exactly the bytes that it owns: none comes between the two, nor after its end.
 * 2. Nothing is prepared before all of its basis is there: what is left is never less than what was gone on from.
 * 3. Whoever ends it waits for what is being prepared.
 * 4. The last byte that came is held back until another one comes, or the end. A client that finds all of its file there takes it
 *    for stored, and sends nothing that would end it: so what is durable of an upload is never all of it.
 */
export class PreparingUpload implements ResumableUpload {
  readonly #parts: PreparingParts
  readonly #beginning: Beginning
  readonly #basis: Promise<void>
  #own: PartialUpload | undefined
  /** Bytes that it went on from; not to be reached before all of them are there. */
  #begun = Number.POSITIVE_INFINITY
  #last: Uint8Array = NOTHING
  #state: State = 'open'
  #failure: StoreError | undefined
  /** Until what is being prepared is durable; undefined while nothing is. */
  #preparing: Promise<void> | undefined
  /** Until what is being prepared is sealed: nothing is written meanwhile. */
  #sealing: Promise<void> | undefined
  /** Something of it has waited for long enough, whether more of it comes or not. */
  readonly #prepareLate = () => void this.#prepareNext()

  constructor(parts: PreparingParts, beginning: Beginning) {
    this.#parts = parts
    this.#beginning = beginning
    this.#own = beginning.own
    this.#basis = this.#copy(beginning.basis?.chunks)
    this.#basis.catch(() => {}) // Told to whoever writes or commits.
  }

  get size(): number {
    return this.#beginning.intake.size + this.#last.length
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      await this.#basis
      if (chunk.length > 0) await this.#takeBut(chunk)
    } catch (error) {
      this.#failure ??= toStoreError(error)
      await this.#giveUp('open', this.#failure)
      throw this.#failure
    }
  }

  async commit(evidence: Attributes = {}): Promise<Receipt> {
    this.#requireOpen()
    return this.#parts.underway.during(async () => {
      try {
        await this.#basis
        this.#requireOpen()
        this.#state = 'sealed'
        return await this.#commit(evidence)
      } catch (error) {
        const failure = toStoreError(error)
        await this.#giveUp('sealed', failure)
        throw failure
      }
    })
  }

  async suspend(_reason?: Error): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    await this.#preparing
    const { size } = this.#beginning.intake
    const isNew = size > this.#begun && size !== this.#own?.size
    if (this.#beginning.claim && isNew) await this.#prepare().catch(() => {})
    await this.#leave()
    if (this.#own) await this.#parts.suspended(this.#beginning.envelope, this.#own).catch(() => {})
  }

  async abort(_reason?: Error): Promise<void> {
    await this.#giveUp('open')
  }

  /** Makes it durable that an upload begins: what was there under its name is not to be taken for a part of it. */
  async mark(): Promise<void> {
    try {
      await this.#prepare()
    } catch (error) {
      await this.#giveUp('open', toStoreError(error))
      throw error
    }
  }

  async #copy(chunks: AsyncIterable<Uint8Array> = nothing()): Promise<void> {
    for await (const chunk of chunks) {
      this.#requireOpen()
      await this.#beginning.intake.write(chunk)
    }
    this.#begun = this.#beginning.intake.size
  }

  async #takeLast(): Promise<void> {
    const last = this.#last
    this.#last = NOTHING
    if (last.length === 0) return
    const { intake, allowance } = this.#beginning
    await allowance?.grow(intake.size + last.length)
    await intake.write(last)
  }

  /** All but the last byte, and that of the chunk before. */
  async #takeBut(chunk: Uint8Array): Promise<void> {
    const last = this.#last
    this.#last = NOTHING
    await this.#take(last)
    await this.#take(chunk.subarray(0, -1))
    this.#last = Uint8Array.prototype.slice.call(chunk, -1)
  }

  async #take(chunk: Uint8Array): Promise<void> {
    const { stepBytes } = this.#parts
    const { intake, allowance } = this.#beginning
    for (let offset = 0; offset < chunk.length; ) {
      const room = stepBytes - (intake.size % stepBytes)
      const piece = chunk.subarray(offset, offset + room)
      await allowance?.grow(intake.size + piece.length)
      if (this.#sealing !== undefined) await this.#sealing
      this.#requireOpen() // It may have ended while it waited for room.
      await intake.write(piece)
      if (this.#beginning.claim) this.#parts.unprepared.add(this.#prepareLate)
      offset += piece.length
      if (piece.length === room) await this.#step()
    }
  }

  /** That it cannot be prepared is no failure of the upload: less of it can be gone on with. */
  async #step(): Promise<void> {
    await this.#reserve()
    await this.#prepareNext()
    await this.#sealing
  }

  /** Begins to prepare what there is, once what is being prepared is durable. */
  async #prepareNext(): Promise<void> {
    while (this.#preparing !== undefined) await this.#preparing
    const { claim, intake } = this.#beginning
    if (!claim || this.#state !== 'open' || intake.size <= this.#begun || intake.size === this.#own?.size) return
    this.#sealing = new Promise((resolve) => {
      const sealed = () => {
        this.#sealing = undefined
        resolve()
      }
      this.#preparing = this.#prepare(sealed)
        .catch(() => this.#parts.unprepared.add(this.#prepareLate))
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

  async #prepare(sealed: () => void = () => {}): Promise<void> {
    const { underway, sequencer } = this.#parts
    const { envelope, intake, transaction, since, replaces: base, allowance } = this.#beginning
    if (allowance && !allowance.keep(intake.size)) return
    const { origin, name } = envelope
    const change = prepare({ origin, name, ...intake.freeze(), own: this.#own, since, base })
    this.#parts.unprepared.delete(this.#prepareLate)
    const [durable] = await underway.during(() => sequencer.prepare(transaction, change, sealed))
    if (durable?.record.operation === 'prepare') this.#own = partialOf(durable.record)
  }

  async #commit(evidence: Attributes): Promise<Receipt> {
    const { intake, transaction, claim, replaces, allowance } = this.#beginning
    await this.#preparing
    await this.#takeLast()
    const partial = claim && { own: this.#own }
    const ending = { ...(partial && { partial }), ...(replaces !== undefined && { replaces }), allowance }
    const change = await intake.finish(this.#parts.scanning.begin(), evidence, ending)
    const [receipt] = receiptsOf(await this.#parts.sequencer.commit(transaction, [change]))
    this.#state = 'ended'
    await this.#leave(receipt!.sequence)
    return receipt!
  }

  /** Ends it unless it is past `state`. What is durable of it stays when it may be tried again, or was there before it. */
  async #giveUp(state: State, failure?: StoreError): Promise<void> {
    if (this.#state !== state) return
    this.#state = 'ended'
    await this.#preparing
    await this.#beginning.transaction.abort().catch(() => {})
    const isKept = failure ? TRANSIENT.has(failure.code) : this.#own === this.#beginning.own
    if (this.#own && !isKept) await this.#parts.abandon(this.#beginning.envelope, this.#own).catch(() => {})
    await this.#leave()
  }

  /** `sequence` is that of its record, when it came to one. */
  async #leave(sequence?: Sequence): Promise<void> {
    const { allowance } = this.#beginning
    this.#parts.unprepared.delete(this.#prepareLate)
    if (allowance) void this.#parts.quotas.release(allowance, sequence)
    await this.#beginning.transaction.abort().catch(() => {}) // Void where it was committed.
    this.#parts.admission.leave(1)
    this.#beginning.claim?.release()
  }

  #requireOpen(): void {
    if (this.#state !== 'open') throw this.#failure ?? new StoreError('ERR_INTERNAL', 'the upload has ended')
  }
}

const NOTHING = new Uint8Array(0)

async function* nothing(): AsyncGenerator<Uint8Array> {}
