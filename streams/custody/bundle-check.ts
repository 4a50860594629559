import type { Sequence } from '../../pool/index.ts'
import type { CheckpointRecord } from '../records/record.ts'
import {
  fileName,
  MANIFEST_BYTES_MAX,
  MANIFEST_NAME,
  type Manifest,
  PROOF_BYTES_MAX,
  type Proof,
  placeOf,
} from './bundle.ts'
import { type Chained, jsonFrom, recordFrom } from './bundle-files.ts'
import { proofProblem } from './bundle-proof.ts'
import { BundleSubject } from './bundle-subject.ts'
import { type TarEntry, TarError, TarReader } from './bundle-tar.ts'
import { BytesCheck } from './bytes-check.ts'
import type { VerifyEvent, VerifySummary } from './custody-port.ts'
import { about, type Finding } from './finding.ts'
import { KeySuccession } from './key-succession.ts'

/** Keys of one bundle. */
export const BUNDLE_KEYS_MAX = 1000

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
  readonly #report = (finding: Finding) => void this.#found.push(finding)
  readonly #signers = new Map<string, number>()
  readonly #bytes: BytesCheck
  #subject: BundleSubject | undefined
  #keys: KeySuccession | undefined
  #keyCount = 0
  #checkpoint: Chained<CheckpointRecord> | undefined
  #checkpoints = 0
  #findings = 0

  constructor(tar: TarReader, trust: readonly string[]) {
    this.#tar = tar
    this.#trust = trust
    this.#bytes = new BytesCheck({ read: () => tar.content() }, this.#report)
  }

  async *run(): AsyncGenerator<VerifyEvent> {
    try {
      const subject = await this.#takeManifest(await this.#tar.next())
      for (let entry = await this.#tar.next(); entry; entry = await this.#tar.next()) {
        yield* this.#take(entry, subject)
        yield* this.#drain()
      }
      subject.compare(this.#keyCount)
    } catch (error) {
      if (!(error instanceof TarError)) throw error
      this.#report({ code: 'BUNDLE_MALFORMED', detail: error.message })
    }
    yield* this.#drain()
    yield this.#summary()
  }

  async #takeManifest(entry: TarEntry | undefined): Promise<BundleSubject> {
    if (entry?.name !== MANIFEST_NAME) throw new TarError(`it does not begin with ${MANIFEST_NAME}`)
    const manifest = await jsonFrom<Manifest>(this.#tar, MANIFEST_BYTES_MAX, MANIFEST_NAME)
    this.#subject = new BundleSubject(manifest, this.#report)
    this.#keys = new KeySuccession({ pool: this.#subject.pool, trust: this.#trust, report: this.#report })
    return this.#subject
  }

  /** A file by its name and its place; whatever has no place here ends the bundle. */
  async *#take({ name }: TarEntry, subject: BundleSubject): AsyncGenerator<VerifyEvent> {
    const { folder, sequence = 0 } = placeOf(name) ?? {}
    if (folder === undefined || (subject.hasPayloads && folder !== 'payloads'))
      throw new TarError(`${name} has no place in it`)
    if (folder === 'keys') await this.#takeKey(sequence)
    else if (folder === 'checkpoints') await this.#takeCheckpoint(sequence, subject)
    else if (folder === 'records') await this.#takeRecord(sequence, subject)
    else if (folder === 'payloads') yield* this.#takePayload(sequence, subject)
    else throw new TarError(`${name} belongs behind its record`)
  }

  async #takeKey(sequence: Sequence): Promise<void> {
    const { record } = await recordFrom(this.#tar, sequence)
    const before = this.#keys!.all.at(-1)?.sequence ?? 0
    if (record.operation !== 'key' || this.#checkpoint !== undefined || sequence <= before)
      throw new TarError(`record ${sequence} is not the next key`)
    this.#keyCount += 1
    if (this.#keyCount > BUNDLE_KEYS_MAX) throw new TarError(`it has more than ${BUNDLE_KEYS_MAX} keys`)
    this.#keys!.add(record)
  }

  async #takeCheckpoint(sequence: Sequence, subject: BundleSubject): Promise<void> {
    this.#requireUse(subject)
    const { record, digest } = await recordFrom(this.#tar, sequence)
    const before = this.#checkpoint?.record.sequence ?? 0
    if (record.operation !== 'checkpoint' || sequence <= before)
      throw new TarError(`record ${sequence} is not the next checkpoint`)
    const key = this.#keys!.check(record)
    if (key) this.#signers.set(key.id, (this.#signers.get(key.id) ?? 0) + 1)
    this.#checkpoint = { record, digest }
    this.#checkpoints += 1
  }

  /** A checkpoint that covers no record of the bundle proves nothing about it. */
  #requireUse({ last }: BundleSubject): void {
    const { sequence, covers } = this.#checkpoint?.record ?? {}
    if (covers && last < covers.first) throw new TarError(`record ${sequence} is a checkpoint of nothing in it`)
  }

  async #takeRecord(sequence: Sequence, subject: BundleSubject): Promise<void> {
    const { record, digest } = await recordFrom(this.#tar, sequence)
    if (!('object' in record) || sequence <= subject.last)
      throw new TarError(`record ${sequence} is not the next record of an object`)
    const entry = await this.#tar.next()
    if (entry?.name !== fileName('proofs', sequence)) throw new TarError(`record ${sequence} has no proof`)
    const proof = await jsonFrom<Proof>(this.#tar, PROOF_BYTES_MAX, entry.name)
    subject.takeRecord({ record, digest })
    const problem = proofProblem(this.#checkpoint?.record, proof, { record, digest })
    if (problem) this.#report(about(record, 'BUNDLE_PROOF', problem))
  }

  async *#takePayload(version: Sequence, subject: BundleSubject): AsyncGenerator<VerifyEvent> {
    this.#requireUse(subject)
    const put = subject.takePayload(version)
    for await (const _ of this.#bytes.check(put)) yield this.#progress(subject)
  }

  *#drain(): Generator<VerifyEvent> {
    for (const finding of this.#found.splice(0)) {
      this.#findings += 1
      yield { type: 'finding', ...finding }
    }
  }

  #progress({ records, recordsTotal }: BundleSubject): VerifyEvent {
    return { type: 'progress', records, recordsTotal, bytes: this.#bytes.bytes }
  }

  #summary(): VerifySummary {
    const { payloads, bytes } = this.#bytes
    const checkpoint = this.#checkpoint
    const records = this.#subject?.records ?? 0
    return {
      type: 'summary',
      sound: this.#findings === 0,
      findings: this.#findings,
      pool: this.#subject?.pool ?? '',
      records,
      objects: records > 0 ? 1 : 0,
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
