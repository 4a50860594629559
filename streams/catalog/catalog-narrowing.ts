import { indexedPart } from '../attributes.ts'
import type { Condition } from '../query/query-filter.ts'
import { indexKey, indexPrefix, indexSuffix, keyAfter } from './catalog-keys.ts'
import type { Reading } from './catalog-reading.ts'

/** Beyond so many of the equality's objects for each that is asked for, looking each up costs less. */
export const MERGE_RATIO_MAX = 4
const CHUNK_KEYS = 1024

/**
 * Tells which objects meet an equality, by its index alone. Objects that come in order, about as many as the equality
 * has, are merged with it: its stretch from the first to the last of them is read. Otherwise each is looked up.
 */
export class Narrowing {
  readonly #reading: Reading
  /** Of the keys of each text. */
  readonly #starts: readonly string[]
  readonly #merges: boolean

  constructor(reading: Reading, { index: { name, kind, intervals } }: Condition, merges: boolean) {
    const prefix = indexPrefix(kind, name)
    this.#reading = reading
    this.#starts = intervals.map(({ from }) => indexKey(prefix, indexedPart(from), ''))
    this.#merges = merges
  }

  /** Of one object or more; in their order, when it merges. */
  async meeting(objects: readonly string[]): Promise<ReadonlySet<string>> {
    const meeting = new Set<string>()
    for (const start of this.#starts) {
      const keys = objects.map((object) => start + indexSuffix(object))
      if (this.#merges) await this.#merge(keys, objects, meeting)
      else await this.#lookUp(keys, objects, meeting)
    }
    return meeting
  }

  async #merge(keys: readonly string[], objects: readonly string[], meeting: Set<string>): Promise<void> {
    const range = { gte: keys[0] ?? '', lt: keyAfter(keys.at(-1) ?? '') }
    await using scan = this.#reading.scan(range, { chunkMin: CHUNK_KEYS })
    const there = new Set<string>()
    for (let chunk = await scan.chunk(); chunk.length > 0; chunk = await scan.chunk()) {
      for (const [key] of chunk) there.add(key)
    }
    objects.forEach((object, at) => {
      if (there.has(keys[at]!)) meeting.add(object)
    })
  }

  async #lookUp(keys: readonly string[], objects: readonly string[], meeting: Set<string>): Promise<void> {
    const there = await this.#reading.hasMany(keys)
    objects.forEach((object, at) => {
      if (there[at]) meeting.add(object)
    })
  }
}
