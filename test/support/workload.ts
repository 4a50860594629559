import { type Pool, PoolError, type Release, type Sequence, type Staging, type Transaction } from '../../pool/index.ts'
import { keyOf, type Ledger, type LedgerRecord, releaseOf } from './pool-ledger.ts'
import type { Random } from './random.ts'

/** Said to the device at the moment it becomes true. `sequence` is the last one that it concerns. */
export type Mark = { readonly kind: 'draft' | 'ack'; readonly sequence: Sequence }

/** What a client does, in parts of a whole; and bounds of the payloads that it picks from. */
export interface Mix {
  readonly put: number
  readonly remove: number
  readonly refuse: number
  readonly abort: number
  readonly goOn: number
  readonly read: number
  readonly checkpoint: number
  readonly payloadBytes: readonly number[]
  /** Operations that one client does in a row. */
  readonly runs: readonly number[]
}

/** Everything: payloads that are empty, inline, in units, or large enough for a manifest. */
export const EVERYTHING: Mix = {
  put: 42,
  remove: 12,
  refuse: 3,
  abort: 4,
  goOn: 16,
  read: 10,
  checkpoint: 13,
  payloadBytes: [1, 100, 700, 1500, 1500, 3000, 3000, 9000],
  runs: [1, 1, 1, 3],
}

export interface WorkloadParts {
  readonly pool: Pool
  readonly ledger: Ledger
  readonly random: Random
  /** Live payload bytes from which on puts release more than they bring. */
  readonly liveBytesMax: number
  readonly mix: Mix
  mark(mark: Mark): void
}

interface Staged {
  readonly staging: Staging
  bytes: Buffer
}

/** An upload underway. `prepared` is the record that owns what it had staged by then. */
interface Upload {
  readonly transaction: Transaction
  readonly staged: Staged[]
  prepared?: { readonly sequence: Sequence; readonly payloads: number }
}

class Refusal extends Error {}

const PERMITTED = new Set(['ERR_NO_SPACE', 'ERR_LIMITS', 'ERR_BUSY'])

/** A client with a seed: it does everything that a pool offers, in any order, several things at once. */
export class Workload {
  readonly #parts: WorkloadParts
  readonly #uploads: Upload[] = []
  /** Prepared records whose upload goes on, which nobody else may touch. */
  readonly #held = new Set<Sequence>()
  #acknowledged: Sequence
  #payloads = 0

  constructor(parts: WorkloadParts) {
    this.#parts = parts
    this.#acknowledged = parts.ledger.sequence
  }

  /** Several clients at once, `steps` times. */
  async run(steps: number): Promise<void> {
    const { random } = this.#parts
    for (let step = 0; step < steps; step++) {
      const width = random.chance(0.4) ? 1 : 2 + random.below(4)
      await Promise.all(Array.from({ length: width }, () => this.#client(random.pick(this.#parts.mix.runs))))
    }
  }

  /** One operation after the other, while others go on beside it. */
  async #client(operations: number): Promise<void> {
    for (let left = operations; left > 0; left--) await this.#permitted(this.#operation())
  }

  #operation(): Promise<void> {
    const { mix, random, pool } = this.#parts
    const operations: readonly [number, () => Promise<void>][] = [
      [mix.put, () => this.#put()],
      [mix.remove, () => this.#remove()],
      [mix.refuse, () => this.#refuse()],
      [mix.abort, () => this.#abort()],
      [mix.goOn, () => this.#goOn()],
      [mix.read, () => this.#read()],
      [mix.checkpoint, () => pool.checkpoint()],
    ]
    let chance = random.below(operations.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, operation] of operations) {
      if (chance < weight) return operation()
      chance -= weight
    }
    throw new Error('the weights of a mix are whole numbers')
  }

  async #permitted(operation: Promise<void>): Promise<void> {
    try {
      await operation
    } catch (error) {
      if (error instanceof Refusal || (error instanceof PoolError && PERMITTED.has(error.code))) return
      throw error
    }
  }

  /** One record or several, with payloads of every size, which may replace others. */
  async #put(): Promise<void> {
    const { random } = this.#parts
    const upload = this.#begin()
    await this.#fill(upload, random.pick([0, 1, 1, 1, 2, 3]))
    await this.#commit(upload)
  }

  async #remove(): Promise<void> {
    const upload = this.#begin()
    await this.#commit(upload, 1 + this.#parts.random.below(3))
  }

  async #refuse(): Promise<void> {
    const upload = this.#begin()
    await this.#fill(upload, 1)
    const drafting = () => {
      throw new Refusal()
    }
    await upload.transaction.commit(drafting)
  }

  async #abort(): Promise<void> {
    const upload = this.#begin()
    await this.#fill(upload, 1 + this.#parts.random.below(2))
    await upload.transaction.abort()
  }

  /** Takes an upload that was prepared, in this life or an earlier one, a step further; or begins one. */
  async #goOn(): Promise<void> {
    const { random } = this.#parts
    const upload = this.#uploads.pop() ?? (await this.#resume()) ?? this.#begin()
    if (random.chance(0.7)) await this.#fill(upload, upload.staged.length === 0 ? 1 + random.below(2) : 0)
    const chance = random.next()
    if (chance < 0.45) await this.#prepare(upload)
    else if (chance < 0.9) await this.#commit(upload)
    else await this.#abandon(upload)
  }

  async #resume(): Promise<Upload | undefined> {
    const { pool, ledger } = this.#parts
    const { records, live } = ledger.expect(this.#acknowledged)
    const now = ledger.expect().live
    const sequence = records.findIndex((record, i) => {
      const whole = record.payloads.every((_, payload) => now.has(keyOf({ sequence: i + 1, payload })))
      return record.prepared && record.payloads.length > 0 && whole && !this.#held.has(i + 1)
    })
    if (sequence < 0) return undefined
    this.#held.add(sequence + 1)
    const { transaction, payloads } = await pool.resume(sequence + 1)
    const staged = payloads.map((staging, payload) => ({
      staging,
      bytes: live.get(keyOf({ sequence: sequence + 1, payload }))!,
    }))
    for (const { staging, bytes } of staged) same(staging.length, bytes.length, 'resumed payload has another length')
    return { transaction, staged, prepared: { sequence: sequence + 1, payloads: staged.length } }
  }

  #begin(): Upload {
    return { transaction: this.#parts.pool.begin(), staged: [] }
  }

  /** Stages `more` payloads and writes to them all. */
  async #fill(upload: Upload, more: number): Promise<void> {
    for (let i = 0; i < more; i++) upload.staged.push({ staging: upload.transaction.stage(), bytes: Buffer.alloc(0) })
    try {
      for (const staged of upload.staged) await this.#write(staged, this.#payload())
    } catch (error) {
      await this.#abandon(upload)
      throw error
    }
  }

  /** What was prepared stays, for someone to resume. */
  async #abandon({ transaction, prepared }: Upload): Promise<void> {
    await transaction.abort()
    if (prepared) this.#held.delete(prepared.sequence)
  }

  async #write(staged: Staged, bytes: Buffer): Promise<void> {
    staged.bytes = Buffer.concat([staged.bytes, bytes])
    for (let offset = 0; offset < bytes.length; ) {
      const piece = bytes.subarray(offset, offset + 1 + this.#parts.random.below(2000))
      await staged.staging.write(piece)
      offset += piece.length
    }
  }

  /** No two alike. */
  #payload(): Buffer {
    const { random, mix } = this.#parts
    const bound = random.pick(mix.payloadBytes)
    const text = `${this.#acknowledged}/${this.#payloads++}/${random.below(1000)};`
    return Buffer.alloc(random.below(bound), text)
  }

  /** Releases of live payloads that no upload holds, chosen when the pool asks. */
  #releases(count: number): Release[] {
    const { ledger, random } = this.#parts
    const free = [...ledger.expect().live.keys()].map(releaseOf).filter(({ sequence }) => !this.#held.has(sequence))
    const chosen: Release[] = []
    while (chosen.length < count && free.length > 0) chosen.push(...free.splice(random.below(free.length), 1))
    return chosen
  }

  async #commit(upload: Upload, releaseCount?: number): Promise<void> {
    const { ledger, random, liveBytesMax } = this.#parts
    const { transaction, staged, prepared } = upload
    let drafted: LedgerRecord[] = []
    let sequence = 0
    try {
      await transaction.commit((first) => {
        sequence = first
        const crowded = ledger.expect().liveBytes > liveBytesMax
        const releases = this.#releases(releaseCount ?? (crowded ? 3 : random.pick([0, 0, 1])))
        const groups = random.chance(0.3) ? staged.map((one) => [one]) : [staged]
        if (groups.length === 0) groups.push([])
        drafted = groups.map((group, i) => ({
          content: this.#content(),
          payloads: group.map(({ bytes }) => bytes),
          releases: i === 0 ? [...releases, ...inherited(prepared)] : [],
          prepared: false,
        }))
        this.#draft(first, drafted)
        const records = groups.map((group, i) => ({
          content: drafted[i]!.content,
          payloads: group.map(({ staging }) => staging),
        }))
        return { records, releases }
      })
    } catch (error) {
      if (drafted.length > 0) ledger.withdraw(sequence, drafted)
      throw error
    } finally {
      if (prepared) this.#held.delete(prepared.sequence)
    }
    this.#acknowledge(sequence + drafted.length - 1)
  }

  /** An upload whose prepare is refused goes on all the same. */
  async #prepare(upload: Upload): Promise<void> {
    const { transaction, staged, prepared } = upload
    let sequence = 0
    let drafted: LedgerRecord[] = []
    try {
      await transaction.prepare((first) => {
        sequence = first
        const payloads = staged.map(({ bytes }) => bytes)
        const releases = this.#releases(this.#parts.random.pick([0, 0, 1]))
        const content = this.#content()
        drafted = [{ content, payloads, releases: [...releases, ...inherited(prepared)], prepared: true }]
        this.#held.add(first)
        this.#draft(first, drafted)
        if (this.#parts.random.chance(0.1)) throw new Refusal()
        return { records: [{ content, payloads: staged.map(({ staging }) => staging) }], releases }
      })
      if (prepared) this.#held.delete(prepared.sequence)
      upload.prepared = { sequence, payloads: staged.length }
      this.#acknowledge(sequence)
    } catch (error) {
      if (drafted.length > 0) this.#parts.ledger.withdraw(sequence, drafted)
      throw error
    } finally {
      this.#uploads.push(upload)
    }
  }

  #content(): Buffer {
    const { random, ledger } = this.#parts
    return Buffer.alloc(
      10 + random.below(random.pick([40, 40, 400])),
      `record ${ledger.sequence} ${random.below(1e6)} `,
    )
  }

  #draft(first: Sequence, records: readonly LedgerRecord[]): void {
    const { ledger } = this.#parts
    ledger.draft(first, records)
    this.#parts.mark({ kind: 'draft', sequence: ledger.sequence })
  }

  #acknowledge(sequence: Sequence): void {
    this.#acknowledged = Math.max(this.#acknowledged, sequence)
    this.#parts.mark({ kind: 'ack', sequence })
  }

  /** Reads a payload slowly, while others may release it: it is whole, or was released by then. */
  async #read(): Promise<void> {
    const { pool, ledger, random } = this.#parts
    const { live } = ledger.expect(Math.min(this.#acknowledged, ledger.sequence))
    if (live.size === 0) return
    const key = random.pick([...live.keys()])
    const { sequence, payload } = releaseOf(key)
    const chunks: Uint8Array[] = []
    try {
      for await (const chunk of pool.read(sequence, payload)) {
        chunks.push(Uint8Array.from(chunk))
        for (let turns = random.below(60); turns > 0; turns--) await null
      }
    } catch (error) {
      const released = error instanceof PoolError && error.code === 'ERR_NOT_FOUND' && !ledger.expect().live.has(key)
      if (released) return
      throw error
    }
    same(Buffer.concat(chunks).equals(live.get(key)!), true, `payload ${key} reads differently`)
  }
}

const inherited = (prepared: Upload['prepared']): Release[] =>
  prepared ? Array.from({ length: prepared.payloads }, (_, payload) => ({ sequence: prepared.sequence, payload })) : []

function same<T>(found: T, expected: T, problem: string): void {
  if (found !== expected) throw new Error(`${problem}: ${found} instead of ${expected}`)
}
