import type { TypedText } from '../attributes.ts'
import { compareUtf8, prefixEnd } from '../catalog/catalog-keys.ts'

/** From one typed text to another. */
export interface Interval {
  readonly from: TypedText
  /** False when `from` itself lies outside. */
  readonly fromIncluded: boolean
  readonly to: TypedText
  readonly toIncluded: boolean
}

/** Above every typed text, the last of which begin with `t`. */
export const TYPED_TEXTS_END = 'u'
export const ALL_TEXTS: Interval = { from: '', fromIncluded: true, to: TYPED_TEXTS_END, toIncluded: false }

export function prefixInterval(prefix: TypedText): Interval {
  return { from: prefix, fromIncluded: true, to: prefixEnd(prefix), toIncluded: false }
}

export function singleInterval(text: TypedText): Interval {
  return { from: text, fromIncluded: true, to: text, toIncluded: true }
}

/** What lies below, or above, a text among the texts of its type. */
export function belowInterval(text: TypedText, toIncluded: boolean): Interval {
  return { ...prefixInterval(text.slice(0, 1)), to: text, toIncluded }
}

export function aboveInterval(text: TypedText, fromIncluded: boolean): Interval {
  return { ...prefixInterval(text.slice(0, 1)), from: text, fromIncluded }
}

/** What lies in one of each. */
export function overlapOf(left: readonly Interval[], right: readonly Interval[]): readonly Interval[] {
  const pairs = left.flatMap((one) => right.map((other) => overlap(one, other)))
  return pairs.filter((interval) => !isEmpty(interval))
}

function overlap(one: Interval, other: Interval): Interval {
  const start = compareUtf8(one.from, other.from) || Number(other.fromIncluded) - Number(one.fromIncluded)
  const end = compareUtf8(one.to, other.to) || Number(one.toIncluded) - Number(other.toIncluded)
  const { from, fromIncluded } = start > 0 ? one : other
  const { to, toIncluded } = end < 0 ? one : other
  return { from, fromIncluded, to, toIncluded }
}

export function isEmpty({ from, fromIncluded, to, toIncluded }: Interval): boolean {
  const order = compareUtf8(from, to)
  return order > 0 || (order === 0 && !(fromIncluded && toIncluded))
}

export function within(intervals: readonly Interval[], text: TypedText): boolean {
  return intervals.some((interval) => contains(interval, text))
}

function contains({ from, fromIncluded, to, toIncluded }: Interval, text: TypedText): boolean {
  const start = compareUtf8(from, text)
  const end = compareUtf8(text, to)
  return (start < 0 || (start === 0 && fromIncluded)) && (end < 0 || (end === 0 && toIncluded))
}
