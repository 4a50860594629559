import { type Cursor, formatCursor, parseCursor, strangeCursor } from '../query/query-cursor.ts'
import { type Filter, filterOf } from '../query/query-filter.ts'
import { Order } from '../query/query-order.ts'
import { parseQuery } from '../query/query-parser.ts'
import { cheapestPlan, chosenPlan, type Leg, legsOf, type Plan, waysOf } from '../query/query-plan.ts'
import type { ObjectStat, QueryOptions, QueryResult } from '../store-port.ts'
import { Estimates } from './catalog-estimate.ts'
import { isWithin } from './catalog-keys.ts'
import type { CatalogLevel } from './catalog-level.ts'
import { Reading } from './catalog-reading.ts'
import { PAGE_CHARACTERS_MAX, pageLimit, type ReadObserver } from './catalog-scan.ts'
import { sortedPage } from './catalog-sort.ts'
import { type Look, type Narrower, type Place, type Step, walk } from './catalog-walk.ts'

export interface QueryBounds {
  /** Entries looked at for one page; it then ends with a cursor, however few were found. */
  readonly scanMax: number
  /** Keys of indexes read for one page. */
  readonly keysMax: number
  /** Entries looked at to sort an answer; for more the index of its order is followed. */
  readonly sortMax: number
  /** Keys read to see how many there are, for one estimate. */
  readonly probeMax: number
  readonly observe: ReadObserver
  readonly clock: { now(): number }
}

/** What a page is made of. */
export interface Question {
  /** The query and its order: what an answer depends on. */
  readonly text: string
  readonly filter: Filter
  /** Undefined for that of the plan. */
  readonly order: Order | undefined
  readonly cursor: Cursor | undefined
  readonly now: number
  readonly limit: number
  readonly bounds: QueryBounds
}

/** What was found, how far it went, and why it ended. */
export interface Page {
  readonly objects: readonly ObjectStat[]
  /** Undefined at the end of the answer. */
  readonly next: Omit<Cursor, 'now'> | undefined
  /** Whether it ended because it had looked at as much as one page may. */
  readonly limited: boolean
}

/** One page of a query's answer, all of it true at one sequence. */
export async function queryPage(
  database: CatalogLevel,
  text: string,
  options: QueryOptions,
  bounds: QueryBounds,
): Promise<QueryResult> {
  const question = questionOf(text, options, bounds)
  await using reading = new Reading(database, bounds.observe)
  const { order } = question
  const page = order ? await sortedPage(reading, question, order) : await walkedPage(reading, question)
  const sequence = await reading.sequence()
  const cursor = page.next ? formatCursor(question.text, { now: question.now, ...page.next }) : null
  return { sequence, objects: page.objects, cursor, limited: page.limited }
}

export function questionOf(text: string, { limit, cursor: given, sort }: QueryOptions, bounds: QueryBounds): Question {
  const whole = JSON.stringify([text, sort])
  const query = parseQuery(text)
  const cursor = given === undefined ? undefined : parseCursor(given, whole, sort !== undefined)
  const now = cursor?.now ?? bounds.clock.now()
  const filter = filterOf(query, now)
  const order = sort === undefined ? undefined : new Order(sort, filter)
  return { text: whole, filter, order, cursor, now, limit: pageLimit(limit), bounds }
}

/** A page in the order of its plan. */
async function walkedPage(reading: Reading, question: Question): Promise<Page> {
  const { filter, cursor, limit, bounds } = question
  const { legs, choices, noIndex, narrowers } = await planned(reading, question)
  const page = new WalkedPage(limit, bounds)
  for await (const step of walk(
    reading,
    { legs, filter, narrowers, chunkMin: firstChunk(question) },
    cursor?.walked?.place,
  )) {
    if (page.take(step)) continue
    return { objects: page.objects, next: { walked: { choices, noIndex, place: page.place } }, limited: page.limited }
  }
  return { objects: page.objects, next: undefined, limited: false }
}

const CHUNK_MIN = 32
const CHUNK_MAX = 256

/** As many as the page has, where every key leads to an object of it. */
function firstChunk({ filter, limit }: Question): number {
  return filter.kind === 'condition' ? Math.min(limit + 1, CHUNK_MAX) : Math.min(limit + 1, CHUNK_MIN)
}

export interface Planned extends Plan {
  /** Made while the index was not whole: it goes on without. */
  readonly noIndex: boolean
  readonly narrowers: (leg: Leg) => readonly Narrower[]
}

/** The plan of the page before, or the cheapest one. */
export async function planned(reading: Reading, { filter, cursor, bounds }: Question): Promise<Planned> {
  const isIndexWhole = await reading.isIndexWhole()
  const noIndex = cursor?.walked?.noIndex ?? !isIndexWhole
  const ways = waysOf(filter, noIndex)
  const legs = legsOf(ways)
  const isPlain = legs.length === 1 && legs[0]!.narrowing.length === 0
  const estimates = isPlain ? undefined : await Estimates.of(reading, legs, bounds.probeMax)
  const narrowers = (leg: Leg) => estimates?.narrowersOf(leg) ?? []
  if (cursor?.walked === undefined)
    return { ...cheapestPlan(ways, (leg) => estimates?.ofLeg(leg).entries ?? 0), noIndex, narrowers }
  const { choices, place } = cursor.walked
  const plan = chosenPlan(ways, choices)
  if (!plan?.legs[place.leg]?.ranges.some((range) => isWithin(range, place.key))) throw strangeCursor()
  if (!isIndexWhole && plan.legs.some(({ condition }) => condition !== undefined))
    throw await reading.noIndex('this cursor needs it: go on once it is there, or ask again from the beginning')
  return { ...plan, noIndex, narrowers }
}

class WalkedPage {
  readonly objects: ObjectStat[] = []
  /** The last key looked at. */
  place: Place = { leg: 0, key: '' }
  limited = false
  readonly #limit: number
  #looksLeft: number
  #keysLeft: number
  #characters = 0

  constructor(limit: number, { scanMax, keysMax }: QueryBounds) {
    this.#limit = limit
    this.#looksLeft = scanMax
    this.#keysLeft = keysMax
  }

  /** False when the page ends within the step, or after it. */
  take({ looks, place, keys }: Step): boolean {
    for (const look of looks) if (!this.#takeLook(look)) return false
    this.place = place
    this.#keysLeft -= keys
    this.limited = this.#keysLeft <= 0
    return !this.limited
  }

  #takeLook({ leg, key, entry, text, isFound }: Look): boolean {
    if (this.#looksLeft === 0) {
      this.limited = true
      return false
    }
    if (isFound) {
      if (this.objects.length === this.#limit || this.#characters >= PAGE_CHARACTERS_MAX) return false
      this.objects.push(entry.stat)
      this.#characters += text.length
    }
    this.#looksLeft -= 1
    this.place = { leg, key }
    return true
  }
}
