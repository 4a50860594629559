import { meanings, parseQuantity, plainText, reversedText, type TypedText, timeText, typedText } from '../attributes.ts'
import { type Traits, traitsOf } from '../catalog/attribute-traits.ts'
import { hasWord, wordsIn } from '../catalog/words.ts'
import type { Comparison, Literal, Term } from './query.ts'
import type { Condition } from './query-filter.ts'
import {
  ALL_TEXTS,
  aboveInterval,
  belowInterval,
  type Interval,
  isEmpty,
  prefixInterval,
  singleInterval,
  within,
} from './query-interval.ts'
import { misread } from './query-parser.ts'
import { timeExpected } from './query-slips.ts'
import { parseSpan } from './query-times.ts'

/*
 * What a term means. Its literals become intervals of typed texts: of the type that the attribute is known to have, and
 * otherwise of every type that the literal can have. A literal that an attribute cannot have is refused.
 */
type Meaning = Pick<Condition, 'index' | 'accepts' | 'leads'>

/** What a literal stands for: texts of one type from `low` to `high`, which is one text or the moments of a date. */
interface Extent {
  readonly low: TypedText
  readonly high: TypedText
  readonly highIncluded: boolean
}

/** Conditions that must all be met. */
export function meaningOf(term: Term, now: number): readonly Meaning[] {
  const { name, operator, values } = term
  const [first, second] = values
  if (first === undefined) return [inValues(name, [ALL_TEXTS])]
  const traits = traitsOf(name)
  switch (operator) {
    case 'prefix':
      return [inValues(name, [prefixInterval(plainText(beginning(first, traits)))])]
    case 'suffix':
      return [endingIn(name, beginning(first, traits))]
    case 'contains':
      return [containing(name, beginning(first, traits))]
    case 'words':
      return havingWords(name, first)
    case 'between':
      return [inValues(name, betweenIntervals(extentsOf(first, traits, now), extentsOf(second ?? first, traits, now)))]
    case 'equals':
    case 'in':
      return [inValues(name, distinct(values.flatMap((value) => extentsOf(value, traits, now).map(intervalOf))))]
    default:
      return [
        inValues(
          name,
          extentsOf(first, traits, now).map((extent) => comparedWith(extent, operator as Comparison)),
        ),
      ]
  }
}

function inValues(name: string, intervals: readonly Interval[]): Meaning {
  return { index: { name, kind: 'values', intervals }, accepts: (value) => within(intervals, value) }
}

/** The end of a key's last segment is the end of the key. */
function endingIn(name: string, end: string): Meaning {
  const suffix = plainText(end).slice(1)
  const accepts = (value: TypedText) => value.startsWith('t') && value.slice(1).endsWith(suffix)
  const indexed = name === 'object.name' ? 'object.key' : name
  if (!traitsOf(indexed).reversed) return filtered(name, accepts)
  const intervals = [prefixInterval(reversedText(plainText(end)))]
  return { index: { name: indexed, kind: 'reversed', intervals }, accepts }
}

function containing(name: string, part: string): Meaning {
  const needle = plainText(part).slice(1)
  return filtered(name, (value) => value.startsWith('t') && value.includes(needle, 1))
}

/** The index is read from its first text to its last. */
function filtered(name: string, accepts: (value: TypedText) => boolean): Meaning {
  return { index: { name, kind: 'values', intervals: [prefixInterval('t')] }, leads: accepts, accepts }
}

function havingWords(name: string, { text, column }: Literal): readonly Meaning[] {
  const words = wordsIn(text)
  if (words.length === 0) throw misread(column, 'a word', text)
  return words.map((word) => {
    const accepts = (value: TypedText) => hasWord(value, word)
    if (!traitsOf(name).words) return filtered(name, accepts)
    return { index: { name, kind: 'words', intervals: [singleInterval(plainText(word))] }, accepts }
  })
}

/** The beginning, end or middle of a text. */
function beginning({ text, column }: Literal, { type }: Traits): string {
  if (type === 'number' || type === 'boolean') throw misread(column, `a ${type}, which has no *,`, text)
  return type === 'digest' ? text.toLowerCase() : text
}

/** What a literal may mean: one extent for each type. */
function extentsOf(literal: Literal, traits: Traits, now: number): readonly Extent[] {
  if (traits.type === 'time') return [timeExtent(literal, now)]
  return textsOf(literal, traits).map((text) => ({ low: text, high: text, highIncluded: true }))
}

function timeExtent({ text, column }: Literal, now: number): Extent {
  const span = parseSpan(text, now)
  if (span === undefined) throw misread(column, timeExpected(text), text)
  return { low: timeText(span.from), high: span.to > LAST_TIME ? TIMES_END : timeText(span.to), highIncluded: false }
}

/** A year of five digits is written with a sign, out of order. */
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z')
const TIMES_END = 't:'

function textsOf({ text, column }: Literal, { type, digits = 0 }: Traits): readonly TypedText[] {
  switch (type) {
    case 'string':
      return [plainText(text)]
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw misread(column, 'true or false', text)
      return [typedText(text === 'true')]
    case 'number': {
      const quantity = parseQuantity(text)
      if (quantity === undefined) throw misread(column, 'a number, as 1500, 10MB or 2GiB,', text)
      return [typedText(quantity)]
    }
    case 'digest':
      if (text.length !== digits || !/^[0-9a-f]*$/i.test(text)) throw misread(column, `${digits} hex digits`, text)
      return [plainText(text.toLowerCase())]
    default:
      return meanings(text)
  }
}

function intervalOf({ low, high, highIncluded }: Extent): Interval {
  return { from: low, fromIncluded: true, to: high, toIncluded: highIncluded }
}

/** Beyond an extent, or with it. */
function comparedWith({ low, high, highIncluded }: Extent, operator: Comparison): Interval {
  switch (operator) {
    case '<':
      return belowInterval(low, false)
    case '<=':
      return belowInterval(high, highIncluded)
    case '>':
      return aboveInterval(high, !highIncluded)
    case '>=':
      return aboveInterval(low, true)
  }
}

/** From one to another of the same type. */
function betweenIntervals(from: readonly Extent[], to: readonly Extent[]): readonly Interval[] {
  const pairs = from.flatMap((low) => to.filter((high) => high.low[0] === low.low[0]).map((high) => ({ low, high })))
  return pairs.map(({ low, high }) => ({ ...intervalOf(high), from: low.low })).filter((interval) => !isEmpty(interval))
}

/** The same interval twice would lead twice to an entry. */
function distinct(intervals: readonly Interval[]): readonly Interval[] {
  return [...new Map(intervals.map((interval) => [`${interval.from}\n${interval.to}`, interval])).values()]
}
