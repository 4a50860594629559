import type { SortPlace } from '../query/query-cursor.ts'
import { meets } from '../query/query-filter.ts'
import { type Order, topConditions } from '../query/query-order.ts'
import { cheapestPlan, legsOf, narrows, type Plan, waysOf } from '../query/query-plan.ts'
import type { ObjectStat } from '../store-port.ts'
import { type Entry, FIELDS, parseEntry } from './catalog-entry.ts'
import { Estimates, NARROWERS_MAX } from './catalog-estimate.ts'
import {
  compareUtf8,
  indexKey,
  indexPrefix,
  indexSuffix,
  indexText,
  type KeyRange,
  keyAfter,
  keyIn,
  lastElement,
} from './catalog-keys.ts'
import { Narrowing } from './catalog-narrowing.ts'
import type { Page, Question } from './catalog-query.ts'
import type { Reading } from './catalog-reading.ts'
import { PAGE_CHARACTERS_MAX } from './catalog-scan.ts'
import { walk } from './catalog-walk.ts'

/*
 * Pages in the order of an attribute. There are two ways to one, and the cheaper is taken; each page may take another,
 * for a cursor names a place in the order:
 *
 *   follow    reads the attribute's index in its order, and checks each entry
 *   gather    finds the whole answer by its plan, at most `sortMax` entries, and sorts it
 *
 * While the index is not whole, there is only the second.
 */
const CHUNK_MIN = 32
/** Where most keys lead to no entry. */
const NARROWED_CHUNK_MIN = 256

interface Told {
  readonly place: SortPlace
  readonly stat: ObjectStat
  readonly characters: number
}

export async function sortedPage(reading: Reading, question: Question, order: Order): Promise<Page> {
  const { plan, estimates, gathers } = await sortedPlan(reading, question)
  const page = gathers ? await gather(reading, question, order, plan, estimates) : undefined
  if (page === undefined && !(await reading.isIndexWhole()))
    throw await reading.noIndex(`until it is whole, no more than ${question.bounds.sortMax} objects are sorted`)
  return page ?? (await follow(reading, question, order, estimates))
}

export interface SortedPlan {
  readonly plan: Plan
  readonly estimates: Estimates
  readonly gathers: boolean
}

/** Following looks at `limit` entries for each one that the answer has of all objects. */
export async function sortedPlan(
  reading: Reading,
  { filter, limit, bounds }: Question,
  all = false,
): Promise<SortedPlan> {
  const noIndex = !(await reading.isIndexWhole())
  const ways = waysOf(filter, noIndex)
  const estimates = await Estimates.of(reading, legsOf(ways), bounds.probeMax, all)
  const plan = cheapestPlan(ways, (leg) => estimates.ofLeg(leg).entries)
  const following = (limit * estimates.objects) / Math.max(1, plan.entries)
  return { plan, estimates, gathers: noIndex || plan.entries <= Math.min(bounds.sortMax, following) }
}

/** Undefined when there was more to look at than it may. */
async function gather(
  reading: Reading,
  { filter, cursor, limit, bounds }: Question,
  order: Order,
  { legs }: Plan,
  estimates: Estimates,
): Promise<Page | undefined> {
  const after = cursor?.sorted
  const best = new Best(order, limit + 1)
  let looks = 0
  let keysRead = 0
  for await (const step of walk(reading, {
    legs,
    filter,
    narrowers: (leg) => estimates.narrowersOf(leg),
    chunkMin: CHUNK_MIN,
  })) {
    looks += step.looks.length
    keysRead += step.keys
    if (looks > bounds.sortMax || keysRead > bounds.keysMax) return undefined
    for (const { entry, text, isFound } of step.looks) {
      if (!isFound) continue
      const place = order.placeOf(entry)
      if (after === undefined || order.compare(place, after) > 0)
        best.add({ place, stat: entry.stat, characters: text.length })
    }
  }
  return pageOf(best.inOrder(), limit)
}

/** The first so many of all that were added. */
class Best {
  readonly #order: Order
  readonly #count: number
  #told: Told[] = []

  constructor(order: Order, count: number) {
    this.#order = order
    this.#count = count
  }

  add(told: Told): void {
    this.#told.push(told)
    if (this.#told.length >= 4 * this.#count) this.#told = this.inOrder()
  }

  inOrder(): Told[] {
    return this.#told.sort((one, other) => this.#order.compare(one.place, other.place)).slice(0, this.#count)
  }
}

function pageOf(told: readonly Told[], limit: number): Page {
  let characters = 0
  const full = told.findIndex((one, at) => {
    const isFull = at === limit || characters >= PAGE_CHARACTERS_MAX
    characters += one.characters
    return isFull
  })
  const page = full < 0 ? told : told.slice(0, full)
  const last = page.at(-1)
  return {
    objects: page.map(({ stat }) => stat),
    next: full < 0 || last === undefined ? undefined : { sorted: last.place },
    limited: false,
  }
}

async function follow(reading: Reading, question: Question, order: Order, estimates: Estimates): Promise<Page> {
  const page = new FollowedPage(question, order)
  const after = question.cursor?.sorted
  const narrowings = narrowingsOf(reading, question, order, estimates)
  for (const range of after?.text === null ? [] : beyond(order.ranges, order, after)) {
    if (await followRange(reading, range, page, order.descending, narrowings)) return page.ended
  }
  for (const range of after?.text === null ? beyondObject(order.lastRanges, after.object) : order.lastRanges) {
    if (await followRange(reading, range, page, false, [])) return page.ended
  }
  return { objects: page.objects, next: undefined, limited: false }
}

/** Conditions that tell of every object that the index of the order has: of fields, where it is one of a field. */
function narrowingsOf(
  reading: Reading,
  { filter }: Question,
  { name }: Order,
  estimates: Estimates,
): readonly Narrowing[] {
  return topConditions(filter)
    .filter((condition) => narrows(condition) && condition.index.name !== name)
    .filter((condition) => !FIELDS.has(name) || FIELDS.has(condition.index.name))
    .filter((condition) => estimates.isSelective(condition))
    .slice(0, NARROWERS_MAX)
    .map((condition) => new Narrowing(reading, condition, false))
}

/** True when the page ended. */
async function followRange(
  reading: Reading,
  range: KeyRange,
  page: FollowedPage,
  reverse: boolean,
  narrowings: readonly Narrowing[],
): Promise<boolean> {
  await using scan = reading.scan(range, { reverse, chunkMin: narrowings.length > 0 ? NARROWED_CHUNK_MIN : CHUNK_MIN })
  for (let chunk = await scan.chunk(); chunk.length > 0; chunk = await scan.chunk()) {
    let keys: readonly string[] = chunk.map(([key]) => key)
    for (const narrowing of narrowings) {
      if (keys.length === 0) break
      const meeting = await narrowing.meeting(keys.map(lastElement))
      keys = keys.filter((key) => meeting.has(lastElement(key)))
    }
    const texts = keys.length === 0 ? [] : await reading.entryTexts(keys)
    for (const [at, key] of keys.entries()) if (!page.take(key, texts[at]!)) return true
    if (!page.passed(chunk.at(-1)![0], chunk.length)) return true
  }
  return false
}

class FollowedPage {
  readonly objects: ObjectStat[] = []
  readonly #question: Question
  readonly #order: Order
  #place: SortPlace | undefined
  #limited = false
  #looksLeft: number
  #keysLeft: number
  #characters = 0

  constructor(question: Question, order: Order) {
    this.#question = question
    this.#order = order
    this.#looksLeft = question.bounds.scanMax
    this.#keysLeft = question.bounds.keysMax
  }

  get ended(): Page {
    return { objects: this.objects, next: this.#place && { sorted: this.#place }, limited: this.#limited }
  }

  /** False, and the entry is not looked at, when the page is full or has looked at enough. */
  take(key: string, text: string): boolean {
    this.#limited = this.#looksLeft === 0
    if (this.#limited) return false
    const entry = parseEntry(text)
    if (meets(entry, this.#question.filter) && this.#isHere(key, entry)) {
      if (this.objects.length === this.#question.limit || this.#characters >= PAGE_CHARACTERS_MAX) return false
      this.objects.push(entry.stat)
      this.#characters += text.length
    }
    this.#looksLeft -= 1
    this.#place = placeAt(key)
    return true
  }

  /** A list's keys lead to its object more than once; those that come last have none here. */
  #isHere(key: string, entry: Entry): boolean {
    return this.#order.placeOf(entry).text === placeAt(key).text
  }

  /** False when as many keys were read as one page may. */
  passed(key: string, keys: number): boolean {
    this.#place = placeAt(key)
    this.#keysLeft -= keys
    this.#limited = this.#keysLeft <= 0
    return !this.#limited
  }
}

function placeAt(key: string): SortPlace {
  return { text: key.startsWith('i') ? indexText(key) : null, object: lastElement(key) }
}

/** What of the ranges, in their order, lies beyond a place that has a text. */
function beyond(
  ranges: readonly KeyRange[],
  { name, descending }: Order,
  after: SortPlace | undefined,
): readonly KeyRange[] {
  if (after === undefined) return ranges
  const key = indexKey(indexPrefix('values', name), after.text ?? '', indexSuffix(after.object))
  const cut = ({ gte, lt }: KeyRange) =>
    descending ? { gte, lt: least(lt, key) } : { gte: greatest(gte, keyAfter(key)), lt }
  return ranges.map(cut).filter(({ gte, lt }) => compareUtf8(gte, lt) < 0)
}

function beyondObject(ranges: readonly KeyRange[], object: string): readonly KeyRange[] {
  return ranges.map(({ gte, lt }) => ({
    gte: greatest(gte, keyAfter(gte.slice(0, 1) + keyIn('n', object).slice(1))),
    lt,
  }))
}

function least(one: string, other: string): string {
  return compareUtf8(one, other) < 0 ? one : other
}

function greatest(one: string, other: string): string {
  return compareUtf8(one, other) > 0 ? one : other
}
