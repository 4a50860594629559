import { decodeTuple, prefixRange } from './catalog-keys.ts'
import type { CatalogLevel } from './catalog-level.ts'
import { type Counter, count, countersUnder, deltasOf, type EntryChange, WIDE, WIDE_WIDTH } from './facet-counters.ts'
import { RecentCounters } from './recent-counters.ts'

interface Batch {
  put(key: string, value: string): unknown
  del(key: string): unknown
}

/**
 * Keeps the counters of facets with each batch of the catalog. Those last used stay in memory, changed as soon as they
 * are counted: when a batch cannot be written, no other is.
 */
export class FacetWriter {
  readonly #database: CatalogLevel
  readonly #countersMax: number
  readonly #recent: RecentCounters

  constructor(database: CatalogLevel, countersMax: number, keptMax: number) {
    this.#database = database
    this.#countersMax = countersMax
    this.#recent = new RecentCounters(keptMax)
  }

  /** Puts what the changes make of the counters into `batch`. */
  async count(changes: readonly EntryChange[], batch: Batch): Promise<void> {
    const deltas = changes.map((change) => deltasOf(change, this.#recent))
    await this.#load(this.#recent.takeUnknown())
    const changed = new Set<Counter>()
    for (const each of deltas) {
      const widened = count(each, this.#countersMax)
      for (const { width, counter } of each) {
        changed.add(width)
        changed.add(counter)
      }
      for (const width of widened) await this.#dropCounters(width, changed, batch)
    }
    for (const counter of changed) if (counter.isChanged) write(counter, batch)
    this.#recent.forget()
  }

  async #load(counters: readonly Counter[]): Promise<void> {
    if (counters.length === 0) return
    const texts = await this.#database.getMany(counters.map(({ key }) => key))
    for (const [at, counter] of counters.entries()) {
      const text = texts[at]
      counter.value = text === WIDE ? WIDE_WIDTH : Number(text ?? 0)
    }
  }

  async #dropCounters({ key }: Counter, changed: ReadonlySet<Counter>, batch: Batch): Promise<void> {
    const start = countersUnder(decodeTuple(key.slice(1))[0] ?? '')
    for (const counter of changed) if (counter.key.startsWith(start)) counter.value = 0
    for (const stored of await this.#database.keys(prefixRange(start)).all()) batch.del(stored)
  }
}

function write(counter: Counter, batch: Batch): void {
  const { key, value } = counter
  counter.isChanged = false
  if (value === 0) batch.del(key)
  else batch.put(key, value === WIDE_WIDTH ? WIDE : value.toString())
}
