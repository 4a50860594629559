import { isVolumeRecord, type Pool, type PoolRecord, type Sequence } from '../../pool/index.ts'
import type { AttributeRecord, ObjectRecord } from '../records/record.ts'
import { BytesCheck } from './bytes-check.ts'
import { CheckpointCheck } from './checkpoint-check.ts'
import type { VerifyEvent, VerifyProgress, VerifyRequest, VerifySummary } from './custody-port.ts'
import type { Finding } from './finding.ts'
import { KeySuccession } from './key-succession.ts'
import { ObjectCheck } from './object-check.ts'
import { RecordCheck } from './record-check.ts'
import { ScopedObjects } from './verify-scope.ts'

/** Where records and bytes are read again. */
export interface VerifySource {
  readonly pool: Pick<Pool, 'position' | 'replay' | 'read'>
  /** Resolves once everything that was given its place by now is durable. */
  settled(): Promise<void>
}

export interface VerifyLimits {
  /** Objects whose streams are followed in one pass over the records. */
  readonly objectsMax: number
  /** Records between two reports of progress. */
  readonly progressRecords: number
}

export const VERIFY_LIMITS: VerifyLimits = { objectsMax: 131_072, progressRecords: 4096 }

/**
 * Verifies all that a pool holds of a store, from the records alone: no catalog is believed. What is found is told as it
 * is found, and the search goes on. Memory is bounded, whatever there is: the records are gone through once for all
 * checks, and once more for each `objectsMax` objects beyond the first ones.
 */
export async function* verifyStream(
  source: VerifySource,
  request: VerifyRequest,
  limits: Partial<VerifyLimits> = {},
): AsyncGenerator<VerifyEvent> {
  await source.settled()
  const end = source.pool.position.sequence
  const scoped = await ScopedObjects.find(source.pool, request, end)
  const verification = new Verification(source, request.trust ?? [], { ...VERIFY_LIMITS, ...limits }, end, scoped)
  yield* verification.run()
}

class Verification {
  readonly #source: VerifySource
  readonly #limits: VerifyLimits
  readonly #end: Sequence
  readonly #scoped: ScopedObjects | undefined
  readonly #found: Finding[] = []
  readonly #records: RecordCheck
  readonly #checkpoints: CheckpointCheck
  readonly #bytes: BytesCheck
  #findings = 0
  #objects = 0

  constructor(
    source: VerifySource,
    trust: readonly string[],
    limits: VerifyLimits,
    end: Sequence,
    scoped: ScopedObjects | undefined,
  ) {
    const { pool } = source
    const report = (finding: Finding) => void this.#found.push(finding)
    this.#source = source
    this.#limits = limits
    this.#end = end
    this.#scoped = scoped
    this.#records = new RecordCheck(report)
    this.#bytes = new BytesCheck(pool, report)
    const keys = new KeySuccession({ pool: pool.position.pool, trust, report })
    this.#checkpoints = new CheckpointCheck(pool, keys, report)
  }

  async *run(): AsyncGenerator<VerifyEvent> {
    try {
      let after: Sequence | undefined = 0
      while (after !== undefined) after = yield* this.#pass(after)
      this.#checkpoints.end()
      yield* this.#drain()
      yield this.#summary()
    } finally {
      await this.#checkpoints.close()
    }
  }

  /** Goes through the records from behind `after`; returns where the next pass begins, if one is needed. */
  async *#pass(after: Sequence): AsyncGenerator<VerifyEvent, Sequence | undefined> {
    const objects = new ObjectCheck(after, this.#limits.objectsMax, (finding) => this.#found.push(finding))
    const isFirst = after === 0
    const onLost = (first: Sequence, last: Sequence, error: Error): void => {
      objects.lose(last)
      if (isFirst) this.#lose(first, last, error)
    }
    for await (const stored of this.#source.pool.replay(after + 1, onLost)) {
      if (stored.sequence > this.#end) break
      if (!isVolumeRecord(stored.content)) yield* this.#take(stored, objects, isFirst)
      yield* this.#drain()
      if (isFirst && stored.sequence % this.#limits.progressRecords === 0) yield this.#progress(stored.sequence)
    }
    await this.#explainMissing(objects)
    yield* this.#drain()
    this.#objects += objects.objects
    return objects.through
  }

  async *#take(stored: PoolRecord, objects: ObjectCheck, isFirst: boolean): AsyncGenerator<VerifyEvent> {
    const { record, digest } = isFirst ? this.#records.take(stored) : this.#records.look(stored)
    if (record === undefined) return
    if (isFirst) await this.#checkpoints.take(record, digest)
    if (isOfObject(record)) yield* this.#takeObject(record, digest, objects)
  }

  async *#takeObject(record: ObjectRecord, digest: string, objects: ObjectCheck): AsyncGenerator<VerifyEvent> {
    if (!objects.admits(record)) return objects.explain(record)
    const isRead = record.operation === 'put' && (this.#scoped?.has(record.object) ?? true)
    let isGone = false
    if (isRead)
      for await (const state of this.#bytes.check(record)) {
        isGone = state === 'gone'
        yield this.#progress(record.sequence)
      }
    objects.take(record, digest, isGone)
  }

  #lose(first: Sequence, last: Sequence, error: Error): void {
    this.#records.lose()
    this.#checkpoints.lose(last)
    const detail = `the pool cannot read them: ${error.message}`
    this.#found.push({ code: 'RECORD_UNREADABLE', detail, sequence: first, through: last })
  }

  /** What went away while the verification ran is accounted for by records that came meanwhile. */
  async #explainMissing(objects: ObjectCheck): Promise<void> {
    if (!objects.hasMissing) return
    await this.#source.settled()
    for await (const stored of this.#source.pool.replay(this.#end + 1, () => {})) {
      const { record } = isVolumeRecord(stored.content) ? {} : this.#records.look(stored)
      if (record && isOfObject(record)) objects.explain(record)
    }
    objects.reportMissing()
  }

  *#drain(): Generator<VerifyEvent> {
    for (const finding of this.#found.splice(0)) {
      this.#findings += 1
      yield { type: 'finding', ...finding }
    }
  }

  #progress(records: Sequence): VerifyProgress {
    return { type: 'progress', records, recordsTotal: this.#end, bytes: this.#bytes.bytes }
  }

  #summary(): VerifySummary {
    const { payloads, bytes, released } = this.#bytes
    const { checkpoints, last, unsigned, signers } = this.#checkpoints
    return {
      type: 'summary',
      sound: this.#findings === 0,
      findings: this.#findings,
      pool: this.#source.pool.position.pool,
      records: this.#records.count,
      objects: this.#objects,
      payloads,
      bytes,
      released,
      checkpoints,
      checkpoint: last,
      unsigned,
      keys: signers,
    }
  }
}

function isOfObject(record: AttributeRecord): record is ObjectRecord {
  return 'object' in record
}
