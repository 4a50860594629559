import { type Counter, type Counters, countersUnder, type Place, widthKey } from './facet-counters.ts'

/** Counters kept of those last used, beside those of the batch underway. */
const COUNTERS_MAX = 50_000
/** Places kept; they are made again from their names. */
const PLACES_MAX = 10_000

/** Counters last used, in two ages of half the bound each (as in catalog-heads.ts). */
export class RecentCounters implements Counters {
  readonly #ageMax: number
  #younger = new Map<string, Counter>()
  #older = new Map<string, Counter>()
  #unknown: Counter[] = []
  #places = new Map<string, Map<string, Place>>()
  #placesSize = 0

  constructor(countersMax = COUNTERS_MAX) {
    this.#ageMax = countersMax / 2
  }

  counterAt(key: string): Counter {
    const known = this.#younger.get(key)
    if (known !== undefined) return known
    const older = this.#older.get(key)
    const counter = older ?? { key, value: 0, isChanged: false }
    if (older === undefined) this.#unknown.push(counter)
    this.#younger.set(key, counter)
    return counter
  }

  placeOf(name: string, bucket: string): Place {
    let places = this.#places.get(bucket)
    if (places === undefined) {
      places = new Map()
      this.#places.set(bucket, places)
    }
    let place = places.get(name)
    if (place === undefined) {
      place = { width: this.counterAt(widthKey(name)), start: countersUnder(name, bucket) }
      places.set(name, place)
      this.#placesSize += 1
    }
    return place
  }

  /** Those asked for since the last time whose values are not known. */
  takeUnknown(): readonly Counter[] {
    const unknown = this.#unknown
    this.#unknown = []
    return unknown
  }

  /** Between batches: forgets the counters used least recently. */
  age(): void {
    if (this.#placesSize > PLACES_MAX) this.#forgetPlaces()
    if (this.#younger.size <= this.#ageMax) return
    this.#older = this.#younger
    this.#younger = new Map()
    this.#forgetPlaces()
  }

  /** They hold on to widths: a width that is forgotten must not be counted on by a place that is not. */
  #forgetPlaces(): void {
    this.#places = new Map()
    this.#placesSize = 0
  }
}
