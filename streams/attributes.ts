import { numberOf, numberText } from './catalog/catalog-keys.ts'
import type { Attributes, AttributeValue } from './envelope.ts'

/*
 * Values of attributes as the index orders and compares them. The type of a value is seen from the value:
 *
 *   type     stored as              typed text            order
 *   boolean  true, false            b0, b1
 *   number   a finite number        n, 16 hex digits      by value
 *   string   any other string       t, the string         by UTF-8 bytes, case-sensitive
 *   time     an ISO 8601 date-time  t, in UTC with ms     by time; a date alone stands before its day's moments
 *   list     an array of strings    one for each element
 */
export type Scalar = string | number | boolean
export type ScalarType = 'boolean' | 'number' | 'string' | 'time'

/** A value as text whose UTF-8 order is the order of the values: first by type, then within the type. */
export type TypedText = string

/** Values are indexed by at most this many bytes of their typed text. */
export const INDEX_VALUE_BYTES_MAX = 256
const CHARACTER_BYTES_MAX = 4

const DATE_TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/
const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)([kmgt]i?b)?$/i
const SURROGATE = /[\ud800-\udfff]/
const UNITS: ReadonlyMap<string, number> = new Map([
  ['KB', 1000],
  ['MB', 1000 ** 2],
  ['GB', 1000 ** 3],
  ['TB', 1000 ** 4],
  ['KIB', 1024],
  ['MIB', 1024 ** 2],
  ['GIB', 1024 ** 3],
  ['TIB', 1024 ** 4],
])

/** The values that an attribute has: those of a list, or its one; none of what is no attribute's value. */
export function scalarsOf(value: AttributeValue): readonly Scalar[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.filter(isScalar)
}

/** Attributes as a record changes them: what it unsets goes first, then what it sets comes. */
export function changed(attributes: Attributes, { set, unset }: AttributeChange): Attributes {
  const left = Object.entries(attributes).filter(([name]) => !unset.includes(name))
  return { ...Object.fromEntries(left), ...set }
}

export interface AttributeChange {
  readonly set: Attributes
  readonly unset: readonly string[]
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

export function typedText(value: Scalar): TypedText {
  if (typeof value === 'number') return `n${numberText(value)}`
  if (typeof value === 'boolean') return value ? 'b1' : 'b0'
  return `t${canonicalTime(value) ?? wellFormed(value)}`
}

/** The value of a typed text, which may be cut. */
export function scalarOf(text: TypedText): Scalar {
  const rest = text.slice(1)
  if (text.startsWith('n')) return numberOf(rest)
  return text.startsWith('b') ? rest === '1' : rest
}

/** A string's typed text when it is known to be no time: a name, an id. */
export function plainText(value: string): TypedText {
  return `t${wellFormed(value)}`
}

/** The same from its end to its beginning, but for the type. */
export function reversedText(text: TypedText): TypedText {
  if (SURROGATE.test(text)) return text.slice(0, 1) + Array.from(text.slice(1)).reverse().join('')
  let reversed = text.slice(0, 1)
  for (let at = text.length - 1; at > 0; at -= 1) reversed += text[at]
  return reversed
}

export function timeText(milliseconds: number): TypedText {
  return `t${new Date(milliseconds).toISOString()}`
}

/** What a literal of a query may mean where nothing is known of the attribute: all that its form allows. */
export function meanings(literal: string): readonly TypedText[] {
  const quantity = parseQuantity(literal)
  const number = quantity === undefined ? [] : [typedText(quantity)]
  const boolean = literal === 'true' || literal === 'false' ? [typedText(literal === 'true')] : []
  return [...boolean, ...number, typedText(literal)]
}

/** A number with an optional unit of size: KB, MB, GB, TB are powers of 1,000, KiB, MiB, GiB, TiB of 1,024. */
export function parseQuantity(text: string): number | undefined {
  const match = QUANTITY.exec(text)
  if (match === null) return undefined
  const number = Number(match[1]) * (UNITS.get((match[2] ?? '').toUpperCase()) ?? 1)
  return Number.isFinite(number) ? number : undefined
}

/** `2026-11-01T10:00:00.000Z` of any ISO 8601 date-time (UTC when it names no zone); undefined of anything else. */
function canonicalTime(text: string): string | undefined {
  if (text[4] !== '-' || text[10] !== 'T') return undefined
  const match = DATE_TIME.exec(text)
  if (match === null) return undefined
  const time = Date.parse(`${match[1]}${match[2] ?? ':00'}${match[3] ?? 'Z'}`)
  if (Number.isNaN(time)) return undefined
  const canonical = new Date(time).toISOString()
  return canonical.length === '2026-11-01T10:00:00.000Z'.length ? canonical : undefined
}

/** As UTF-8 keeps it: a lone surrogate becomes U+FFFD. */
function wellFormed(text: string): string {
  return SURROGATE.test(text) ? Buffer.from(text).toString() : text
}

/**
 * The beginning of a typed text that is indexed. It ends after the character that passes the bound less one
 * character, so texts keep their order (two may become equal): a cut before the bound would put a text whose next
 * character is too long for the rest before a smaller one whose next character fits.
 */
export function indexedPart(text: TypedText): string {
  const enough = INDEX_VALUE_BYTES_MAX - CHARACTER_BYTES_MAX + 1
  if (text.length * 3 < enough || Buffer.byteLength(text) < enough) return text
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += utf8Length(character)
    end += character.length
    if (bytes >= enough) break
  }
  return text.slice(0, end)
}

function utf8Length(character: string): number {
  const point = character.codePointAt(0) ?? 0
  if (point < 0x80) return 1
  if (point < 0x800) return 2
  return point < 0x10000 ? 3 : 4
}
