import type { Sequence, Transaction } from '../pool/index.ts'
import type { Admission } from './admission.ts'
import { sequenceText } from './catalog/catalog-keys.ts'
import type { DurableRecord } from './catalog/catalog-port.ts'
import { annotate, type Change, remove, rename } from './changes.ts'
import { Derivation, type DerivedUpload } from './derivation.ts'
import { type Attributes, bytesToCome, type Envelope, type ObjectName, type Origin } from './envelope.ts'
import { StoreError } from './errors.ts'
import type { Intake } from './intake.ts'
import type { Housekeeping } from './partials/partial-housekeeping.ts'
import type { Allowance } from './policy/allowance.ts'
import type { Quotas } from './policy/quotas.ts'
import { quarantined } from './quarantine/quarantine.ts'
import type { Scan, Scanning } from './scanning/scanning.ts'
import type { Sequencer } from './sequencer.ts'
import { inStoreWords, toStoreError } from './store-errors.ts'
import type { Finding, Receipt, StoreTransaction, TransactionUpload, Upload } from './store-port.ts'
import type { Underway } from './underway.ts'

/** What a transaction is carried out with. */
export interface TransactionParts {
  readonly admission: Admission
  readonly sequencer: Sequencer
  readonly underway: Underway
  readonly clock: { now(): number }
  readonly changesMax: number
  /** Of what was derived and has ended, the bytes that may be held in memory until the commit. */
  readonly heldBytesMax: number
  readonly quotas: Quotas
  readonly scanning: Pick<Scanning, 'begin'>
  /** Throws ERR_LOCKED for an upload that would replace what is locked, as far as that is known by now. */
  readonly refuseLocked: (envelope: Envelope) => Promise<void>
  readonly housekeeping: Pick<Housekeeping, 'roomFor' | 'makeRoom'>
}

type Step = (scan: Scan, evidence: Attributes) => Change | Promise<Change>

/** An upload of the transaction, begun by its owner or derived from one that was. */
interface Member {
  readonly intake: Intake
  readonly allowance: Allowance | undefined
  readonly derivation: Derivation
  readonly step: Step
}

/** What is noted of an upload, shared with those that come out of it. */
interface Notes {
  attributes: Attributes
}

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
  /** Whose receipts are told. */
  readonly #begun = new Set<string>()
  #heldBytes = 0
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
      this.#begun.add(placeOf(envelope.name))
      let member: Member | undefined
      const notes: Notes = { attributes: {} }
      await this.#orEnd(async () => {
        member = await this.#join(envelope, intake, notes)
      })
      const note = (finding: Finding) => this.#note(notes, finding)
      return new IntakeUpload(intake, (chunk) => this.#write(member!, chunk), note)
    })
  }

  #note(notes: Notes, { attributes, quarantine }: Finding): void {
    this.#requireOpen()
    const { clock } = this.#parts
    const held = quarantine === undefined ? {} : quarantined({}, quarantine, clock.now())
    notes.attributes = { ...notes.attributes, ...attributes, ...held }
  }

  async #join(envelope: Envelope, intake: Intake, notes: Notes): Promise<Member> {
    await this.#parts.refuseLocked(envelope)
    const allowance = await this.#parts.quotas.allowUpload(envelope)
    if (allowance) this.#allowances.push(allowance)
    await this.#parts.housekeeping.roomFor(envelope.origin, this.#transaction, bytesToCome(envelope))
    const derivation = new Derivation((derived) => this.#derive(derived, notes))
    const step: Step = async (scan, evidence) => {
      await derivation.take(intake.derive(true))
      return intake.finish(scan, { ...evidence, ...notes.attributes }, { allowance })
    }
    this.#steps.push(step)
    return { intake, allowance, derivation, step }
  }

  /** What comes out of an upload stands behind it, so that it can refer to it. */
  async #derive(envelope: Envelope, notes: Notes): Promise<DerivedUpload> {
    if (this.#steps.length >= this.#parts.changesMax) throw this.#tooMany()
    const intake = this.#parts.admission.derive(envelope, () => this.#transaction.stage())
    const member = await this.#join(envelope, intake, notes)
    return {
      write: (bytes) => this.#take(member, bytes),
      end: () => this.#hold(intake),
      drop: () => this.#drop(member),
    }
  }

  async #hold(intake: Intake): Promise<void> {
    if (this.#heldBytes + intake.size > this.#parts.heldBytesMax) await intake.staging.shed()
    else this.#heldBytes += intake.size
  }

  async #drop({ intake, allowance, step }: Member): Promise<void> {
    this.#steps.splice(this.#steps.indexOf(step), 1)
    if (allowance) {
      this.#allowances.splice(this.#allowances.indexOf(allowance), 1)
      void this.#parts.quotas.release(allowance)
    }
    await this.#transaction.drop(intake.staging)
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
      return receiptsOf(records).filter((receipt) => this.#begun.has(placeOf(receipt)))
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

  async #write(member: Member, chunk: Uint8Array): Promise<void> {
    this.#requireOpen()
    try {
      await this.#orEnd(async () => {
        await this.#take(member, chunk)
        await member.derivation.take(member.intake.derive(false))
      })
    } catch (error) {
      await this.#makeRoom(error)
      throw error
    }
  }

  async #take({ intake, allowance }: Member, chunk: Uint8Array): Promise<void> {
    if (allowance) await allowance.grow(intake.size + chunk.length)
    await intake.write(chunk)
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
    if (this.#steps.length >= this.#parts.changesMax) throw this.#tooMany()
  }

  #tooMany(): StoreError {
    return new StoreError('ERR_TOO_LARGE', `a transaction has at most ${this.#parts.changesMax} uploads and changes`)
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw this.#failure ?? new StoreError('ERR_INTERNAL', 'the upload has ended')
  }
}

class IntakeUpload implements TransactionUpload {
  readonly #intake: Intake
  readonly write: TransactionUpload['write']
  readonly note: TransactionUpload['note']

  constructor(intake: Intake, write: TransactionUpload['write'], note: TransactionUpload['note']) {
    this.#intake = intake
    this.write = write
    this.note = note
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

function placeOf({ bucket, key }: ObjectName): string {
  return `${bucket}/${key}`
}

export function receiptsOf(records: readonly DurableRecord[]): readonly Receipt[] {
  return records.flatMap(({ record }) => {
    if (record.operation !== 'put') return []
    const { object, bucket, key, sequence, size, digests } = record
    return [{ object, bucket, key, version: sequenceText(sequence), sequence, size, digests }]
  })
}
