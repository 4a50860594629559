/*
 * What is often meant by what is no query: slips that are told of by what to write instead, at the column where it goes
 * wrong. Each is looked for where the parser cannot go on, and nowhere else, so that no query that is one is touched.
 */

/** Where it goes wrong, counted from 0, and what was expected there. */
export interface Slip {
  readonly at: number
  readonly expected: string
}

const DATE_BEFORE = /\d{4}-\d\d-\d\d\s+$/
const CURLY_QUOTES = /[\u201c-\u201f\u00ab\u00bb]/
const OPERATORS_WITHOUT_STAR: { readonly [operator: string]: string } = {
  '=': 'name:value* finds what begins so',
  '~': 'words are found whole',
}

/** Behind a term, where another operator or the end is to follow. */
export function slipBehind(text: string, at: number, operator: string): Slip | undefined {
  const next = text[at] ?? ''
  const isJoined = /\S/.test(text[at - 1] ?? ' ') && !/[\s)]/.test(next) && next !== ''
  if (isJoined && (next === '*' || text[at - 1] === '*')) return starSlip(next === '*' ? at : at - 1, operator)
  if (isJoined && next === '"') return { at, expected: 'all of the value in quotes, with \\" for a quote in it,' }
  if (/^(&&?|\|\|?|[,;])/.test(text.slice(at))) return { at, expected: 'AND or OR as a word' }
  if (/^\d?\d:\d\d/.test(text.slice(at)) && DATE_BEFORE.test(text.slice(0, at)))
    return { at, expected: 'T between a date and a time, as 2026-11-01T10:00,' }
  const curly = text.slice(0, at).search(CURLY_QUOTES)
  return curly < 0 ? undefined : { at: curly, expected: 'straight quotes (") around a value with spaces' }
}

function starSlip(at: number, operator: string): Slip {
  if (operator === ':') return { at, expected: '* at the start or the end of a value only, or in quotes for itself,' }
  const instead = OPERATORS_WITHOUT_STAR[operator] ?? 'a comparison has none'
  return { at, expected: `no * in a value after ${operator} (${instead})` }
}

/** Where a value is to follow. */
export function slipInValue(text: string, at: number, operator: string): Slip | undefined {
  const next = text[at] ?? ''
  if (next === '*') return { at, expected: `a value after ${operator} (name:* asks whether there is one)` }
  if (/[=<>]/.test(next)) return { at, expected: `a value: one operator is enough, and ${operator} is one,` }
  if (next === '(') return { at, expected: 'one value (of several it is name IN (a, b))' }
  return undefined
}

/** Where an operator is to follow the name of an attribute. */
export function slipInOperator(text: string, at: number): Slip | undefined {
  if (text.startsWith('!=', at) || text.startsWith('<>', at))
    return { at, expected: 'one of : = < <= > >= ~ IN (NOT name = value says what it is not)' }
  return undefined
}

/** What was meant by a time that is none. */
export function timeExpected(text: string): string {
  if (/^\d{4}-\d\d-\d\d($|T)/i.test(text)) return 'a time that there is, as 2026-11-30 or 2026-11-30T10:00Z,'
  if (/^\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4}\.?)?$/.test(text))
    return 'a time as year, month and day with all their digits, as 2026-11-01,'
  return 'a time, as 2026-11, 2026-11-01, 2026-11-01T10:00Z or now-7d,'
}
