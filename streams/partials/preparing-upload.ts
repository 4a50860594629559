import type { Sequence } from '../../pool/index.ts'
import type { Admission } from '../admission.ts'
import type { Attributes, Envelope } from '../envelope.ts'
import { StoreError, type StoreErrorCode } from '../errors.ts'
import type { Quotas } from '../policy/quotas.ts'
import type { Scanning } from '../scanning/scanning.ts'
import type { Sequencer } from '../sequencer.ts'
import { toStoreError } from '../store-errors.ts'
import type { Receipt } from '../store-port.ts'
import { receiptsOf } from '../store-transaction.ts'
import type { PartialUpload, ResumableUpload } from './partial-port.ts'
import { type Beginning, Preparation, type PreparationParts } from './preparation.ts'

export interface PreparingParts extends PreparationParts {
  readonly admission: Pick<Admission, 'leave'>
  readonly sequencer: Pick<Sequencer, 'commit' | 'prepare'>
  readonly quotas: Pick<Quotas, 'release'>
  readonly scanning: Pick<Scanning, 'begin'>
  /** Lets go of what was prepared of an upload that has ended. */
  readonly abandon: (envelope: Envelope, partial: PartialUpload) => Promise<void>
  /** An upload has left something behind. */
  readonly suspended: (envelope: Envelope, left: PartialUpload) => Promise<void>
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
  #last: Uint8Array = NOTHING
  #state: State = 'open'
  #failure: StoreError | undefined
  readonly #preparation: Preparation

  constructor(parts: PreparingParts, beginning: Beginning) {
    this.#parts = parts
    this.#beginning = beginning
    this.#preparation = new Preparation(parts, beginning, () => this.#state === 'open')
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
    await this.#preparation.idle()
    await this.#preparation.rest()
    await this.#leave()
    const { own } = this.#preparation
    if (own) await this.#parts.suspended(this.#beginning.envelope, own).catch(() => {})
  }

  async abort(_reason?: Error): Promise<void> {
    await this.#giveUp('open')
  }

  /** Makes it durable that an upload begins: what was there under its name is not to be taken for a part of it. */
  async mark(): Promise<void> {
    try {
      await this.#preparation.prepare()
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
    this.#preparation.begin()
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
      if (this.#preparation.sealing !== undefined) await this.#preparation.sealing
      this.#requireOpen() // It may have ended while it waited for room.
      await intake.write(piece)
      this.#preparation.came()
      offset += piece.length
      if (piece.length === room) await this.#preparation.step()
    }
  }

  async #commit(evidence: Attributes): Promise<Receipt> {
    const { intake, transaction, claim, replaces, allowance } = this.#beginning
    await this.#preparation.idle()
    await this.#takeLast()
    const partial = claim && { own: this.#preparation.own }
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
    await this.#preparation.idle()
    await this.#beginning.transaction.abort().catch(() => {})
    const { own, hasAdded } = this.#preparation
    const isKept = failure ? TRANSIENT.has(failure.code) : !hasAdded
    if (own && !isKept) await this.#parts.abandon(this.#beginning.envelope, own).catch(() => {})
    await this.#leave()
  }

  /** `sequence` is that of its record, when it came to one. */
  async #leave(sequence?: Sequence): Promise<void> {
    const { allowance } = this.#beginning
    this.#preparation.end()
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
