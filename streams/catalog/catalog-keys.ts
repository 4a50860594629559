import type { Sequence } from '../../pool/index.ts'

/*
 * Keys of the catalog. `level` orders them by their UTF-8 bytes, and so must whoever compares them.
 *
 *   key     = space [ element *( %x00 element ) ]
 *   element = *( %x01.01 / %x01.02 / character )        U+0000 is written 01 01, and U+0001 is written 01 02
 *
 *   space  elements                  value
 *   a      application               its registration, as JSON
 *   b      bucket                    its settings, as JSON; '' for those of a new one
 *   c      bucket, key               the current entry, as JSON           ("current")
 *   d      bucket, key, marker ↓     the object hidden under it           ("deleted")
 *   e      pattern of addresses      the route of mail to them, as JSON
 *   f      attribute, bucket, value  how many objects have it                     (facet-counters.ts)
 *   g      attribute                 how many such counters there are
 *   h      object                    its head while it is hidden, as JSON ("hidden")
 *   i      attribute, value, object  ''                                   ("index")
 *   k      sequence                  ''                                   (records of keys)
 *   m      slot                      the ordinal of the batch last seen   (catalog-level.ts)
 *   n      object                    the name it is bound to, as a tuple
 *   o      object                    '', when the index has not all its values ("overflow")
 *   p                                the position, as JSON
 *   q      application               what it has stored, as JSON            ("quota")
 *   r      attribute, value, object  '', the value from its end to its beginning
 *   s      object, sequence          ''                                   ("stream")
 *   t      last record covered       the sequence of its checkpoint
 *   u      subscription              its state, as JSON
 *   v      object, version ↓         an older version, as JSON            ("versions")
 *   w      attribute, word, object   ''
 *   x      application, bucket, key  the partial upload under the name, as JSON
 *
 * Elements with ↓ are sequences inverted, so that the last one comes first.
 *
 * The separator sorts below whatever an element may hold, so tuples compare element by element. The escape works
 * character by character, so the beginning of an element is the beginning of its key.
 */

/** Keys from `gte` up to but not including `lt`. */
export interface KeyRange {
  readonly gte: string
  readonly lt: string
}

export const POSITION_KEY = 'p'
const SEPARATOR = '\u0000'
/** Sorts after the separator and before whatever goes on after it: the end of all keys that hold one whole element. */
const AFTER_SEPARATOR = '\u0001'

function escaped(element: string): string {
  if (!element.includes('\u0000') && !element.includes('\u0001')) return element
  return element.replaceAll('\u0001', '\u0001\u0002').replaceAll('\u0000', '\u0001\u0001')
}

function bare(element: string): string {
  if (!element.includes('\u0001')) return element
  return element.replaceAll('\u0001\u0001', '\u0000').replaceAll('\u0001\u0002', '\u0001')
}

/** One or more elements as a text; such texts have the order of the tuples, element by element. */
export function encodeTuple(...elements: readonly string[]): string {
  let text = escaped(elements[0] ?? '')
  for (let at = 1; at < elements.length; at += 1) text += SEPARATOR + escaped(elements[at]!)
  return text
}

export function decodeTuple(text: string): readonly string[] {
  return text.split(SEPARATOR).map(bare)
}

/** The last element of a key. */
export function lastElement(key: string): string {
  return decodeTuple(key.slice(1)).at(-1) ?? ''
}

/** The least text above every text that begins with `prefix`, which must not be empty or all U+10FFFF. */
export function prefixEnd(prefix: string): string {
  const last = prefix.codePointAt(prefix.length - 2) ?? 0
  const wide = last > 0xffff
  const point = wide ? last : prefix.charCodeAt(prefix.length - 1)
  const stem = prefix.slice(0, wide ? -2 : -1)
  if (point === 0x10ffff) return prefixEnd(stem)
  return stem + String.fromCodePoint(followingPoint(point))
}

/** Skips the surrogates, which UTF-8 does not have; a lone one is stored as U+FFFD. */
function followingPoint(point: number): number {
  if (point === 0xd7ff) return 0xe000
  return point >= 0xd800 && point <= 0xdfff ? 0xfffe : point + 1
}

/** The least text above `key`. */
export function keyAfter(key: string): string {
  return `${key}\u0000`
}

export function prefixRange(prefix: string): KeyRange {
  return { gte: prefix, lt: prefixEnd(prefix) }
}

/** The keys below `parent` whose next element lies from `from` to `to`, both included; without `to`, to the end. */
export function elementRange(parent: string, from: string, to?: string): KeyRange {
  return {
    gte: parent + escaped(from),
    lt: to === undefined ? prefixEnd(parent) : parent + escaped(to) + AFTER_SEPARATOR,
  }
}

const scratch = new DataView(new ArrayBuffer(8))

/** 16 hex digits in the order of the numbers: IEEE 754 big-endian, the sign flipped, negative ones inverted. */
export function numberText(value: number): string {
  scratch.setFloat64(0, value + 0)
  const high = scratch.getUint32(0)
  const low = scratch.getUint32(4)
  return high >= 0x80000000 ? hex(~high) + hex(~low) : hex(high ^ 0x80000000) + hex(low)
}

/** The number of a numberText(). */
export function numberOf(text: string): number {
  const [high, low] = [Number.parseInt(text.slice(0, 8), 16), Number.parseInt(text.slice(8), 16)]
  const isNegative = high < 0x80000000
  scratch.setUint32(0, isNegative ? ~high : high ^ 0x80000000)
  scratch.setUint32(4, isNegative ? ~low : low)
  return scratch.getFloat64(0)
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}

/** 16 decimal digits, in the order of the sequences. */
export function sequenceText(sequence: Sequence): string {
  return sequence.toString().padStart(16, '0')
}

/** 16 decimal digits, the last sequence first. */
export function invertedText(sequence: Sequence): string {
  return sequenceText(Number.MAX_SAFE_INTEGER - sequence)
}

export function sequenceOfInverted(text: string): Sequence {
  return Number.MAX_SAFE_INTEGER - Number(text)
}

export type Space =
  | 'a'
  | 'b'
  | 'c'
  | 'd'
  | 'e'
  | 'f'
  | 'g'
  | 'h'
  | 'i'
  | 'k'
  | 'm'
  | 'n'
  | 'o'
  | 'q'
  | 'r'
  | 's'
  | 't'
  | 'u'
  | 'v'
  | 'w'
  | 'x'

export function keyIn(space: Space, ...elements: readonly string[]): string {
  return space + encodeTuple(...elements)
}

/** The beginning of the keys in `space` that have more elements after these. */
export function parentIn(space: Space, ...elements: readonly string[]): string {
  return keyIn(space, ...elements) + (elements.length === 0 ? '' : SEPARATOR)
}

/** An index leads from the values of attributes to objects: as they are, from their ends, or from their words. */
export type IndexKind = 'values' | 'reversed' | 'words'

const INDEX_SPACES = { values: 'i', reversed: 'r', words: 'w' } as const

/** The beginning of an attribute's index keys; a typed text (attributes.ts) follows it, and then indexSuffix(). */
export function indexPrefix(kind: IndexKind, attribute: string): string {
  return parentIn(INDEX_SPACES[kind], attribute)
}

export function indexSuffix(object: string): string {
  return SEPARATOR + escaped(object)
}

/** Made of its three parts, because a record has dozens of them. */
export function indexKey(prefix: string, text: string, suffix: string): string {
  return prefix + escaped(text) + suffix
}

/** The text that an index key has. */
export function indexText(key: string): string {
  return decodeTuple(key)[1] ?? ''
}

/** Ranges in order, without what they have in common. */
export function mergedRanges(ranges: readonly KeyRange[]): readonly KeyRange[] {
  const merged: KeyRange[] = []
  for (const range of ranges.toSorted((one, other) => compareUtf8(one.gte, other.gte))) {
    const last = merged.at(-1)
    if (last === undefined || compareUtf8(last.lt, range.gte) < 0) merged.push(range)
    else if (compareUtf8(last.lt, range.lt) < 0) merged[merged.length - 1] = { gte: last.gte, lt: range.lt }
  }
  return merged
}

export function isWithin(range: KeyRange, key: string): boolean {
  return compareUtf8(range.gte, key) <= 0 && compareUtf8(key, range.lt) < 0
}

const SURROGATES_START = 0xd800

/** The order of the UTF-8 bytes; JavaScript's own puts U+10000 and above before U+E000. */
export function compareUtf8(left: string, right: string): number {
  if (left === right) return 0
  const length = Math.min(left.length, right.length)
  let at = 0
  while (at < length && left.charCodeAt(at) === right.charCodeAt(at)) at += 1
  if (at === length) return left.length - right.length
  const [one, other] = [left.charCodeAt(at), right.charCodeAt(at)]
  if (one < SURROGATES_START || other < SURROGATES_START) return one - other
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
