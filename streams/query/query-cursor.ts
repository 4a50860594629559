import { createHash } from 'node:crypto'
import type { Place } from '../catalog/catalog-walk.ts'
import { StoreError } from '../errors.ts'

/** Where a page ended. */
export interface Cursor {
  /** What `now` meant on the first page, in milliseconds since 1970. */
  readonly now: number
  /** In the order of a plan: the plan, by its choices, with the index or without, and the last key looked at. */
  readonly walked?: { readonly choices: readonly number[]; readonly noIndex: boolean; readonly place: Place }
  /** In the order of an attribute: the last object told. */
  readonly sorted?: SortPlace
}

/** A place in an order: a text of an attribute, or null behind all of them, and an object. */
export interface SortPlace {
  readonly text: string | null
  readonly object: string
}

/** `question` is all that an answer depends on: its cursors go on with no other. */
export function formatCursor(question: string, { now, walked, sorted }: Cursor): string {
  const place = walked ? placeOf(walked) : [sorted?.text, sorted?.object]
  return Buffer.from(JSON.stringify([hashOf(question), now, ...place])).toString('base64url')
}

/** What is to go on without the index says so at its end. */
function placeOf({ choices, noIndex, place: { leg, key } }: NonNullable<Cursor['walked']>): readonly unknown[] {
  return [...choices, leg, key, ...(noIndex ? [NO_INDEX] : [])]
}

/** Throws ERR_INVALID for one that was not made for this question. */
export function parseCursor(text: string, question: string, isSorted: boolean): Cursor {
  const [hash, now, ...place] = valuesIn(text)
  if (hash !== hashOf(question) || !isMoment(now)) throw strangeCursor()
  return isSorted ? { now, sorted: sortPlaceOf(place) } : { now, walked: walkedOf(place) }
}

export function strangeCursor(): StoreError {
  return new StoreError('ERR_INVALID', 'the cursor does not belong to this query')
}

function valuesIn(text: string): readonly unknown[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (Array.isArray(values)) return values
  } catch {
    // Told below.
  }
  throw strangeCursor()
}

const NO_INDEX = true
const TIME_MAX = 8.64e15

function isMoment(value: unknown): value is number {
  return Number.isSafeInteger(value) && Math.abs(value as number) <= TIME_MAX
}

function walkedOf(said: readonly unknown[]): NonNullable<Cursor['walked']> {
  const noIndex = said.at(-1) === NO_INDEX
  const place = noIndex ? said.slice(0, -1) : said
  const key = place.at(-1)
  const numbers = place.slice(0, -1)
  const leg = numbers.at(-1)
  if (typeof key !== 'string' || typeof leg !== 'number' || !numbers.every(isIndex)) throw strangeCursor()
  return { choices: numbers.slice(0, -1), noIndex, place: { leg, key } }
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function sortPlaceOf([text, object, ...more]: readonly unknown[]): SortPlace {
  const isText = typeof text === 'string' || text === null
  if (isText && typeof object === 'string' && more.length === 0) return { text, object }
  throw strangeCursor()
}

function hashOf(question: string): string {
  return createHash('sha256').update(question).digest('hex').slice(0, 16)
}
