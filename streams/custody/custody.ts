import type { Pool, Sequence } from '../../pool/index.ts'
import type { Catalog } from '../catalog/catalog-port.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { permit } from '../permission.ts'
import type { CheckpointRecord, KeyRecord } from '../records/record.ts'
import { decodeRecord, digestOf } from '../records/record-codec.ts'
import type { Sequencer } from '../sequencer.ts'
import { inStoreWords, toStoreError } from '../store-errors.ts'
import type { StoreReader } from '../store-reader.ts'
import type { VersionReader } from '../versions/version-reader.ts'
import { BUNDLE_KEYS_MAX } from './bundle-check.ts'
import type { Custody, EvidenceVersions, KeyChest, PublicKey, VerifyEvent, VerifyRequest } from './custody-port.ts'
import { evidenceBundle } from './evidence.ts'
import { evidenceSubject } from './evidence-subject.ts'
import { Notary, type NotaryOptions } from './notary.ts'
import type { SigningKey } from './signed-record.ts'
import { verifyStream } from './verification.ts'

export const CUSTODY_LIMITS = {
  /** Records after which a checkpoint is signed. */
  checkpointRecordsMax: 1024,
  /** How long a record waits for its checkpoint, while the pool takes any. */
  checkpointMsMax: 60_000,
} as const

export interface CustodyOptions extends Pick<NotaryOptions, 'origin' | 'timers' | 'onFailure'> {
  readonly chest: KeyChest
  readonly limits?: Partial<{ readonly [Name in keyof typeof CUSTODY_LIMITS]: number }>
  /** Begins a new succession when the key that signs is lost, which every verification will tell of. */
  readonly replaceLostKey?: boolean
}

export interface CustodyParts {
  readonly pool: Pool
  readonly catalog: Catalog
  readonly sequencer: Sequencer
  readonly reader: StoreReader
  readonly versionReader: VersionReader
}

export interface OpenCustody extends Custody {
  /** Signs what is left. The store stays open. */
  close(): Promise<void>
}

/**
 * Opens the custody of a store: finds the key that signs, or makes the first one, and begins to sign. ERR_CORRUPT when
 * that key is lost.
 */
export async function openCustody(parts: CustodyParts, options: CustodyOptions): Promise<OpenCustody> {
  return inStoreWords(async () => {
    const { chest, replaceLostKey = false } = options
    const records = await keyRecords(parts)
    const active = records.at(-1)
    const known = active && chest.get(active.id)
    if (active && !known && !replaceLostKey)
      throw new StoreError('ERR_CORRUPT', `the signing key ${active.id} is lost: put it back from a backup`)
    const key = known ?? (await chest.create())
    const notary = await openNotary(parts, options, key)
    if (!known) await notary.introduce()
    await notary.start()
    await chest.retain(key.id)
    return new StoreCustody(parts, chest, notary)
  })
}

async function openNotary(parts: CustodyParts, options: CustodyOptions, key: SigningKey): Promise<Notary> {
  const { pool, catalog } = parts
  const sequence = await catalog.checkpointOf()
  const stored = sequence === undefined ? undefined : await pool.record(sequence)
  const last = stored ? (decodeRecord(stored.content) as CheckpointRecord).covers.last : 0
  const before = stored ? { sequence: stored.sequence, digest: digestOf(stored.content) } : { sequence: 0, digest: '' }
  const { limits, chest: _, ...more } = options
  return new Notary({ ...parts, ...CUSTODY_LIMITS, ...limits, ...more }, key, { before, last })
}

class StoreCustody implements OpenCustody {
  readonly #parts: CustodyParts
  readonly #chest: KeyChest
  readonly #notary: Notary
  #isVerifying = false
  #isRotating = false

  constructor(parts: CustodyParts, chest: KeyChest, notary: Notary) {
    this.#parts = parts
    this.#chest = chest
    this.#notary = notary
  }

  keys(): Promise<readonly PublicKey[]> {
    return inStoreWords(async () => {
      await this.#parts.reader.settled()
      const records = await keyRecords(this.#parts)
      return records.map((record, index) => publicKeyOf(record, index === records.length - 1))
    })
  }

  /** If power fails before the record is durable the new key is forgotten at the next start, and else the old one is. */
  rotate(origin: Origin): Promise<PublicKey> {
    return inStoreWords(async () => {
      permit(origin, 'application:manage')
      if (this.#isRotating) throw new StoreError('ERR_CONFLICT', 'the key is being rotated')
      this.#isRotating = true
      try {
        return await this.#rotate(origin)
      } finally {
        this.#isRotating = false
      }
    })
  }

  verify(origin: Origin, request: VerifyRequest): Promise<AsyncIterable<VerifyEvent>> {
    return inStoreWords(async () => {
      permit(origin, 'object:read')
      return this.#verify(request)
    })
  }

  evidence(origin: Origin, name: ObjectName, versions: EvidenceVersions = []): Promise<AsyncIterable<Uint8Array>> {
    return inStoreWords(async () => {
      const { versionReader: reader } = this.#parts
      const cover = async (sequence: Sequence) => {
        await this.#notary.cover(sequence)
        await reader.settled()
      }
      return evidenceBundle(this.#parts, await evidenceSubject({ reader, cover }, origin, name, versions))
    })
  }

  close(): Promise<void> {
    return this.#notary.close()
  }

  async #rotate(origin: Origin): Promise<PublicKey> {
    const keys = await this.keys()
    if (keys.length >= BUNDLE_KEYS_MAX)
      throw new StoreError('ERR_QUOTA', `there were ${keys.length} keys, and evidence holds no more`)
    const next = await this.#chest.create()
    await this.#notary.rotate(next, origin).catch(async (error) => {
      const { code } = toStoreError(error)
      // What may have become durable after all, the next start tells; then both are needed.
      if (code !== 'ERR_OUTCOME_UNKNOWN' && code !== 'ERR_HALTED') await this.#chest.retain(this.#notary.key)
      throw error
    })
    await this.#chest.retain(next.id)
    return (await this.keys()).at(-1)!
  }

  async *#verify(request: VerifyRequest): AsyncGenerator<VerifyEvent> {
    const { pool, reader } = this.#parts
    if (this.#isVerifying) throw new StoreError('ERR_BUSY', 'another verification runs')
    this.#isVerifying = true
    try {
      yield* verifyStream({ pool, settled: () => reader.settled() }, request)
    } catch (error) {
      throw toStoreError(error)
    } finally {
      this.#isVerifying = false
    }
  }
}

async function keyRecords({ pool, catalog }: Pick<CustodyParts, 'pool' | 'catalog'>): Promise<readonly KeyRecord[]> {
  const records: KeyRecord[] = []
  for (const sequence of await catalog.keyRecords())
    records.push(decodeRecord((await pool.record(sequence)).content) as KeyRecord)
  return records
}

function publicKeyOf(record: KeyRecord, isActive: boolean): PublicKey {
  const { id, algorithm, publicKey, sequence, time, signer } = record
  return { id, algorithm, publicKey, sequence, time, signer, state: isActive ? 'active' : 'retired' }
}
