import type { Pool, Sequence } from '../../pool/index.ts'
import type { AttributeRecord, CheckpointRecord, Coverage, RecordReference } from '../records/record.ts'
import { about, difference, type Finding, type Report } from './finding.ts'
import type { KeySuccession } from './key-succession.ts'
import { HOUSEKEEPING, Uncovered } from './uncovered.ts'

/** Records that one checkpoint may cover: whoever checks it has to hold their digests. */
export const CHECKPOINT_RECORDS_LIMIT = 65_536

const NO_CHECKPOINT: RecordReference = { sequence: 0, digest: '' }

/**
 * Compares each checkpoint with the records that it covers: they must be those that came since the one before, every
 * one, and have the digests that its root is made of.
 */
export class CheckpointCheck {
  readonly #report: Report
  readonly #keys: KeySuccession
  readonly #uncovered: Uncovered
  readonly #signers = new Map<string, number>()
  #before = NO_CHECKPOINT
  /** Records up to here could not all be read: what covers them cannot be compared. */
  #lost: Sequence = 0
  #checkpoints = 0
  #unsigned = 0

  constructor(pool: Pick<Pool, 'replay'>, keys: KeySuccession, report: Report) {
    this.#report = report
    this.#keys = keys
    // What cannot be read is told by whoever reads everything.
    const tolerant = { replay: (from: Sequence) => pool.replay(from, () => {}) }
    this.#uncovered = new Uncovered(tolerant, CHECKPOINT_RECORDS_LIMIT, 0, 0)
  }

  get checkpoints(): number {
    return this.#checkpoints
  }

  get last(): RecordReference | null {
    return this.#before === NO_CHECKPOINT ? null : this.#before
  }

  /** Records that no checkpoint covers, housekeeping aside. */
  get unsigned(): number {
    return this.#unsigned
  }

  get signers(): readonly { readonly id: string; readonly checkpoints: number }[] {
    return Array.from(this.#signers, ([id, checkpoints]) => ({ id, checkpoints }))
  }

  /** Takes the next record of the stream. */
  async take(record: AttributeRecord, digest: string): Promise<void> {
    if (record.operation === 'key') this.#keys.add(record)
    if (record.operation === 'checkpoint') await this.#check(record, digest)
    if (!HOUSEKEEPING.has(record.operation)) this.#unsigned += 1
    this.#uncovered.add([{ record, digest }])
  }

  /** Records up to `last` were lost. */
  lose(last: Sequence): void {
    this.#lost = last
  }

  /** Nothing more comes. */
  end(): void {
    this.#keys.end()
  }

  async close(): Promise<void> {
    await this.#uncovered.close()
  }

  async #check(record: CheckpointRecord, digest: string): Promise<void> {
    const { covers, before } = record
    const key = this.#keys.check(record)
    if (key) this.#signers.set(key.id, (this.#signers.get(key.id) ?? 0) + 1)
    const isLost = before.sequence > this.#before.sequence && before.sequence <= this.#lost
    const isNext = before.sequence === this.#before.sequence && before.digest === this.#before.digest
    if (!isNext && !isLost) {
      const compared = beside(this.#before, before)
      this.#report(about(record, 'CHECKPOINT_BEFORE', 'it does not follow the checkpoint before', compared))
    }
    await this.#compare(record)
    this.#uncovered.drop(covers.last)
    this.#before = { sequence: record.sequence, digest }
    this.#checkpoints += 1
  }

  async #compare(record: CheckpointRecord): Promise<void> {
    const { covers } = record
    if (covers.records > CHECKPOINT_RECORDS_LIMIT) {
      const detail = `it covers more than ${CHECKPOINT_RECORDS_LIMIT} records`
      return this.#report(about(record, 'CHECKPOINT_COVERAGE', detail, { found: String(covers.records) }))
    }
    await this.#uncovered.fill(covers.records)
    this.#unsigned -= this.#uncovered.contentIn(covers.records)
    if (covers.first <= this.#lost) return
    for (const finding of differences(record, this.#uncovered.coverage(covers.records))) this.#report(finding)
  }
}

function* differences(record: CheckpointRecord, there: Coverage | undefined): Generator<Finding> {
  const { covers } = record
  const range = difference(rangeOf(there), rangeOf(covers))
  if (range) yield about(record, 'CHECKPOINT_COVERAGE', 'it covers other records than came since the one before', range)
  if (range || there === undefined) return
  const digest = difference(covers.digest, there.digest)
  if (digest) yield about(record, 'CHECKPOINT_DIGEST', `record ${covers.last} is not the one that was signed`, digest)
  const root = difference(covers.root, there.root)
  const detail = `records ${covers.first} to ${covers.last} are not those that were signed`
  if (root) yield about(record, 'CHECKPOINT_ROOT', detail, root)
}

const rangeOf = (coverage: Coverage | undefined): string =>
  coverage ? `${coverage.records} records, ${coverage.first} to ${coverage.last}` : 'none'

const beside = (expected: RecordReference, found: RecordReference) => ({
  expected: `${expected.sequence} ${expected.digest}`,
  found: `${found.sequence} ${found.digest}`,
})
