import { indexedPart, type TypedText } from '../attributes.ts'
import { traitsOf } from './attribute-traits.ts'
import { type Entry, FIELDS, valuesOf } from './catalog-entry.ts'
import { keyIn, parentIn } from './catalog-keys.ts'

/*
 * How many current objects have each value of each attribute, kept as they change, so that nobody counts.
 *
 *   space  elements                   value
 *   f      attribute, bucket, value   objects of the bucket that have it, in decimal; none is not written
 *   g      attribute                  how many such counters it has, or `wide`
 *
 * 1. A counter is what a count of the current entries would give.
 * 2. An attribute that has had more than `countersMax` of them at once, after a record, is wide: it has none any more,
 *    and is counted by whoever asks. It stays so until the index is made anew, of what is current by then. The same
 *    records folded make it wide again, whatever the batches.
 * 3. Attributes whose values differ from object to object (attribute-traits.ts) have none.
 */
export const WIDE = 'wide'
export const FACET_COUNTERS_MAX = 10_000
/** Longer names are not counted. */
const NAME_CHARACTERS_MAX = 256

export interface EntryChange {
  readonly before: Entry | undefined
  readonly after: Entry | undefined
}

/** A counter, or a width, in memory. */
export interface Counter {
  readonly key: string
  /** 0 for one that is not there. */
  value: number
  isChanged: boolean
}

/** The counters of one attribute in one bucket. */
export interface Place {
  readonly width: Counter
  /** The beginning of their keys. */
  readonly start: string
  /** Those in memory, by their texts. */
  readonly counters: Map<TypedText, Counter>
}

export interface Delta {
  readonly width: Counter
  readonly counter: Counter
  readonly by: 1 | -1
}

/** Where counters are found; one that was not looked at before is loaded before it is counted on. */
export interface Counters {
  placeOf(name: string, bucket: string): Place
  addCounter(place: Place, text: TypedText): Counter
}

/** The width of an attribute that is wide. */
export const WIDE_WIDTH = Number.POSITIVE_INFINITY

const FIELD_NAMES = [...FIELDS.keys()].filter(isCounted)

/** What a change takes from counters and adds to them; nothing of what it leaves as it was. */
export function deltasOf({ before, after }: EntryChange, counters: Counters): readonly Delta[] {
  const come = after ? facetsOf(after, counters, 1) : []
  const gone = before ? facetsOf(before, counters, -1) : []
  if (gone.length === 0) return come
  const left = new Set(come.map(({ counter }) => counter))
  const lost = gone.filter(({ counter }) => !left.has(counter))
  const were = new Set(gone.map(({ counter }) => counter))
  return [...lost, ...come.filter(({ counter }) => !were.has(counter))]
}

/** The counters that an entry is in, each once. */
function facetsOf(entry: Entry, counters: Counters, by: 1 | -1): readonly Delta[] {
  const { bucket, attributes } = entry.stat
  const deltas: Delta[] = []
  for (const name of FIELD_NAMES) addFacets(entry, name, counters.placeOf(name, bucket), counters, by, deltas)
  for (const name of Object.keys(attributes)) {
    if (FIELDS.has(name) || !isCounted(name)) continue
    addFacets(entry, name, counters.placeOf(name, bucket), counters, by, deltas)
  }
  return deltas
}

function addFacets(entry: Entry, name: string, place: Place, counters: Counters, by: 1 | -1, deltas: Delta[]): void {
  const { width } = place
  if (width.value === WIDE_WIDTH) return
  const values = valuesOf(entry, name)
  const texts = values.length > 1 ? new Set(values.map(indexedPart)) : values.map(indexedPart)
  for (const text of texts) {
    const counter = place.counters.get(text) ?? counters.addCounter(place, text)
    deltas.push({ width, counter, by })
  }
}

export function isCounted(name: string): boolean {
  return name.length <= NAME_CHARACTERS_MAX && !traitsOf(name).uncounted
}

export function widthKey(name: string): string {
  return keyIn('g', name)
}

/** The beginning of an attribute's counters, all of them or those of a bucket. */
export function countersUnder(name: string, bucket?: string): string {
  return bucket === undefined ? parentIn('f', name) : parentIn('f', name, bucket)
}

/** Counts one change. Returns the widths of the attributes that became wide by it, whose counters are to go. */
export function count(deltas: readonly Delta[], countersMax: number): readonly Counter[] {
  let grown: Counter[] | undefined
  for (const { width, counter, by } of deltas) {
    if (width.value === WIDE_WIDTH) continue
    const isNew = counter.value === 0
    add(counter, by)
    if (isNew || counter.value === 0) add(width, by)
    if (isNew && width.value > countersMax) grown = [...(grown ?? []), width]
  }
  const wide = [...new Set(grown)].filter(({ value }) => value > countersMax)
  for (const width of wide) width.value = WIDE_WIDTH
  return wide
}

function add(counter: Counter, by: number): void {
  counter.value += by
  counter.isChanged = true
}
