import type { Sequence, Transaction } from '../pool/index.ts'
import type { Admission } from './admission.ts'
import { sequenceText } from './catalog/catalog-keys.ts'
import type { DurableRecord } from './catalog/catalog-port.ts'
import { annotate, type Change, remove, rename } from './changes.ts'
import type { Attributes, Envelope, ObjectName, Origin } from './envelope.ts'
import { StoreError } from './errors.ts'
import type { Intake } from './intake.ts'
import type { Housekeeping } from './partials/partial-housekeeping.ts'
import type { Allowance } from './policy/allowance.ts'
import type { Quotas } from './policy/quotas.ts'
import type { Scan, Scanning } from './scanning/scanning.ts'
import type { Sequencer } from './sequencer.ts'
import { inStoreWords, toStoreError } from './store-errors.ts'
import type { Receipt, StoreTransaction, TransactionUpload, Upload } from './store-port.ts'
import type { Underway } from './underway.ts'

/** What a transaction is carried out with. */
export interface TransactionParts {
  readonly admission: Admission
  readonly sequencer: Sequencer
  readonly underway: Underway
  readonly changesMax: number
  readonly quotas: Quotas
  readonly scanning: Pick<Scanning, 'begin'>
  /** Throws ERR_LOCKED for an upload that would replace what is locked, as far as that is known by now. */
  readonly refuseLocked: (envelope: Envelope) => Promise<void>
  readonly housekeeping: Pick<Housekeeping, 'roomFor' | 'makeRoom'>
}

type Step = (scan: Scan, evidence: Attributes) => Change | Promise<Change>

/**
 *   OPEN ──commit──▶ SEALED ──▶ ENDED
 *     ├──abort──▶ ENDED
 *     └──a write fails, or an upload is refused after it was admitted──▶ ENDED: what was staged is given back, and
 *        commit() says again why
 */
export class SequencedTransaction implements StoreTransaction {
  readonly #parts: TransactionParts
  readonly #transaction: Transaction
  readonly #steps: Step[] = []
  readonly #allowances: Allowance[] = []
  #uploads = 0
  #isOpen = true
  #failure: StoreError | undefined
  /** Of an upload. */
  #origin: Origin | undefined

  /** `transaction` is the pool's, just begun. */
  constructor(parts: TransactionParts, transaction: Transaction) {
    this.#parts = parts
    this.#transaction = transaction
  }

  async begin(envelope: Envelope): Promise<TransactionUpload> {
    return inStoreWords(async () => {
      this.#requireRoom()
      const intake = this.#parts.admission.admit(envelope, () => this.#transaction.stage())
      this.#uploads += 1
      this.#origin = envelope.origin
      let allowance: Allowance | undefined
      await this.#orEnd(async () => {
        await this.#parts.refuseLocked(envelope)
        allowance = await this.#allow(envelope)
        const { housekeeping } = this.#parts
        const bytes = envelope.expected.size ?? envelope.announced ?? 0
        await housekeeping.roomFor(envelope.origin, this.#transaction, bytes)
      })
      this.#steps.push((scan, evidence) => intake.finish(scan, evidence, { allowance }))
      return new IntakeUpload(intake, (chunk) => this.#write(intake, chunk, allowance))
    })
  }

  async remove(origin: Origin, name: ObjectName): Promise<void> {
    this.#add(remove(origin, name))
  }

  async rename(origin: Origin, from: ObjectName, to: ObjectName): Promise<void> {
    this.#add(rename(origin, from, to))
  }

  async annotate(origin: Origin, name: ObjectName, set: Attributes, unset: readonly string[]): Promise<void> {
    this.#add(annotate(origin, name, set, unset))
  }

  async commit(evidence: Attributes = {}): Promise<readonly Receipt[]> {
    this.#requireOpen()
    this.#isOpen = false
    return this.#parts.underway.during(() => this.#commitSteps(evidence))
  }

  async #commitSteps(evidence: Attributes): Promise<readonly Receipt[]> {
    try {
      const changes: Change[] = []
      const scan = this.#parts.scanning.begin()
      for (const step of this.#steps) changes.push(await step(scan, evidence))
      const records = await this.#parts.sequencer.commit(this.#transaction, changes)
      this.#giveBack(records.at(-1)?.record.sequence)
      return receiptsOf(records)
    } catch (error) {
      this.#giveBack()
      await this.#transaction.abort()
      await this.#makeRoom(error)
      throw toStoreError(error)
    } finally {
      this.#parts.admission.leave(this.#uploads)
    }
  }

  async abort(_reason?: Error): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#parts.admission.leave(this.#uploads)
    this.#giveBack()
    await inStoreWords(() => this.#transaction.abort())
  }

  async #write(intake: Intake, chunk: Uint8Array, allowance: Allowance | undefined): Promise<void> {
    this.#requireOpen()
    try {
      await this.#orEnd(async () => {
        if (allowance) await allowance.grow(intake.size + chunk.length)
        await intake.write(chunk)
      })
    } catch (error) {
      await this.#makeRoom(error)
      throw error
    }
  }

  async #allow(envelope: Envelope): Promise<Allowance | undefined> {
    const allowance = await this.#parts.quotas.allowUpload(envelope)
    if (allowance) this.#allowances.push(allowance)
    return allowance
  }

  /** With the sequence of the last record that was made, once that is counted. */
  #giveBack(sequence?: Sequence): void {
    for (const allowance of this.#allowances.splice(0)) void this.#parts.quotas.release(allowance, sequence)
  }

  async #orEnd(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#failure ??= toStoreError(error)
      await this.abort()
      throw this.#failure
    }
  }

  /** What was refused for want of room finds some when it is tried again, as long as there are partial uploads. */
  async #makeRoom(error: unknown): Promise<void> {
    if (!this.#origin || toStoreError(error).code !== 'ERR_NO_SPACE') return
    await this.#parts.housekeeping.makeRoom(this.#origin).catch(() => {})
  }

  #add(change: Change): void {
    this.#requireRoom()
    this.#steps.push(() => change)
  }

  #requireRoom(): void {
    this.#requireOpen()
    const { changesMax } = this.#parts
    if (this.#steps.length >= changesMax)
      throw new StoreError('ERR_TOO_LARGE', `a transaction has at most ${changesMax} uploads and changes`)
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw this.#failure ?? new StoreError('ERR_INTERNAL', 'the upload has ended')
  }
}

class IntakeUpload implements TransactionUpload {
  readonly #intake: Intake
  readonly write: (chunk: Uint8Array) => Promise<void>

  constructor(intake: Intake, write: (chunk: Uint8Array) => Promise<void>) {
    this.#intake = intake
    this.write = write
  }

  get size(): number {
    return this.#intake.size
  }
}

/** An upload of its own is a transaction of one. */
export class SoleUpload implements Upload {
  readonly #transaction: StoreTransaction
  readonly #upload: TransactionUpload

  constructor(transaction: StoreTransaction, upload: TransactionUpload) {
    this.#transaction = transaction
    this.#upload = upload
  }

  get size(): number {
    return this.#upload.size
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#upload.write(chunk)
  }

  async commit(evidence?: Attributes): Promise<Receipt> {
    const [receipt] = await this.#transaction.commit(evidence)
    return receipt!
  }

  abort(reason?: Error): Promise<void> {
    return this.#transaction.abort(reason)
  }
}

export function receiptsOf(records: readonly DurableRecord[]): readonly Receipt[] {
  return records.flatMap(({ record }) => {
    if (record.operation !== 'put') return []
    const { object, bucket, key, sequence, size, digests } = record
    return [{ object, bucket, key, version: sequenceText(sequence), sequence, size, digests }]
  })
}
