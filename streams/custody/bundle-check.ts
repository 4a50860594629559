import type { Sequence } from '../../pool/index.ts'
import type { AttributeRecord, CheckpointRecord, ObjectRecord, PutRecord } from '../records/record.ts'
import { canonicalJson, decodeRecord, digestOf, encodeRecord } from '../records/record-codec.ts'
import {
  FOLDERS,
  type Folder,
  fileName,
  MANIFEST_BYTES_MAX,
  MANIFEST_NAME,
  type Manifest,
  manifestOf,
  PAYLOAD_NAME,
  PROOF_BYTES_MAX,
  type Proof,
  RECORD_BYTES_MAX,
} from './bundle.ts'
import { type TarEntry, TarError, TarReader } from './bundle-tar.ts'
import { BytesCheck } from './bytes-check.ts'
import type { VerifyEvent, VerifySummary } from './custody-port.ts'
import { about, difference, type Finding, type FindingCode } from './finding.ts'
import { KeySuccession } from './key-succession.ts'
import { rootFrom } from './merkle.ts'

/** Keys of one bundle. */
export const BUNDLE_KEYS_MAX = 1000

interface Chained<R extends AttributeRecord> {
  readonly record: R
  readonly digest: string
}

/**
 * Verifies an evidence bundle from its bytes alone: nothing else is opened. Goes on to the end after a finding, unless
 * the bytes are no bundle from there on.
 */
export async function* verifyBundle(
  bytes: AsyncIterable<Uint8Array>,
  trust: readonly string[] = [],
): AsyncGenerator<VerifyEvent> {
  const tar = new TarReader(bytes)
  const check = new BundleCheck(tar, trust)
  try {
    yield* check.run()
  } finally {
    await tar.close()
  }
}

class BundleCheck {
  readonly #tar: TarReader
  readonly #trust: readonly string[]
  readonly #found: Finding[] = []
  readonly #signers = new Map<string, number>()
  readonly #bytes: BytesCheck
  #keys: KeySuccession | undefined
  #manifest: Manifest | undefined
  #keyCount = 0
  #checkpoint: Chained<CheckpointRecord> | undefined
  #checkpoints = 0
  #last: Chained<ObjectRecord> | undefined
  #records = 0
  #put: PutRecord | undefined
  #hasPayload = false
  #findings = 0

  constructor(tar: TarReader, trust: readonly string[]) {
    this.#tar = tar
    this.#trust = trust
    this.#bytes = new BytesCheck({ read: () => tar.content() }, (finding) => this.#found.push(finding))
  }

  async *run(): AsyncGenerator<VerifyEvent> {
    try {
      await this.#takeManifest(await this.#tar.next())
      for (let entry = await this.#tar.next(); entry; entry = await this.#tar.next()) {
        yield* this.#take(entry)
        yield* this.#drain()
      }
      if (!this.#hasPayload) throw new TarError('it has no payload')
    } catch (error) {
      if (!(error instanceof TarError)) throw error
      this.#report('BUNDLE_MALFORMED', error.message)
    }
    yield* this.#drain()
    yield this.#summary()
  }

  /** A file by its name and its place; whatever has no place here ends the bundle. */
  async *#take({ name }: TarEntry): AsyncGenerator<VerifyEvent> {
    const [folder = '', rest = ''] = name.split('/')
    const sequence = Number.parseInt(rest, 10)
    const isKnown = FOLDERS.includes(folder as Folder) && Number.isSafeInteger(sequence)
    const isNamed = isKnown && name === fileName(folder as Folder, sequence)
    if (this.#hasPayload || !(isNamed || name === PAYLOAD_NAME)) throw new TarError(`${name} has no place in it`)
    if (folder === 'keys') await this.#takeKey(sequence)
    else if (folder === 'checkpoints') await this.#takeCheckpoint(sequence)
    else if (folder === 'records') await this.#takeRecord(sequence)
    else if (name === PAYLOAD_NAME) yield* this.#takePayload()
    else throw new TarError(`${name} belongs behind its record`)
  }

  async #takeManifest(entry: TarEntry | undefined): Promise<void> {
    if (entry?.name !== MANIFEST_NAME) throw new TarError(`it does not begin with ${MANIFEST_NAME}`)
    const manifest = await this.#json<Manifest>(MANIFEST_BYTES_MAX, MANIFEST_NAME)
    this.#manifest = manifest
    const report = (finding: Finding) => void this.#found.push(finding)
    this.#keys = new KeySuccession({ pool: String(manifest.pool), trust: this.#trust, report })
  }

  async #takeKey(sequence: Sequence): Promise<void> {
    const { record } = await this.#record(sequence)
    const before = this.#keys!.all.at(-1)?.sequence ?? 0
    if (record.operation !== 'key' || this.#checkpoint !== undefined || sequence <= before)
      throw new TarError(`record ${sequence} is not the next key`)
    this.#keyCount += 1
    if (this.#keyCount > BUNDLE_KEYS_MAX) throw new TarError(`it has more than ${BUNDLE_KEYS_MAX} keys`)
    this.#keys!.add(record)
  }

  async #takeCheckpoint(sequence: Sequence): Promise<void> {
    const { record, digest } = await this.#record(sequence)
    const before = this.#checkpoint?.record
    if (record.operation !== 'checkpoint' || (before && (sequence <= before.sequence || this.#isUnused(before))))
      throw new TarError(`record ${sequence} is not the next checkpoint`)
    const key = this.#keys!.check(record)
    if (key) this.#signers.set(key.id, (this.#signers.get(key.id) ?? 0) + 1)
    this.#checkpoint = { record, digest }
    this.#checkpoints += 1
  }

  /** A checkpoint that covers no record of the bundle proves nothing about it. */
  #isUnused({ covers }: CheckpointRecord): boolean {
    return (this.#last?.record.sequence ?? 0) < covers.first
  }

  async #takeRecord(sequence: Sequence): Promise<void> {
    const { record, digest } = await this.#record(sequence)
    if (!('object' in record) || sequence <= (this.#last?.record.sequence ?? 0))
      throw new TarError(`record ${sequence} is not the next record of an object`)
    const entry = await this.#tar.next()
    if (entry?.name !== fileName('proofs', sequence)) throw new TarError(`record ${sequence} has no proof`)
    const proof = await this.#json<Proof>(PROOF_BYTES_MAX, entry.name)
    this.#follow(record)
    this.#prove({ record, digest }, proof)
    if (record.operation === 'put' && fileVersion(record) === this.#manifest?.version) this.#put = record
    this.#last = { record, digest }
    this.#records += 1
  }

  /** The stream of one object, from its first record on, none left out. */
  #follow(record: ObjectRecord): void {
    const object = difference(this.#manifest?.object ?? '', record.object)
    if (object) this.#found.push(about(record, 'OBJECT_CHAIN', 'it is of another object', object))
    const chain = difference(this.#last?.digest ?? '', record.previous.object)
    if (chain)
      this.#found.push(about(record, 'OBJECT_CHAIN', 'it does not follow the record before of its object', chain))
    const isFirst = Number(record.object) === record.sequence
    if (isFirst === (this.#last !== undefined))
      this.#found.push(
        about(record, 'OBJECT_CHAIN', "its object's id is not the sequence of the object's first record"),
      )
  }

  #prove({ record, digest }: Chained<ObjectRecord>, proof: Proof): void {
    const checkpoint = this.#checkpoint?.record
    const problem = checkpoint ? problemOf(checkpoint, proof, { record, digest }) : 'no checkpoint stands before it'
    if (problem) this.#found.push(about(record, 'BUNDLE_PROOF', problem))
  }

  async *#takePayload(): AsyncGenerator<VerifyEvent> {
    this.#hasPayload = true
    const put = this.#put
    if (put === undefined) throw new TarError('none of its records is the put of its version')
    for await (const _ of this.#bytes.check(put)) yield this.#progress()
    this.#compareManifest(put)
  }

  /** The manifest says nothing that does not follow from what is signed. */
  #compareManifest(put: PutRecord): void {
    const { bucket, key } = this.#last!.record
    const parts = { pool: String(this.#manifest?.pool), bucket, key, keys: this.#keyCount, records: this.#records, put }
    const compared = difference(canonicalJson(manifestOf(parts)), canonicalJson(this.#manifest ?? {}))
    if (compared)
      this.#found.push({ code: 'BUNDLE_MANIFEST', detail: 'it says what does not follow from the rest', ...compared })
  }

  async #record(sequence: Sequence): Promise<Chained<AttributeRecord>> {
    const content = await this.#tar.bytes(RECORD_BYTES_MAX)
    const record = recordIn(content)
    if (record?.sequence === sequence) return { record, digest: digestOf(content) }
    throw new TarError(`the file of record ${sequence} does not hold it`)
  }

  async #json<T>(bytesMax: number, name: string): Promise<T> {
    const text = (await this.#tar.bytes(bytesMax)).toString()
    try {
      const value = JSON.parse(text)
      if (typeof value === 'object' && value !== null && canonicalJson(value) === text) return value as T
    } catch {
      // Told below.
    }
    throw new TarError(`${name} is no canonical JSON object`)
  }

  #report(code: FindingCode, detail: string): void {
    this.#found.push({ code, detail })
  }

  *#drain(): Generator<VerifyEvent> {
    for (const finding of this.#found.splice(0)) {
      this.#findings += 1
      yield { type: 'finding', ...finding }
    }
  }

  #progress(): VerifyEvent {
    const records = this.#records
    return {
      type: 'progress',
      records,
      recordsTotal: Number(this.#manifest?.records) || records,
      bytes: this.#bytes.bytes,
    }
  }

  #summary(): VerifySummary {
    const { payloads, bytes } = this.#bytes
    const checkpoint = this.#checkpoint
    return {
      type: 'summary',
      sound: this.#findings === 0,
      findings: this.#findings,
      pool: String(this.#manifest?.pool ?? ''),
      records: this.#records,
      objects: this.#records > 0 ? 1 : 0,
      payloads,
      bytes,
      released: 0,
      checkpoints: this.#checkpoints,
      checkpoint: checkpoint ? { sequence: checkpoint.record.sequence, digest: checkpoint.digest } : null,
      unsigned: 0,
      keys: Array.from(this.#signers, ([id, checkpoints]) => ({ id, checkpoints })),
    }
  }
}

/** Why a proof does not lead from a record to the root of the checkpoint; undefined when it does. */
function problemOf(
  { sequence, covers }: CheckpointRecord,
  proof: Proof,
  { record, digest }: Chained<ObjectRecord>,
): string | undefined {
  if (!isProof(proof)) return 'its proof is none'
  if (proof.checkpoint !== sequence || proof.leaves !== covers.records) return 'its proof is of another checkpoint'
  if (record.sequence < covers.first || record.sequence > covers.last) return 'its checkpoint does not cover it'
  const root = rootFrom(digest, proof.leaf, proof.leaves, proof.path)
  return root === covers.root ? undefined : 'its proof does not lead to the root that was signed'
}

function isProof({ leaf, leaves, path, checkpoint, ...more }: Proof): boolean {
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
  const isPath = Array.isArray(path) && path.every((hash) => typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash))
  return isCount(leaf) && isCount(leaves) && isPath && isCount(checkpoint) && Object.keys(more).length === 0
}

/** Undefined for what is no record in canonical form. */
function recordIn(content: Buffer): AttributeRecord | undefined {
  try {
    const record = decodeRecord(content)
    return encodeRecord(record).equals(content) ? record : undefined
  } catch {
    return undefined
  }
}

const fileVersion = ({ sequence }: PutRecord): string => sequence.toString().padStart(16, '0')
