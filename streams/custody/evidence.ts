import { isVolumeRecord, type Pool, type Sequence } from '../../pool/index.ts'
import type { Catalog } from '../catalog/catalog-port.ts'
import { StoreError } from '../errors.ts'
import type { AttributeRecord, CheckpointRecord, ObjectRecord, PutRecord } from '../records/record.ts'
import { canonicalJson, decodeRecord, digestOf } from '../records/record-codec.ts'
import { toStoreError } from '../store-errors.ts'
import type { Reading } from '../store-port.ts'
import { fileName, MANIFEST_NAME, manifestOf, type Proof } from './bundle.ts'
import { packed, type TarFile } from './bundle-tar.ts'
import { CHECKPOINT_RECORDS_LIMIT } from './checkpoint-check.ts'
import { MerkleTree } from './merkle.ts'

export interface EvidenceParts {
  readonly pool: Pick<Pool, 'record' | 'replay' | 'position'>
  readonly catalog: Pick<Catalog, 'checkpointOf' | 'keyRecords'>
}

/** What an evidence bundle is about: versions of one object, in order, and its stream, all of it covered. */
export interface EvidenceSubject {
  readonly versions: readonly Reading[]
  readonly stream: readonly Sequence[]
}

/** The bytes of an evidence bundle. Each checkpoint's tree is made again, one at a time. */
export async function* evidenceBundle(parts: EvidenceParts, subject: EvidenceSubject): AsyncGenerator<Uint8Array> {
  try {
    yield* packed(files(parts, subject))
  } catch (error) {
    throw toStoreError(error)
  } finally {
    await Promise.all(subject.versions.map(({ body }) => body[Symbol.asyncIterator]().return?.()))
  }
}

async function* files({ pool, catalog }: EvidenceParts, subject: EvidenceSubject): AsyncGenerator<TarFile> {
  const { versions, stream } = subject
  const keys = await catalog.keyRecords()
  yield await manifest(pool, subject, keys.length)
  for (const sequence of keys) yield await recordFile(pool, 'keys', sequence)
  let proofs: Proofs | undefined
  for (const sequence of stream) {
    if (proofs === undefined || !proofs.covers(sequence)) {
      const checkpoint = await catalog.checkpointOf(sequence)
      if (checkpoint === undefined) throw new StoreError('ERR_CORRUPT', `no checkpoint covers record ${sequence}`)
      yield await recordFile(pool, 'checkpoints', checkpoint)
      proofs = await Proofs.of(pool, checkpoint)
    }
    yield await recordFile(pool, 'records', sequence)
    yield file(fileName('proofs', sequence), Buffer.from(canonicalJson(proofs.of(sequence))))
  }
  for (const { stat, body } of versions)
    yield { name: fileName('payloads', stat.sequence), size: stat.size, content: body }
}

async function manifest(pool: EvidenceParts['pool'], subject: EvidenceSubject, keys: number): Promise<TarFile> {
  const { versions, stream } = subject
  const puts: PutRecord[] = []
  for (const { stat } of versions) puts.push((await recordAt(pool, stat.sequence)) as PutRecord)
  const { bucket, key } = (await recordAt(pool, stream.at(-1)!)) as ObjectRecord
  const parts = { pool: pool.position.pool, bucket, key, keys, records: stream.length, puts }
  return file(MANIFEST_NAME, Buffer.from(canonicalJson(manifestOf(parts))))
}

async function recordAt(pool: EvidenceParts['pool'], sequence: Sequence): Promise<AttributeRecord> {
  return decodeRecord((await pool.record(sequence)).content)
}

async function recordFile(
  pool: EvidenceParts['pool'],
  folder: 'keys' | 'checkpoints' | 'records',
  sequence: Sequence,
): Promise<TarFile> {
  return file(fileName(folder, sequence), (await pool.record(sequence)).content)
}

const file = (name: string, content: Uint8Array): TarFile => ({ name, size: content.length, content })

/** The inclusion proofs of the records that one checkpoint covers. */
class Proofs {
  readonly #checkpoint: CheckpointRecord
  readonly #leaves: ReadonlyMap<Sequence, number>
  readonly #tree: MerkleTree

  private constructor(checkpoint: CheckpointRecord, leaves: ReadonlyMap<Sequence, number>, tree: MerkleTree) {
    this.#checkpoint = checkpoint
    this.#leaves = leaves
    this.#tree = tree
  }

  /** ERR_CORRUPT when the records are not those that were signed. */
  static async of(pool: EvidenceParts['pool'], sequence: Sequence): Promise<Proofs> {
    const record = (await recordAt(pool, sequence)) as CheckpointRecord
    const { first, last, records, root } = record.covers
    const leaves = new Map<Sequence, number>()
    const digests: string[] = []
    for await (const { sequence, content } of pool.replay(first)) {
      if (sequence > last || digests.length > CHECKPOINT_RECORDS_LIMIT) break
      if (isVolumeRecord(content)) continue
      leaves.set(sequence, digests.length)
      digests.push(digestOf(content))
    }
    const tree = new MerkleTree(digests)
    if (digests.length === records && tree.root === root) return new Proofs(record, leaves, tree)
    throw new StoreError('ERR_CORRUPT', `records ${first} to ${last} are not those of checkpoint ${sequence}`)
  }

  covers(sequence: Sequence): boolean {
    return this.#leaves.has(sequence)
  }

  of(sequence: Sequence): Proof {
    const leaf = this.#leaves.get(sequence)!
    const { sequence: checkpoint } = this.#checkpoint
    return { checkpoint, leaf, leaves: this.#leaves.size, path: this.#tree.pathOf(leaf) }
  }
}
