import type { Pool, Transaction } from '../../pool/index.ts'
import type { DurableRecord } from '../catalog/catalog-port.ts'
import type { Change } from '../changes.ts'
import type { Origin } from '../envelope.ts'
import { toStoreError } from '../store-errors.ts'
import { abandon } from './partial-changes.ts'
import type { PartialUpload } from './partial-port.ts'
import type { PartialTable } from './partial-table.ts'

export interface PartialLimits {
  /** Partial uploads of one application; beyond it the oldest go. */
  readonly partialsMax: number
  /** Their bytes. */
  readonly partialBytesMax: number
}

export interface HousekeepingParts {
  readonly pool: Pick<Pool, 'status' | 'limits'>
  readonly partials: PartialTable
  readonly limits: PartialLimits
  readonly clock: { now(): number }
  readonly commit: (change: Change) => Promise<readonly DurableRecord[]>
}

/** Partial uploads that one round lets go because they are too old. */
export const ROUND_MAX = 100

/** Lets partial uploads go that are too old, too many, or in the way; none that is gone on with. */
export class Housekeeping {
  readonly #parts: HousekeepingParts

  constructor(parts: HousekeepingParts) {
    this.#parts = parts
  }

  oldestFirst(): readonly PartialUpload[] {
    return this.#parts.partials.all().toSorted((one, other) => one.time - other.time || one.prepared - other.prepared)
  }

  async drop(origin: Origin, partial: PartialUpload, reason: string): Promise<'dropped' | 'gone' | 'claimed'> {
    const { partials, commit } = this.#parts
    const claim = partials.claim(partial)
    if (!claim) return 'claimed'
    try {
      return (await commit(abandon(origin, partial, reason))).length > 0 ? 'dropped' : 'gone'
    } finally {
      claim.release()
    }
  }

  /** Lets go of those that nobody went on with for `keepMs`, a bounded number of them; true when there are more. */
  async expire(origin: Origin, keepMs: number): Promise<boolean> {
    const now = this.#parts.clock.now()
    const due = this.#free(({ time }) => time + keepMs <= now)
    for (const partial of due.slice(0, ROUND_MAX))
      await this.drop(origin, partial, `expired: nobody went on with it for ${keepMs / 3_600_000} hours`)
    return due.length > ROUND_MAX
  }

  /** Keeps an application within its bounds. */
  async displace(origin: Origin, application: string): Promise<void> {
    const { partialsMax, partialBytesMax } = this.#parts.limits
    const own = this.#free((partial) => partial.application === application)
    let bytes = own.reduce((sum, { size }) => sum + size, 0)
    let count = own.length
    for (const partial of own) {
      if (count <= partialsMax && bytes <= partialBytesMax) return
      await this.drop(origin, partial, 'displaced: its application has too many')
      count -= 1
      bytes -= partial.size
    }
  }

  /** Reserves; where there is no room, the oldest partial upload goes, and it is tried again: none for what would not fit even so. */
  async roomFor(origin: Origin, transaction: Pick<Transaction, 'reserve'>, bytes: number): Promise<void> {
    for (;;) {
      try {
        return await transaction.reserve(bytes)
      } catch (error) {
        const isFull = toStoreError(error).code === 'ERR_NO_SPACE'
        if (!isFull || bytes > this.#bytesAtMost() || !(await this.makeRoom(origin))) throw error
      }
    }
  }

  /** Free, were all of them let go. */
  #bytesAtMost(): number {
    const { pool } = this.#parts
    const free = pool.status().freeBytes - pool.limits.reserveBytes
    return this.#free(() => true).reduce((sum, { size }) => sum + size, free)
  }

  /** Lets the oldest go, if there is one that holds bytes. */
  async makeRoom(origin: Origin): Promise<boolean> {
    const [oldest] = this.#free(({ size }) => size > 0)
    return oldest !== undefined && (await this.drop(origin, oldest, 'displaced: the pool is full')) === 'dropped'
  }

  #free(isMeant: (partial: PartialUpload) => boolean): readonly PartialUpload[] {
    const { partials } = this.#parts
    return this.oldestFirst().filter((one) => isMeant(one) && !partials.isClaimed(one))
  }
}
