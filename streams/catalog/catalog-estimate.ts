import type { Condition } from '../query/query-filter.ts'
import { hasSingles, type Leg, OVERFLOW, rangesOf } from '../query/query-plan.ts'
import type { KeyRange } from './catalog-keys.ts'
import { indexPrefix, isWithin, prefixRange } from './catalog-keys.ts'
import { MERGE_RATIO_MAX } from './catalog-narrowing.ts'
import type { Reading } from './catalog-reading.ts'
import type { Narrower } from './catalog-walk.ts'

/** Of all objects, how many meet a condition about which nothing is known yet: its tables are in memory still. */
const SHARES = { equals: 0.05, prefix: 0.1, between: 0.2, exists: 1 } as const
const SHARE_ELSE = 0.3
/** Looking an object up in another index costs a third of looking at its entry. */
const NARROWING_SHARE_MAX = 0.6
/** Conditions whose indexes are asked about the entries of a leg: each costs a look for each entry, whatever it leaves. */
export const NARROWERS_MAX = 8

export interface Estimate {
  readonly entries: number
  readonly isExact: boolean
}

/** How many entries legs and conditions lead to. */
export class Estimates {
  readonly #reading: Reading
  readonly #probeMax: number
  readonly #objects: number
  readonly #legs = new Map<Leg, Estimate>()
  readonly #conditions = new Map<Condition, Estimate>()

  private constructor(reading: Reading, probeMax: number, objects: number) {
    this.#reading = reading
    this.#probeMax = probeMax
    this.#objects = objects
  }

  /**
   * Up to `probeMax` keys are read to see how many there are: as far as that, an estimate is exact. When one is, the others
   * are not estimated more closely than that there are more, unless `all` are asked for.
   */
  static async of(reading: Reading, legs: readonly Leg[], probeMax: number, all = false): Promise<Estimates> {
    const estimates = new Estimates(reading, probeMax, (await reading.position()).objects)
    const counts = await Promise.all(legs.map((leg) => estimates.#probe(leg.ranges)))
    const isDecided = !all && counts.some((count) => count !== undefined)
    await Promise.all(legs.map((leg, at) => estimates.#addLeg(leg, counts[at], isDecided)))
    if (!isDecided) await estimates.#addOthers(legs)
    return estimates
  }

  async #addLeg(leg: Leg, count: number | undefined, isDecided: boolean): Promise<void> {
    const { condition, ranges } = leg
    if (count !== undefined) this.#legs.set(leg, { entries: count, isExact: true })
    else if (!isDecided) this.#legs.set(leg, await this.#shareOf(condition, ranges))
    const estimate = this.#legs.get(leg)
    if (condition !== undefined && estimate !== undefined) this.#conditions.set(condition, estimate)
  }

  /** Each condition once, however many legs it may narrow. */
  async #addOthers(legs: readonly Leg[]): Promise<void> {
    const others = new Set(legs.flatMap(({ narrowing }) => narrowing).filter((other) => !this.#conditions.has(other)))
    await Promise.all([...others].map((other) => this.#add(other)))
  }

  /** Objects in all. */
  get objects(): number {
    return this.#objects
  }

  ofLeg(leg: Leg): Estimate {
    return this.#legs.get(leg) ?? { entries: this.#objects, isExact: false }
  }

  ofCondition(condition: Condition): Estimate {
    return this.#conditions.get(condition) ?? { entries: this.#objects, isExact: false }
  }

  /** Which conditions leave so little of a leg that asking them pays. */
  narrowersOf(leg: Leg): readonly Narrower[] {
    const { entries } = this.ofLeg(leg)
    const inOrder = leg.condition !== undefined && hasSingles(leg.condition)
    return leg.narrowing
      .filter((condition) => entries > this.#probeMax && this.isSelective(condition))
      .map((condition) => ({ condition, count: this.ofCondition(condition).entries }))
      .toSorted((one, other) => one.count - other.count)
      .slice(0, NARROWERS_MAX)
      .map(({ condition, count }) => ({ condition, merges: inOrder && count <= MERGE_RATIO_MAX * entries }))
  }

  /** Whether asking its index leaves out so many objects that it pays. */
  isSelective(condition: Condition): boolean {
    return this.ofCondition(condition).entries <= NARROWING_SHARE_MAX * this.#objects
  }

  async #add(condition: Condition): Promise<void> {
    this.#conditions.set(condition, await this.#estimate(condition, rangesOf(condition)))
  }

  async #estimate(condition: Condition, ranges: readonly KeyRange[]): Promise<Estimate> {
    const count = await this.#probe(ranges)
    return count === undefined ? this.#shareOf(condition, ranges) : { entries: count, isExact: true }
  }

  async #shareOf(condition: Condition | undefined, ranges: readonly KeyRange[]): Promise<Estimate> {
    const share = await this.#share(condition, ranges)
    return { entries: Math.max(this.#probeMax + 1, Math.round(share * this.#objects)), isExact: false }
  }

  /** Undefined when there are more than are read. */
  async #probe(ranges: readonly KeyRange[]): Promise<number | undefined> {
    let count = 0
    for (const range of ranges) {
      if (range === OVERFLOW && ranges.length > 1) continue
      await using scan = this.#reading.scan(range, { chunkMin: this.#probeMax + 1 - count, keysOnly: true })
      count += (await scan.chunk()).length
      if (count > this.#probeMax) return undefined
    }
    return count
  }

  /** By the bytes of the tables: of the ranges, and of all keys of the attribute. */
  async #share(condition: Condition | undefined, ranges: readonly KeyRange[]): Promise<number> {
    const whole = condition === undefined ? 'c' : indexPrefix(condition.index.kind, condition.index.name)
    const bytes = await this.#bytesOf(prefixRange(whole))
    const own = ranges.filter(({ gte }) => isWithin(prefixRange(whole), gte))
    const parts = await Promise.all(own.map((range) => this.#bytesOf(range)))
    const sum = parts.reduce((total, part) => total + part, 0)
    if (bytes > 0 && sum > 0) return sum / bytes
    return SHARES[condition?.operator as keyof typeof SHARES] ?? SHARE_ELSE
  }

  #bytesOf(range: KeyRange): Promise<number> {
    return this.#reading.bytesOf(range)
  }
}
