import type { Pool, Transaction } from '../../pool/index.ts'
import type { Admission } from '../admission.ts'
import type { Envelope, ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import type { Intake } from '../intake.ts'
import { checkName } from '../names.ts'
import { permit } from '../permission.ts'
import type { Allowance } from '../policy/allowance.ts'
import type { Quotas } from '../policy/quotas.ts'
import { decodeRecord } from '../records/record-codec.ts'
import type { Scanning } from '../scanning/scanning.ts'
import type { Sequencer } from '../sequencer.ts'
import { inStoreWords } from '../store-errors.ts'
import type { Underway } from '../underway.ts'
import { abandon, OVERTAKEN } from './partial-changes.ts'
import type { Housekeeping } from './partial-housekeeping.ts'
import type { Partials, PartialUpload, ResumableUpload } from './partial-port.ts'
import { type Source, Sources, type SourcesParts } from './partial-sources.ts'
import type { Claim } from './partial-table.ts'
import type { Beginning } from './preparation.ts'
import { type PreparingParts, PreparingUpload } from './preparing-upload.ts'
import type { Unprepared } from './unprepared.ts'

export interface PartialStoreParts extends SourcesParts {
  readonly pool: Pick<Pool, 'resume' | 'record' | 'read'>
  readonly sequencer: Sequencer
  readonly admission: Admission
  readonly underway: Underway
  readonly housekeeping: Housekeeping
  readonly quotas: Quotas
  readonly scanning: Pick<Scanning, 'begin'>
  readonly refuseLocked: (envelope: Envelope) => Promise<void>
  readonly beginTransaction: () => Transaction
  readonly stepBytes: number
  readonly unprepared: Unprepared
}

type Start = Omit<Beginning, 'envelope' | 'claim' | 'allowance'>

/** Uploads that can be gone on with; what is durable of them is a fold of the records, and so there again after a crash. */
export class PartialStore implements Partials {
  readonly #parts: PartialStoreParts
  readonly #preparing: PreparingParts
  readonly #sources: Sources

  constructor(parts: PartialStoreParts) {
    this.#parts = parts
    this.#sources = new Sources(parts)
    const { admission, sequencer, underway, stepBytes, unprepared, housekeeping, quotas, scanning } = parts
    this.#preparing = {
      admission,
      sequencer,
      underway,
      stepBytes,
      unprepared,
      quotas,
      scanning,
      reserve: ({ origin }, transaction, bytes) => housekeeping.roomFor(origin, transaction, bytes),
      abandon: async ({ origin }, partial) =>
        void (await parts.commit(abandon(origin, partial, 'its upload was refused'))),
      suspended: async ({ origin }, left) => {
        if (!(await this.#sources.isCurrent(left))) await housekeeping.drop(origin, left, OVERTAKEN)
        await housekeeping.displace(origin, origin.principal.application)
      },
    }
  }

  begin(envelope: Envelope): Promise<ResumableUpload> {
    return inStoreWords(async () => {
      const { origin, name } = envelope
      const claim = this.#parts.partials.claim(placeOf(origin, name))
      return orRelease(claim, () => this.#anew(envelope, claim))
    })
  }

  resume(envelope: Envelope, offset?: number): Promise<ResumableUpload> {
    return inStoreWords(async () => {
      const { origin, name } = envelope
      permit(origin, 'object:write')
      checkName(name)
      const claim = this.#parts.partials.claim(placeOf(origin, name))
      if (!claim) throw new StoreError('ERR_BUSY', 'another upload goes on under that name')
      return orRelease(claim, async () => {
        const source = await this.#sources.at(origin, name)
        const size = source?.size ?? 0
        const from = offset ?? size
        if (from > size) throw new StoreError('ERR_RANGE', `${size} bytes are there to go on from`)
        if (!source || from === 0) return this.#anew(envelope, claim)
        const { partial } = source
        return partial && from === size
          ? this.#goOn(envelope, partial, claim)
          : this.#copy(envelope, source, from, claim)
      })
    })
  }

  find(origin: Origin, name: ObjectName): Promise<PartialUpload | undefined> {
    return inStoreWords(async () => {
      permit(origin, 'object:write')
      const { partials, sequencer } = this.#parts
      const partial = partials.get(placeOf(origin, name))
      if (partial && (await this.#sources.isCurrent(partial))) return partial
      await sequencer.settledUnder(name.bucket, name.key) // What took its place perhaps is seen by whoever looks next.
      return undefined
    })
  }

  findAll(origin: Origin, bucket: string, prefix: string): Promise<readonly PartialUpload[]> {
    return inStoreWords(async () => {
      permit(origin, 'object:write')
      const { application } = origin.principal
      const own = this.#parts.partials
        .all()
        .filter(
          (partial) =>
            partial.application === application && partial.bucket === bucket && partial.key.startsWith(prefix),
        )
      const isCurrent = await Promise.all(own.map((partial) => this.#sources.isCurrent(partial)))
      await this.#parts.sequencer.settledUnder(bucket, prefix)
      return own.filter((_, index) => isCurrent[index])
    })
  }

  async list(origin: Origin): Promise<readonly PartialUpload[]> {
    permit(origin, 'bucket:manage')
    return this.#parts.housekeeping.oldestFirst()
  }

  drop(origin: Origin, application: string, name: ObjectName): Promise<boolean> {
    return inStoreWords(async () => {
      const isOwn = application === origin.principal.application
      permit(origin, isOwn ? 'object:write' : 'bucket:manage')
      const partial = this.#parts.partials.get({ ...name, application })
      if (!partial) return false
      const dropped = await this.#parts.housekeeping.drop(origin, partial, 'dropped on request')
      if (dropped === 'claimed') throw new StoreError('ERR_BUSY', 'an upload goes on under that name')
      return dropped === 'dropped'
    })
  }

  /** Before what was there is gone on from by mistake, it is durable that something else begins. */
  async #anew(envelope: Envelope, claim: Claim | undefined): Promise<PreparingUpload> {
    const { partials, sequencer } = this.#parts
    const place = placeOf(envelope.origin, envelope.name)
    const since = sequencer.last
    const upload = await this.#start(envelope, claim, async (transaction) => ({
      intake: this.#parts.admission.admit(envelope, () => transaction.stage()),
      since,
    }))
    if (claim && (partials.get(place) || (await sequencer.bound(envelope.name)))) await upload.mark()
    return upload
  }

  /** The bytes are taken over, and so is what the stages had found by then. */
  async #goOn(envelope: Envelope, own: PartialUpload, claim: Claim): Promise<PreparingUpload> {
    const { pool, admission } = this.#parts
    const { transaction, payloads } = await pool.resume(own.prepared)
    const readmit = async (): Promise<Intake> => {
      const record = decodeRecord((await pool.record(own.prepared)).content)
      if (record.operation !== 'prepare') throw new StoreError('ERR_CORRUPT', `record ${own.prepared} prepares nothing`)
      const replay = pool.read(own.prepared, 0)
      return admission.readmit(envelope, { frozen: record.stages, replay, staging: payloads[0]! })
    }
    return this.#start(
      envelope,
      claim,
      async () => ({ intake: await readmit(), own, since: own.prepared, replaces: own.base }),
      transaction,
    )
  }

  async #copy(envelope: Envelope, source: Source, from: number, claim: Claim): Promise<PreparingUpload> {
    const { pool, admission } = this.#parts
    return this.#start(envelope, claim, async (transaction) => ({
      intake: admission.admit(envelope, () => transaction.stage()),
      since: source.sequence,
      basis: { size: from, chunks: pool.read(source.sequence, 0, { offset: 0, length: from }) },
      replaces: source.partial ? source.partial.base : source.sequence,
    }))
  }

  async #start(
    envelope: Envelope,
    claim: Claim | undefined,
    begin: (transaction: Transaction) => Promise<Omit<Start, 'transaction'>>,
    transaction: Transaction = this.#parts.beginTransaction(),
  ): Promise<PreparingUpload> {
    try {
      const start = await begin(transaction)
      const allowance = await this.#admitted(envelope, transaction, start, claim)
      return new PreparingUpload(this.#preparing, { envelope, transaction, claim, allowance, ...start })
    } catch (error) {
      await transaction.abort()
      throw error
    }
  }

  async #admitted(
    envelope: Envelope,
    transaction: Transaction,
    { intake, basis }: Omit<Start, 'transaction'>,
    claim: Claim | undefined,
  ): Promise<Allowance | undefined> {
    const { quotas } = this.#parts
    const { expected, announced = 0 } = envelope
    const bytes = Math.max(0, (expected.size ?? announced) - intake.size)
    let allowance: Allowance | undefined
    try {
      await this.#parts.refuseLocked(envelope)
      allowance = await quotas.allowUpload(envelope, basis?.size ?? intake.size, claim)
      await this.#preparing.reserve(envelope, transaction, bytes)
      return allowance
    } catch (error) {
      if (allowance) void quotas.release(allowance)
      this.#parts.admission.leave(1)
      throw error
    }
  }
}

const placeOf = ({ principal: { application } }: Origin, { bucket, key }: ObjectName) => ({ application, bucket, key })

/** A claim is given back when nothing came of it. */
async function orRelease<T>(claim: Claim | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    claim?.release()
    throw error
  }
}
