import type { Literal, Query, Term } from './query.ts'

const BARE = /^[\p{L}\p{N}_./@:+%-]+$/u
const BARE_NAME = /^[\p{L}\p{N}_./@+%-]+$/u
const KEYWORD = /^(and|or|not|in|to)$/i

/** The query in the form that its parser reads as the same tree. */
export function printQuery(query: Query): string {
  switch (query.kind) {
    case 'and':
      return query.parts.map((part) => (part.kind === 'or' ? `(${printQuery(part)})` : printQuery(part))).join(' AND ')
    case 'or':
      return query.parts.map(printQuery).join(' OR ')
    case 'not':
      return `NOT ${isJoined(query.part) ? `(${printQuery(query.part)})` : printQuery(query.part)}`
    case 'term':
      return printTerm(query)
  }
}

function isJoined({ kind }: Query): boolean {
  return kind === 'and' || kind === 'or'
}

function printTerm({ name, operator, values }: Term): string {
  const start = printText(name, BARE_NAME)
  const [first = '', second = ''] = values.map(printLiteral)
  switch (operator) {
    case 'exists':
      return `${start}:*`
    case 'equals':
      return `${start}:${first}`
    case 'prefix':
      return `${start}:${first}*`
    case 'suffix':
      return `${start}:*${first}`
    case 'contains':
      return `${start}:*${first}*`
    case 'words':
      return `${start} ~ ${first}`
    case 'in':
      return `${start} IN (${values.map(printLiteral).join(', ')})`
    case 'between':
      return `${start} IN [${first} TO ${second}]`
    default:
      return `${start} ${operator} ${first}`
  }
}

function printLiteral({ text }: Literal): string {
  return printText(text, BARE)
}

function printText(text: string, bare: RegExp): string {
  if (bare.test(text) && !KEYWORD.test(text)) return text
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}
