import { FIELDS } from '../catalog/catalog-entry.ts'
import type { AttributeValue } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { membersOf } from '../records/record-xml.ts'
import type { ObjectStat, QueryResult } from '../store-port.ts'

/*
 * Answers as text: pure functions of a page, or of an object.
 *
 *   json    the page as it is
 *   ndjson  an object a line; after the last one the rest of the page: { sequence, cursor, limited }
 *   csv     RFC 4180: a line of names, then one for each object; a list is a JSON array
 *   xml     docs/query-answer.xsd
 */
export const QUERY_FORMATS = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  xml: 'application/xml',
} as const
export type QueryFormat = keyof typeof QUERY_FORMATS

export const QUERY_XML_NAMESPACE = 'urn:cenote:query:1'
export const COLUMNS_MAX = 100
export const COLUMNS_DEFAULT = [
  ...['object.bucket', 'object.key', 'object.size', 'time', 'content.type', 'object.version', 'checksum.sha256'],
]

/** What an object's stat says under the names of fields. */
const READ: { readonly [field: string]: (stat: ObjectStat) => AttributeValue } = {
  'object.bucket': ({ bucket }) => bucket,
  'object.key': ({ key }) => key,
  'object.name': ({ key }) => key.slice(key.lastIndexOf('/') + 1),
  'object.size': ({ size }) => size,
  'object.version': ({ version }) => version,
  time: ({ time }) => new Date(time).toISOString(),
}

/** Names of attributes, parted by commas. Throws ERR_INVALID for one that answers do not carry. */
export function parseColumns(text: string): readonly string[] {
  const columns = text.split(',').map((name) => name.trim())
  if (columns.length > COLUMNS_MAX) throw new StoreError('ERR_INVALID', `there are at most ${COLUMNS_MAX} columns`)
  const strange = columns.find((name) => name === '' || (FIELDS.has(name) && !Object.hasOwn(READ, name)))
  if (strange === undefined) return columns
  throw new StoreError('ERR_INVALID', `${JSON.stringify(strange)} is no column: an answer does not carry it`)
}

/** Undefined when the object has none. */
export function columnOf(stat: ObjectStat, name: string): AttributeValue | undefined {
  if (Object.hasOwn(READ, name)) return READ[name]?.(stat)
  return Object.hasOwn(stat.attributes, name) ? stat.attributes[name] : undefined
}

export function csvRow(stat: ObjectStat, columns: readonly string[]): string {
  return csvLine(columns.map((name) => cellOf(columnOf(stat, name))))
}

function cellOf(value: AttributeValue | undefined): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value ?? '')
}

/** A field with a comma, a quote or a break is quoted, its quotes doubled. */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join()}\r\n`
}

export function csvPage({ objects }: QueryResult, columns: readonly string[]): string {
  return csvLine(columns) + objects.map((stat) => csvRow(stat, columns)).join('')
}

export function xmlPage({ sequence, cursor, limited, objects }: QueryResult): string {
  const next = cursor === null ? '' : ` cursor="${cursor}"`
  const start = `<answer xmlns="${QUERY_XML_NAMESPACE}" sequence="${sequence}" limited="${limited}"${next}>`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${start}\n${objects.map(xmlObject).join('')}</answer>\n`
}

function xmlObject({ sequence, time, ...members }: ObjectStat): string {
  return `<object sequence="${sequence}" time="${new Date(time).toISOString()}">${membersOf(members)}</object>\n`
}

/** Every page from the first one on, until `limit` objects are told. */
export async function* ndjsonLines(
  first: QueryResult,
  limit: number,
  next: (cursor: string, limit: number) => Promise<QueryResult>,
): AsyncGenerator<string> {
  let page = first
  let left = limit - page.objects.length
  while (true) {
    yield page.objects.map((stat) => `${JSON.stringify(stat)}\n`).join('')
    if (page.cursor === null || left <= 0) break
    page = await next(page.cursor, left)
    left -= page.objects.length
  }
  const { sequence, cursor, limited } = page
  yield `${JSON.stringify({ sequence, cursor, limited })}\n`
}
