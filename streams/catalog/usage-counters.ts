import { NO_USAGE, type Usage, type UsageDelta } from '../policy/usage.ts'
import { ownerOf } from './catalog-entry.ts'
import { keyIn, lastElement, prefixRange } from './catalog-keys.ts'
import type { CatalogLevel } from './catalog-level.ts'
import type { EntryChange } from './facet-counters.ts'

interface Batch {
  put(key: string, value: string): unknown
  del(key: string): unknown
}

/** What applications have stored, in memory and in space `q`: as of the last batch that is written. */
export class UsageCounters {
  readonly #usages = new Map<string, Usage>()

  static async load(database: CatalogLevel): Promise<UsageCounters> {
    const counters = new UsageCounters()
    for (const [key, text] of await database.iterator(prefixRange('q')).all())
      counters.#usages.set(lastElement(key), JSON.parse(text) as Usage)
    return counters
  }

  of(application: string): Usage {
    return this.#usages.get(application) ?? NO_USAGE
  }

  /** Puts what becomes of them into `batch`; the function returned is called once that is written. */
  count(changes: readonly EntryChange[], kept: UsageDelta, batch: Batch): () => void {
    for (const { before, after } of changes) {
      if (before) kept.add(ownerOf(before), -1)
      if (after) kept.add(ownerOf(after), 1)
    }
    const changed = [...kept.after((application) => this.of(application))]
    for (const [application, usage] of changed) {
      if (usage.objects === 0) batch.del(keyIn('q', application))
      else batch.put(keyIn('q', application), JSON.stringify(usage))
    }
    return () => this.#set(changed)
  }

  #set(changed: readonly (readonly [string, Usage])[]): void {
    for (const [application, usage] of changed) {
      if (usage.objects === 0) this.#usages.delete(application)
      else this.#usages.set(application, usage)
    }
  }

  clear(): void {
    this.#usages.clear()
  }
}
