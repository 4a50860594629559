import assert from 'node:assert/strict'
import { type Pool, PoolError, type Release, type Sequence, type Staging, type Transaction } from '../../pool/index.ts'
import { CrashDevice, Medium, MediumDevice, type RecordedWrite, SECTOR_BYTES } from './crash-device.ts'
import { verify } from './crash-explorer.ts'
import { keyOf, type Ledger, type LedgerRecord, releaseOf } from './pool-ledger.ts'
import { type Random, seededRandom } from './random.ts'
import { formatDevice, openDevice } from './single-device.ts'
import { identity, TINY_FORMAT, tiny } from './tiny-pool.ts'
import type { Mark } from './workload.ts'

/** What the pool must hold, as plain records and maps; and the uploads underway. */
export interface Model {
  ledger: Ledger
  uploads: Upload[]
}

/** An upload as the pool knows it, and the bytes that it was given. */
export interface Upload {
  readonly transaction: Transaction
  readonly stagings: Staging[]
  readonly payloads: Buffer[]
  /** The record that was prepared last, and how many payloads it owns. */
  prepared?: { readonly sequence: Sequence; readonly payloads: number }
}

/** What becomes of a write that no flush has covered when power fails. */
export type Fate = 'kept' | 'dropped' | 'torn'

/** A pool on a medium of which every write since its last opening can be taken back. */
export class RealPool {
  readonly #medium: Medium
  /** The order in which requests end, and what torn sectors hold, are the same in each run. */
  readonly random: Random = seededRandom(1)
  #device!: CrashDevice<Mark>
  #life = 0
  #durable = 0
  pool!: Pool

  private constructor(medium: Medium) {
    this.#medium = medium
  }

  static async create(deviceBytes: number): Promise<RealPool> {
    const medium = new Medium(deviceBytes)
    await formatDevice(new MediumDevice(medium), TINY_FORMAT, identity())
    const real = new RealPool(medium)
    await real.open()
    return real
  }

  async open(): Promise<void> {
    this.#life = this.#medium.mark()
    this.#device = new CrashDevice<Mark>(this.#medium, { random: this.random })
    this.pool = await openDevice(this.#device, tiny())
    this.#durable = this.pool.position.sequence
  }

  mark(mark: Mark): void {
    this.#device.mark(mark)
  }

  /** Resolves when the pool asks nothing more of its device. */
  async quiet(): Promise<void> {
    await this.#device.quiet()
  }

  /**
   * Lays on the medium what a power failure would have left there after that `part` of what happened in this life.
   * Returns which records were acknowledged by then, and which were begun.
   */
  crash(part: number, fates: readonly Fate[]): { acknowledged: Sequence; drafted: Sequence } {
    const trace = this.#device.trace.slice(0, Math.round(part * this.#device.trace.length))
    const bounds = { acknowledged: this.#durable, drafted: this.#durable }
    const covered = new Set(trace.flatMap((event) => (event.kind === 'flush' ? event.covered : [])))
    this.#medium.rollback(this.#life)
    for (const { write } of writesOf(trace)) if (covered.has(write)) this.#medium.write(write.offset, write.data)
    const pending = [...writesOf(trace)].map(({ write }) => write).filter((write) => !covered.has(write))
    for (const [i, write] of pending.entries()) this.#leave(write, fates[i % fates.length]!)
    for (const event of trace) {
      if (event.kind !== 'mark') continue
      const { kind, sequence } = event.mark
      if (kind === 'draft') bounds.drafted = Math.max(bounds.drafted, sequence)
      else bounds.acknowledged = Math.max(bounds.acknowledged, sequence)
    }
    return bounds
  }

  #leave({ offset, data }: RecordedWrite, fate: Fate): void {
    if (fate === 'dropped') return
    if (fate === 'kept') this.#medium.write(offset, data)
    else this.#tear(offset, data)
  }

  /** Each sector new, half new, old or garbage. */
  #tear(offset: number, data: Buffer): void {
    for (let at = 0; at < data.length; at += SECTOR_BYTES) {
      const bytes = this.random.pick([0, SECTOR_BYTES / 2, SECTOR_BYTES])
      if (bytes > 0) this.#medium.write(offset + at, data.subarray(at, at + bytes))
      else if (this.random.chance(0.2)) this.#medium.write(offset + at, this.random.bytes(SECTOR_BYTES))
    }
  }
}

function* writesOf(trace: CrashDevice<Mark>['trace']): Generator<{ write: RecordedWrite }> {
  for (const event of trace) if (event.kind === 'write') yield event
}

/** What a pool may answer when it has no room or no time; nothing has changed then. */
const REFUSALS = new Set(['ERR_NO_SPACE', 'ERR_LIMITS', 'ERR_BUSY'])

export const isRefusal = (error: unknown): boolean => error instanceof PoolError && REFUSALS.has(error.code)

/** False when the pool refused. */
export async function granted(operation: Promise<unknown>): Promise<boolean> {
  try {
    await operation
    return true
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}

/** The pool shows what the model holds: all of it, and nothing else. */
export async function compare({ ledger }: Model, { pool, random }: RealPool): Promise<void> {
  await verify(pool, ledger.expect(), random)
}

/** The live payload that `pick` points at; undefined when there is none. */
export function livePayload({ ledger }: Model, pick: number): { release: Release; bytes: Buffer } | undefined {
  const keys = [...ledger.expect().live.keys()]
  const key = keys[Math.floor(pick * keys.length)]
  return key === undefined ? undefined : { release: releaseOf(key), bytes: ledger.expect().live.get(key)! }
}

/** Up to `picks.length` payloads that may be let go: they live, and no upload goes on from their record. */
export function releasesOf({ ledger, uploads }: Model, picks: readonly number[]): Release[] {
  const held = new Set(uploads.map(({ prepared }) => prepared?.sequence))
  const free = [...ledger.expect().live.keys()].map(releaseOf).filter(({ sequence }) => !held.has(sequence))
  return picks.flatMap((pick) => free.splice(Math.floor(pick * free.length), 1))
}

/** The prepared records that an upload may go on from. */
export function resumable({ ledger, uploads }: Model): Sequence[] {
  const held = new Set(uploads.map(({ prepared }) => prepared?.sequence))
  const { records, live } = ledger.expect()
  return records.flatMap(({ prepared, payloads }, i) => {
    const whole = payloads.every((_, payload) => live.has(keyOf({ sequence: i + 1, payload })))
    return prepared && payloads.length > 0 && whole && !held.has(i + 1) ? [i + 1] : []
  })
}

/** Commits `upload` as the records `shapes` say, each payload in one of them; both sides change, or neither. */
export async function commit(
  model: Model,
  real: RealPool,
  upload: Upload,
  draft: { contents: readonly Buffer[]; picks: readonly number[] },
): Promise<void> {
  const { transaction, payloads, stagings, prepared } = upload
  const { contents, picks } = draft
  const own = (payload: number) => Math.min(payload, contents.length - 1)
  const drafted = { first: 0, records: [] as LedgerRecord[] }
  const committing = transaction.commit((first) => {
    const releases = releasesOf(model, picks)
    drafted.first = first
    drafted.records = contents.map((content, record) => ({
      content,
      payloads: payloads.filter((_, i) => own(i) === record),
      releases: record === 0 ? [...releases, ...inherited(prepared)] : [],
      prepared: false,
    }))
    draftBoth(model, real, first, drafted.records)
    const records = contents.map((content, record) => ({
      content,
      payloads: stagings.filter((_, i) => own(i) === record),
    }))
    return { records, releases }
  })
  await settle(model, real, drafted, committing)
}

/** Prepares `upload`, which goes on; both sides change, or neither. */
export async function prepare(model: Model, real: RealPool, upload: Upload, content: Buffer): Promise<void> {
  const drafted = { first: 0, records: [] as LedgerRecord[] }
  const payloads = [...upload.payloads]
  const releases = inherited(upload.prepared)
  const preparing = upload.transaction.prepare((first) => {
    drafted.first = first
    drafted.records = [{ content, payloads, releases, prepared: true }]
    draftBoth(model, real, first, drafted.records)
    return { records: [{ content, payloads: [...upload.stagings] }], releases: [] }
  })
  const done = await settle(model, real, drafted, preparing)
  if (done) upload.prepared = { sequence: drafted.first, payloads: payloads.length }
}

const inherited = (prepared: Upload['prepared']): Release[] =>
  prepared ? Array.from({ length: prepared.payloads }, (_, payload) => ({ sequence: prepared.sequence, payload })) : []

function draftBoth({ ledger }: Model, real: RealPool, first: Sequence, records: readonly LedgerRecord[]): void {
  assert(first <= ledger.sequence + 1, 'a transaction gets the next sequence') // Or that of one that was just refused.
  ledger.draft(first, records)
  real.mark({ kind: 'draft', sequence: ledger.sequence })
}

async function settle(
  { ledger }: Model,
  real: RealPool,
  drafted: { first: Sequence; records: readonly LedgerRecord[] },
  outcome: Promise<Sequence>,
): Promise<boolean> {
  if (await granted(outcome)) {
    assert.equal(await outcome, drafted.first, 'a transaction says the sequence that it was given')
    real.mark({ kind: 'ack', sequence: drafted.first + drafted.records.length - 1 })
    return true
  }
  if (drafted.records.length > 0) ledger.withdraw(drafted.first, drafted.records)
  return false
}
