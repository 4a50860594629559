import { indexedPart } from '../attributes.ts'
import { type Entry, FIELDS, valuesOf } from '../catalog/catalog-entry.ts'
import { isIndexed, isOverflowing } from '../catalog/catalog-index.ts'
import {
  compareUtf8,
  elementRange,
  indexPrefix,
  type KeyRange,
  mergedRanges,
  parentIn,
  prefixRange,
} from '../catalog/catalog-keys.ts'
import { StoreError } from '../errors.ts'
import type { SortPlace } from './query-cursor.ts'
import type { Condition, Filter } from './query-filter.ts'
import { ALL_TEXTS, type Interval, within } from './query-interval.ts'
import { OVERFLOW } from './query-plan.ts'

/**
 * The order of an answer: by an attribute's values as the index has them, the type first, and then by object; backwards
 * for `-name`. What counts of a list is its first element in that order among those that the query asks for. Objects
 * whose value is not in the index come last, by object.
 */
export class Order {
  readonly name: string
  readonly descending: boolean
  /** That all conditions on the attribute leave; undefined when there is none. */
  readonly #intervals: readonly Interval[] | undefined

  /** Throws ERR_INVALID for an attribute that has no order. */
  constructor(text: string, filter: Filter) {
    this.descending = text.startsWith('-')
    this.name = this.descending ? text.slice(1) : text
    if (this.name === '' || !isIndexed(this.name))
      throw new StoreError('ERR_INVALID', `an answer is sorted by an indexed attribute, and "${this.name}" is none`)
    const asks = ({ index: { name, kind }, leads }: Condition) => name === this.name && kind === 'values' && !leads
    this.#intervals = topConditions(filter).find(asks)?.index.intervals
  }

  /** Where an entry stands. */
  placeOf(entry: Entry): SortPlace {
    return { text: this.#textOf(entry), object: entry.stat.object }
  }

  #textOf(entry: Entry): string | null {
    if (!FIELDS.has(this.name) && isOverflowing(entry)) return null
    const texts = valuesOf(entry, this.name).filter((text) => within(this.#intervals ?? [ALL_TEXTS], text))
    const [first = null, ...others] = texts.map(indexedPart)
    return others.reduce((best, text) => (this.#compareTexts(text, best) < 0 ? text : best), first)
  }

  compare(one: SortPlace, other: SortPlace): number {
    if (one.text === null && other.text === null) return compareUtf8(one.object, other.object)
    const order = this.#compareTexts(one.text, other.text) || compareUtf8(one.object, other.object)
    return this.descending && one.text === other.text ? -order : order
  }

  #compareTexts(one: string | null, other: string | null): number {
    if (one === null || other === null) return Number(one === null) - Number(other === null)
    return this.descending ? compareUtf8(other, one) : compareUtf8(one, other)
  }

  /** Of the index, in the order of the answer. */
  get ranges(): readonly KeyRange[] {
    const parent = indexPrefix('values', this.name)
    const intervals = this.#intervals ?? [ALL_TEXTS]
    const ranges = intervals.map(({ from, to }) => elementRange(parent, indexedPart(from), indexedPart(to)))
    return this.descending ? mergedRanges(ranges).toReversed() : mergedRanges(ranges)
  }

  /** Of the objects that come last. */
  get lastRanges(): readonly KeyRange[] {
    if (FIELDS.has(this.name)) return []
    return this.#intervals === undefined ? [prefixRange(parentIn('n'))] : [OVERFLOW]
  }
}

/** What every answer meets. */
export function topConditions(filter: Filter): readonly Condition[] {
  if (filter.kind === 'condition') return [filter]
  return filter.kind === 'and' ? filter.parts.filter((part) => part.kind === 'condition') : []
}
