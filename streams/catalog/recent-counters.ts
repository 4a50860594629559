import type { TypedText } from '../attributes.ts'
import { indexKey } from './catalog-keys.ts'
import { type Counter, type Counters, countersUnder, type Place, widthKey } from './facet-counters.ts'

/** Counters that were used. When there are too many of them all are forgotten: those in use are soon there again. */
export class RecentCounters implements Counters {
  readonly #keptMax: number
  #kept = 0
  #places = new Map<string, Map<string, Place>>()
  #widths = new Map<string, Counter>()
  #unknown: Counter[] = []

  /** `keptMax` counters and places stay in memory, beside those of the batch underway. */
  constructor(keptMax: number) {
    this.#keptMax = keptMax
  }

  placeOf(name: string, bucket: string): Place {
    return this.#places.get(bucket)?.get(name) ?? this.#addPlace(name, bucket)
  }

  #addPlace(name: string, bucket: string): Place {
    const width = this.#widths.get(name) ?? this.#add(widthKey(name))
    const place = { width, start: countersUnder(name, bucket), counters: new Map<TypedText, Counter>() }
    const places = this.#places.get(bucket) ?? new Map<string, Place>()
    this.#widths.set(name, width)
    this.#places.set(bucket, places.set(name, place))
    this.#kept += 1
    return place
  }

  addCounter({ start, counters }: Place, text: TypedText): Counter {
    const counter = this.#add(indexKey(start, text, ''))
    counters.set(text, counter)
    return counter
  }

  #add(key: string): Counter {
    const counter = { key, value: 0, isChanged: false }
    this.#unknown.push(counter)
    this.#kept += 1
    return counter
  }

  /** Those added since the last time, whose values are not known yet. */
  takeUnknown(): readonly Counter[] {
    const unknown = this.#unknown
    this.#unknown = []
    return unknown
  }

  /** Between batches, when none of them is changed and not written. */
  forget(): void {
    if (this.#kept <= this.#keptMax) return
    this.#places = new Map()
    this.#widths = new Map()
    this.#kept = 0
  }
}
