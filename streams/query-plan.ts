import { compareUtf8, indexedPart, meanings, plainText, type TypedText } from './attributes.ts'
import { type Entry, FIELDS, indexKeysOf, isIndexed, valuesOf } from './catalog-entry.ts'
import { elementRange, indexPrefix, type KeyRange, parentIn, prefixEnd, prefixRange } from './catalog-keys.ts'
import type { Term } from './query.ts'

/*
 * What a query means. A term becomes intervals of typed texts, one for each type that its literal can have, and an
 * entry meets it when one of its values lies in one of them. Comparisons of one name are one condition together, an
 * interval that one value must lie in: `date >= 2026-11-01 AND date < 2026-12-01` reads November only, and asks of a
 * list for one element between the two.
 *
 * Every condition is checked on the entry; a path only leads to the entries that may meet them.
 */
interface Interval {
  readonly from: TypedText
  /** False when `from` itself lies outside. */
  readonly fromIncluded: boolean
  readonly to: TypedText
  readonly toIncluded: boolean
}

export interface Condition {
  readonly name: string
  readonly intervals: readonly Interval[]
  /** The lower, the fewer entries meet such a condition as a rule. */
  readonly rank: number
}

/** A way through the catalog: ranges of keys, in order, that lead to every entry of the answer. */
export interface Path {
  /** The attribute whose index it follows; undefined for the current entries, in the order of their names. */
  readonly attribute: string | undefined
  readonly ranges: readonly KeyRange[]
  readonly rank: number
}

const RANKS = { equals: 0, prefix: 1, '<': 2, '<=': 2, '>': 2, '>=': 2, exists: 3 } as const
const CURRENT_RANK = 4
/** Above every typed text, the last of which begin with `t`. */
const TYPED_TEXTS_END = 'u'
const ALL: Interval = { from: '', fromIncluded: true, to: TYPED_TEXTS_END, toIncluded: false }

const OVERFLOW = prefixRange(parentIn('o'))

export function conditionsOf(terms: readonly Term[]): readonly Condition[] {
  const conditions: Condition[] = []
  const compared = new Map<string, Condition>()
  for (const term of terms) {
    const condition = { name: term.name, intervals: intervalsOf(term), rank: RANKS[term.operator] }
    if (condition.rank !== RANKS['<']) conditions.push(condition)
    else compared.set(term.name, both(compared.get(term.name), condition))
  }
  return [...conditions, ...compared.values()]
}

function intervalsOf({ name, operator, value }: Term): readonly Interval[] {
  if (operator === 'exists') return [ALL]
  if (operator === 'prefix') return [prefixInterval(plainText(value))]
  const texts = meanings(value, FIELDS.get(name)?.type)
  if (operator === 'equals')
    return texts.map((text) => ({ from: text, fromIncluded: true, to: text, toIncluded: true }))
  return texts.map((text) => comparison(operator, text))
}

function prefixInterval(prefix: TypedText): Interval {
  return { from: prefix, fromIncluded: true, to: prefixEnd(prefix), toIncluded: false }
}

/** Within the values of one type. */
function comparison(operator: '<' | '<=' | '>' | '>=', text: TypedText): Interval {
  const type = prefixInterval(text.slice(0, 1))
  if (operator === '<' || operator === '<=') return { ...type, to: text, toIncluded: operator === '<=' }
  return { ...type, from: text, fromIncluded: operator === '>=' }
}

function both(left: Condition | undefined, right: Condition): Condition {
  if (left === undefined) return right
  const pairs = left.intervals.flatMap((one) => right.intervals.map((other) => overlap(one, other)))
  return { ...right, intervals: pairs.filter((interval) => !isEmpty(interval)) }
}

function overlap(one: Interval, other: Interval): Interval {
  const start = compareUtf8(one.from, other.from) || Number(other.fromIncluded) - Number(one.fromIncluded)
  const end = compareUtf8(one.to, other.to) || Number(one.toIncluded) - Number(other.toIncluded)
  const { from, fromIncluded } = start > 0 ? one : other
  const { to, toIncluded } = end < 0 ? one : other
  return { from, fromIncluded, to, toIncluded }
}

function isEmpty({ from, fromIncluded, to, toIncluded }: Interval): boolean {
  const order = compareUtf8(from, to)
  return order > 0 || (order === 0 && !(fromIncluded && toIncluded))
}

export function meets(entry: Entry, conditions: readonly Condition[]): boolean {
  return conditions.every(({ name, intervals }) =>
    valuesOf(entry, name).some((value) => intervals.some((interval) => contains(interval, value))),
  )
}

export function contains({ from, fromIncluded, to, toIncluded }: Interval, text: TypedText): boolean {
  const start = compareUtf8(from, text)
  const end = compareUtf8(text, to)
  return (start < 0 || (start === 0 && fromIncluded)) && (end < 0 || (end === 0 && toIncluded))
}

/** Every path there is, the best one by rule first. Each of them leads to the whole answer. */
export function pathsOf(conditions: readonly Condition[]): readonly Path[] {
  const paths = conditions.filter(({ name }) => isIndexed(name)).map(indexPath)
  return [currentPath(conditions), ...paths].sort((left, right) => left.rank - right.rank)
}

/**
 * Ends of intervals are taken in, cut as the index cuts its values: what this lets pass is checked on the entry. So
 * are the entries that the index has not all the values of.
 */
function indexPath({ name, intervals, rank }: Condition): Path {
  const parent = indexPrefix(name)
  const ranges = intervals.map(({ from, to }) => elementRange(parent, indexedPart(from), indexedPart(to)))
  return { attribute: name, ranges: FIELDS.has(name) ? ranges : [...ranges, OVERFLOW], rank }
}

/** By bucket, and by key within one bucket; otherwise everything. */
function currentPath(conditions: readonly Condition[]): Path {
  const bucket = bestOf(conditions, 'object.bucket')
  const path = { attribute: undefined, rank: CURRENT_RANK }
  if (bucket?.rank !== RANKS.equals) return { ...path, ranges: textRanges(parentIn('c'), bucket?.intervals ?? [ALL]) }
  const key = bestOf(conditions, 'object.key')
  const ranges = bucket.intervals.flatMap(({ from }) =>
    textRanges(parentIn('c', from.slice(1)), key?.intervals ?? [ALL]),
  )
  return { ...path, ranges, rank: key?.rank ?? CURRENT_RANK }
}

function bestOf(conditions: readonly Condition[], name: string): Condition | undefined {
  return conditions.filter((condition) => condition.name === name).sort((left, right) => left.rank - right.rank)[0]
}

/** Keys below `parent` whose next element lies in one of the intervals, which are of strings only. */
function textRanges(parent: string, intervals: readonly Interval[]): readonly KeyRange[] {
  return intervals.map(({ from, to }) =>
    elementRange(parent, from.slice(1), to === TYPED_TEXTS_END ? undefined : to.slice(1)),
  )
}

/** Whether `key` is the first of the path's keys that lead to `entry`: a list's lead there once for each element. */
export function leadsFirst(path: Path, key: string, entry: Entry): boolean {
  if (path.attribute === undefined) return true
  if (!isWithin(OVERFLOW, key) && valuesOf(entry, path.attribute).length === 1) return true
  const leading = indexKeysOf(entry).filter((other) => path.ranges.some((range) => isWithin(range, other)))
  return leading.every((other) => compareUtf8(key, other) <= 0)
}

export function isWithin(range: KeyRange, key: string): boolean {
  return compareUtf8(range.gte, key) <= 0 && compareUtf8(key, range.lt) < 0
}
