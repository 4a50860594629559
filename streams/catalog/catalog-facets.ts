import { indexedPart, scalarOf, type TypedText } from '../attributes.ts'
import { StoreError } from '../errors.ts'
import type { Filter } from '../query/query-filter.ts'
import type { Facet, FacetOptions, Facets } from '../store-port.ts'
import { valuesOf } from './catalog-entry.ts'
import { decodeTuple, prefixRange } from './catalog-keys.ts'
import type { CatalogLevel } from './catalog-level.ts'
import { planned, type QueryBounds, type Question, questionOf } from './catalog-query.ts'
import { Reading } from './catalog-reading.ts'
import { walk } from './catalog-walk.ts'
import { countersUnder, isCounted, WIDE, widthKey } from './facet-counters.ts'

export const FACETS_MAX = 16
export const FACET_VALUES_DEFAULT = 20
export const FACET_VALUES_MAX = 1000
const CHUNK_COUNTERS = 1024
const CHUNK_LOOKS = 256

type Counts = Map<TypedText, number>

/**
 * How often each value of some attributes occurs among the objects that meet a query. Of everything, or of one bucket,
 * the counters say, once the index is whole; otherwise the answer is looked at, as far as one page may.
 */
export async function facetsOf(
  database: CatalogLevel,
  text: string,
  options: FacetOptions,
  bounds: QueryBounds,
): Promise<Facets> {
  const { names, values = FACET_VALUES_DEFAULT } = options
  check(names, values)
  const question = questionOf(text, {}, bounds)
  await using reading = new Reading(database, bounds.observe)
  const counted = await countedFacets(reading, question.filter, names)
  const others = names.filter((name) => !counted.has(name))
  const seen = others.length === 0 ? undefined : await seenFacets(reading, question, others)
  const facets = names.map((name): Facet => {
    const counts = counted.get(name)
    if (counts) return { ...facetOf(name, counts, values), counted: true, complete: true }
    return {
      ...facetOf(name, seen?.counts.get(name) ?? new Map(), values),
      counted: false,
      complete: seen?.complete ?? true,
    }
  })
  return { sequence: await reading.sequence(), facets }
}

function check(names: readonly string[], values: number): void {
  if (names.length === 0 || names.length > FACETS_MAX || names.includes(''))
    throw new StoreError('ERR_INVALID', `facets are of 1 to ${FACETS_MAX} attributes`)
  if (!Number.isInteger(values) || values < 1 || values > FACET_VALUES_MAX)
    throw new StoreError('ERR_INVALID', `a facet has 1 to ${FACET_VALUES_MAX} values`)
}

async function countedFacets(reading: Reading, filter: Filter, names: readonly string[]): Promise<Map<string, Counts>> {
  const counted = new Map<string, Counts>()
  const buckets = bucketsOf(filter)
  if (buckets === undefined || !(await reading.isIndexWhole())) return counted
  for (const name of names.filter(isCounted)) {
    if ((await reading.get(widthKey(name))) !== WIDE) counted.set(name, await countersOf(reading, name, buckets))
  }
  return counted
}

/** Of which buckets everything is asked for: none named for all; undefined when more is asked than that. */
function bucketsOf(filter: Filter): readonly (string | undefined)[] | undefined {
  if (filter.kind === 'and' && filter.parts.length === 1) return bucketsOf(filter.parts[0]!)
  if (filter.kind === 'and' && filter.parts.length === 0) return [undefined]
  if (filter.kind !== 'condition' || filter.name !== 'object.bucket') return undefined
  const { intervals } = filter.index
  return intervals.every(({ from, to }) => from === to) ? intervals.map(({ from }) => from.slice(1)) : undefined
}

async function countersOf(reading: Reading, name: string, buckets: readonly (string | undefined)[]): Promise<Counts> {
  const counts: Counts = new Map()
  for (const bucket of buckets) {
    await using scan = reading.scan(prefixRange(countersUnder(name, bucket)), { chunkMin: CHUNK_COUNTERS })
    for (let chunk = await scan.chunk(); chunk.length > 0; chunk = await scan.chunk()) {
      for (const [key, count] of chunk) add(counts, decodeTuple(key).at(-1) ?? '', Number(count))
    }
  }
  return counts
}

interface Seen {
  readonly counts: ReadonlyMap<string, Counts>
  /** False when there was more to look at than one page may. */
  readonly complete: boolean
}

async function seenFacets(reading: Reading, question: Question, names: readonly string[]): Promise<Seen> {
  const counts = new Map(names.map((name) => [name, new Map() as Counts]))
  const { legs, narrowers } = await planned(reading, question)
  let { scanMax: looksLeft, keysMax: keysLeft } = question.bounds
  for await (const { looks, keys } of walk(reading, {
    legs,
    filter: question.filter,
    narrowers,
    chunkMin: CHUNK_LOOKS,
  })) {
    if (looks.length > looksLeft || keysLeft <= 0) return { counts, complete: false }
    looksLeft -= looks.length
    keysLeft -= keys
    for (const { entry, isFound } of looks) {
      if (!isFound) continue
      for (const [name, of] of counts)
        for (const text of new Set(valuesOf(entry, name).map(indexedPart))) add(of, text, 1)
    }
  }
  return { counts, complete: true }
}

function add(counts: Counts, text: TypedText, count: number): void {
  counts.set(text, (counts.get(text) ?? 0) + count)
}

/** The most frequent ones first; of those as frequent, in the order of their values. */
function facetOf(name: string, counts: Counts, values: number): Pick<Facet, 'name' | 'distinct' | 'values'> {
  const sorted = [...counts].sort(([left, some], [right, others]) => others - some || (left < right ? -1 : 1))
  const shown = sorted.slice(0, values).map(([text, count]) => ({ value: scalarOf(text), count }))
  return { name, distinct: counts.size, values: shown }
}
