import { indexedPart } from '../attributes.ts'
import type { Entry } from '../catalog/catalog-entry.ts'
import { indexKeysUnder, isIndexed, isOverflowing } from '../catalog/catalog-index.ts'
import {
  compareUtf8,
  elementRange,
  indexPrefix,
  indexText,
  isWithin,
  type KeyRange,
  mergedRanges,
  parentIn,
  prefixRange,
} from '../catalog/catalog-keys.ts'
import type { Condition, Filter } from './query-filter.ts'
import { ALL_TEXTS, type Interval, TYPED_TEXTS_END } from './query-interval.ts'

/*
 * How an answer is found. A plan is a list of legs, walked one after the other; each leads to every entry that meets
 * its part of the query, and all of them to every entry of the answer. Every entry is checked against the whole query:
 * a leg only leads there.
 *
 *   condition   one leg: the ranges of its index
 *   AND         the legs of whichever part promises fewest entries
 *   OR          the legs of all parts
 *   NOT         none: what it asks for is in no index
 *
 * Without a plan the current entries are read, all of them or those of a bucket: so it is, too, while the index is not
 * whole. An entry is told by the first leg
 * that leads to it, and there by the first key; one that the index has not all values of by its key in space `o`, which
 * ends the ranges of every leg.
 */
export interface Leg {
  /** What it follows; undefined for the current entries, in the order of their names. */
  readonly condition: Condition | undefined
  /** Whoever meets it is found on this leg. */
  readonly covers: Filter
  readonly ranges: readonly KeyRange[]
  /** Equalities that an answer must meet besides, whose indexes tell of an object without its entry. */
  readonly narrowing: readonly Condition[]
}

/** The ways that there are. */
export type Ways =
  | { readonly kind: 'leg'; readonly leg: Leg }
  /** One of them is enough. */
  | { readonly kind: 'any'; readonly options: readonly Ways[] }
  /** All of them are needed. */
  | { readonly kind: 'all'; readonly parts: readonly Ways[] }

export interface Plan {
  readonly legs: readonly Leg[]
  /** Which option was taken, at each choice from the first to the last: the same again leads the same way. */
  readonly choices: readonly number[]
  /** Entries that it leads to, estimated. */
  readonly entries: number
}

export const OVERFLOW: KeyRange = prefixRange(parentIn('o'))
/** Texts of one equality, of which each has its objects in order. */
const NARROWING_TEXTS_MAX = 3

/** Where no index leads to all of the answer, or there is `noIndex`, the current entries do. */
export function waysOf(filter: Filter, noIndex = false): Ways {
  return waysThrough(filter, [], noIndex) ?? { kind: 'leg', leg: currentLeg(filter, [ALL_TEXTS], undefined) }
}

function waysThrough(filter: Filter, siblings: readonly Condition[], noIndex: boolean): Ways | undefined {
  switch (filter.kind) {
    case 'not':
      return undefined
    case 'condition':
      return conditionWays(filter, siblings, noIndex)
    case 'or':
      return allOf(filter.parts.map((part) => waysThrough(part, siblings, noIndex)))
    case 'and':
      return anyOf(filter.parts, siblings, noIndex)
  }
}

function conditionWays(condition: Condition, siblings: readonly Condition[], noIndex: boolean): Ways | undefined {
  const { name, intervals } = condition.index
  if (name === 'object.bucket') return { kind: 'leg', leg: currentLeg(condition, intervals, undefined) }
  if (noIndex || !isIndexed(name)) return undefined
  const narrowing = siblings.filter((other) => other !== condition && narrows(other))
  return { kind: 'leg', leg: { condition, covers: condition, ranges: rangesOf(condition), narrowing } }
}

function allOf(parts: readonly (Ways | undefined)[]): Ways | undefined {
  const ways = parts.filter((part) => part !== undefined)
  return ways.length === parts.length ? { kind: 'all', parts: ways } : undefined
}

function anyOf(parts: readonly Filter[], siblings: readonly Condition[], noIndex: boolean): Ways | undefined {
  const conditions = parts.filter((part) => part.kind === 'condition')
  const options = parts.map((part) => waysThrough(part, [...siblings, ...conditions], noIndex))
  const buckets = conditions.find((condition) => condition.name === 'object.bucket' && hasSingles(condition))
  const keys = conditions.find(({ index }) => index.name === 'object.key' && index.kind === 'values')
  const named: Ways | undefined = buckets &&
    keys && { kind: 'leg', leg: currentLeg({ kind: 'and', parts }, buckets.index.intervals, keys) }
  const found = [...options, named].filter((option) => option !== undefined)
  return found.length > 1 ? { kind: 'any', options: found } : found[0]
}

/** Whether each of its ranges has the keys of one text, which are in the order of their objects. */
export function hasSingles({ index }: Condition): boolean {
  return index.intervals.every(({ from, to }) => from === to)
}

export function narrows(condition: Condition): boolean {
  const { name, intervals } = condition.index
  return isIndexed(name) && hasSingles(condition) && intervals.length <= NARROWING_TEXTS_MAX
}

/**
 * Ends of intervals are taken in, cut as the index cuts its values: what this lets pass is checked on the entry. So
 * are the entries that the index has not all the values of.
 */
export function rangesOf({ index: { name, kind, intervals } }: Condition): readonly KeyRange[] {
  const parent = indexPrefix(kind, name)
  const ranges = intervals.map(({ from, to }) => elementRange(parent, indexedPart(from), indexedPart(to)))
  return [...mergedRanges(ranges), OVERFLOW]
}

/** By bucket, and by key within buckets. */
function currentLeg(covers: Filter, buckets: readonly Interval[], keys: Condition | undefined): Leg {
  const ranges =
    keys === undefined
      ? textRanges(parentIn('c'), buckets)
      : buckets.flatMap(({ from }) => textRanges(parentIn('c', from.slice(1)), keys.index.intervals))
  return { condition: undefined, covers, ranges: mergedRanges(ranges), narrowing: [] }
}

/** Keys below `parent` whose next element lies in one of the intervals, which are of strings only. */
function textRanges(parent: string, intervals: readonly Interval[]): readonly KeyRange[] {
  return intervals.map(({ from, to }) =>
    elementRange(parent, from.slice(1), to === TYPED_TEXTS_END ? undefined : to.slice(1)),
  )
}

export function legsOf(ways: Ways): readonly Leg[] {
  if (ways.kind === 'leg') return [ways.leg]
  return (ways.kind === 'any' ? ways.options : ways.parts).flatMap(legsOf)
}

/** The plan that leads to fewest entries. */
export function cheapestPlan(ways: Ways, entriesOf: (leg: Leg) => number): Plan {
  if (ways.kind === 'leg') return { legs: [ways.leg], choices: [], entries: entriesOf(ways.leg) }
  if (ways.kind === 'all') return together(ways.parts.map((part) => cheapestPlan(part, entriesOf)))
  const plans = ways.options.map((option) => cheapestPlan(option, entriesOf))
  const least = Math.min(...plans.map(({ entries }) => entries))
  const choice = plans.findIndex(({ entries }) => entries === least)
  const plan = plans[choice]!
  return { ...plan, choices: [choice, ...plan.choices] }
}

function together(plans: readonly Plan[]): Plan {
  return {
    legs: plans.flatMap(({ legs }) => legs),
    choices: plans.flatMap(({ choices }) => choices),
    entries: plans.reduce((sum, { entries }) => sum + entries, 0),
  }
}

/** The plan that was made by these choices; undefined when there is none. */
export function chosenPlan(ways: Ways, choices: readonly number[]): Plan | undefined {
  const left = [...choices]
  const legs = chosenLegs(ways, left)
  return legs && left.length === 0 ? { legs, choices, entries: 0 } : undefined
}

function chosenLegs(ways: Ways, left: number[]): readonly Leg[] | undefined {
  if (ways.kind === 'leg') return [ways.leg]
  if (ways.kind === 'any') {
    const option = ways.options[left.shift() ?? -1]
    return option && chosenLegs(option, left)
  }
  const parts = ways.parts.map((part) => chosenLegs(part, left))
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined
}

/** Whether `key` is where a leg tells of `entry`: a list's keys, or words, lead there more than once. */
export function leadsFirst({ condition, ranges }: Leg, key: string, entry: Entry): boolean {
  if (condition === undefined) return true
  if (isOverflowing(entry)) return isWithin(OVERFLOW, key)
  if (isWithin(OVERFLOW, key)) return false
  if (condition.index.intervals.length === 1 && hasSingles(condition)) return true
  const keys = indexKeysUnder(entry, condition.index.kind, condition.index.name)
  return keys.every(
    (other) =>
      compareUtf8(key, other) <= 0 || !ranges.some((range) => isWithin(range, other)) || !leads(condition, other),
  )
}

/** Whether what an index key says may meet the condition; one whose value was cut may. */
export function leads({ leads }: Condition, key: string): boolean {
  if (leads === undefined || isWithin(OVERFLOW, key)) return true
  const text = indexText(key)
  return leads(text) || indexedPart(`${text}x`) !== `${text}x`
}
