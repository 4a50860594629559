import type { Condition, Filter } from '../query/query-filter.ts'
import { meets } from '../query/query-filter.ts'
import { type Leg, leads, leadsFirst, OVERFLOW } from '../query/query-plan.ts'
import { type Entry, parseEntry } from './catalog-entry.ts'
import { isWithin, type KeyRange, keyAfter, lastElement } from './catalog-keys.ts'
import { Narrowing } from './catalog-narrowing.ts'
import type { Reading } from './catalog-reading.ts'
import type { Chunk } from './catalog-scan.ts'

/** Where a walk is: on which leg (its index), and at which key. */
export interface Place {
  readonly leg: number
  readonly key: string
}

/** An entry that a walk led to. */
export interface Look extends Place {
  readonly entry: Entry
  /** As stored. */
  readonly text: string
  /** Whether it is of the answer, and told here. */
  readonly isFound: boolean
}

/** What was read at once. */
export interface Step {
  readonly looks: readonly Look[]
  /** The last key read, though it may have led to no entry. */
  readonly place: Place
  /** Keys of indexes read. */
  readonly keys: number
}

export interface Narrower {
  readonly condition: Condition
  /** Whether its objects are about as many as those of the leg, and both in order. */
  readonly merges: boolean
}

export interface Walk {
  readonly legs: readonly Leg[]
  readonly filter: Filter
  readonly narrowers: (leg: Leg) => readonly Narrower[]
  /** Keys read first. */
  readonly chunkMin: number
}

/** Keys of the first chunk where most of them lead to no entry. */
const NARROWED_CHUNK_MIN = 256

/** Walks the legs, from a place on or from their beginning. Whoever has enough leaves. */
export async function* walk(reading: Reading, way: Walk, from?: Place): AsyncGenerator<Step> {
  for (let leg = from?.leg ?? 0; leg < way.legs.length; leg += 1) {
    yield* walkLeg(reading, way, leg, leg === from?.leg ? from.key : undefined)
  }
}

async function* walkLeg(reading: Reading, way: Walk, index: number, after?: string): AsyncGenerator<Step> {
  const leg = way.legs[index]!
  const narrowings = way.narrowers(leg).map(({ condition, merges }) => new Narrowing(reading, condition, merges))
  const isSparse = narrowings.length > 0 || leg.condition?.leads !== undefined
  const options = { keysOnly: leg.condition !== undefined, chunkMin: isSparse ? NARROWED_CHUNK_MIN : way.chunkMin }
  const { overflowing } = await reading.position()
  for (const range of rangesAfter(leg.ranges, after)) {
    if (range.lt === OVERFLOW.lt && overflowing === 0) continue
    await using scan = reading.scan(range, options)
    for (let chunk = await scan.chunk(); chunk.length > 0; chunk = await scan.chunk()) {
      const led = await narrowed(leg, chunk, narrowings)
      const texts = leg.condition === undefined ? led.map(([, text]) => text) : await entriesOf(reading, led)
      const looks = led.map(([key], at) => lookAt(way, index, key, texts[at]!))
      yield { looks, place: { leg: index, key: chunk.at(-1)![0] }, keys: chunk.length }
    }
  }
}

async function entriesOf(reading: Reading, chunk: Chunk): Promise<readonly string[]> {
  return chunk.length === 0 ? [] : await reading.entryTexts(chunk.map(([key]) => key))
}

/** The keys of a chunk that may lead to an answer, as far as indexes can tell. */
async function narrowed({ condition }: Leg, chunk: Chunk, narrowings: readonly Narrowing[]): Promise<Chunk> {
  let left = condition?.leads === undefined ? chunk : chunk.filter(([key]) => leads(condition, key))
  if (isWithin(OVERFLOW, chunk[0]![0])) return left
  for (const narrowing of narrowings) {
    if (left.length === 0) break
    const meeting = await narrowing.meeting(left.map(([key]) => lastElement(key)))
    left = left.filter(([key]) => meeting.has(lastElement(key)))
  }
  return left
}

function lookAt({ legs, filter }: Walk, index: number, key: string, text: string): Look {
  const entry = parseEntry(text)
  const isFound = meets(entry, filter) && isToldOn(legs, index, entry) && leadsFirst(legs[index]!, key, entry)
  return { leg: index, key, entry, text, isFound }
}

/** A leg may lead to entries that it does not answer for. */
function isToldOn(legs: readonly Leg[], index: number, entry: Entry): boolean {
  if (legs.length === 1) return true
  return legs.findIndex(({ covers }) => meets(entry, covers)) === index
}

function rangesAfter(ranges: readonly KeyRange[], key: string | undefined): readonly KeyRange[] {
  if (key === undefined) return ranges
  const at = ranges.findIndex((range) => isWithin(range, key))
  return ranges.slice(at).map((range, index) => (index === 0 ? { ...range, gte: keyAfter(key) } : range))
}
