import { Readable } from 'node:stream'
import {
  COLUMNS_DEFAULT,
  csvPage,
  ndjsonLines,
  parseColumns,
  QUERY_FORMATS,
  type QueryFormat,
  type QueryOptions,
  type QueryResult,
  StoreError,
  xmlPage,
} from '../../streams/index.ts'
import { HttpError } from './error.ts'
import { type Application, answers, type Door } from './routes.ts'
import * as schemas from './schemas.ts'

const FORMATS = Object.keys(QUERY_FORMATS) as readonly QueryFormat[]

/** Objects found by their attributes; or, with `explain`, how they would be found. */
export function query(application: Application, { store }: Door): void {
  application.route({
    method: 'GET',
    url: '/query',
    schema: { querystring: schemas.FindQuery, response: answersInEachFormat() },
    async handler({ origin, query, headers }, reply) {
      const { q, format = formatAccepted(headers.accept), columns, explain, ...options } = query
      const shown = columnsOf(columns, format)
      if (explain) {
        if (format !== 'json') throw new StoreError('ERR_INVALID', 'an explanation is JSON')
        return store.explain(origin, q, options)
      }
      const find = (more: QueryOptions) => store.query(origin, q, { ...options, ...more })
      const page = await find({ limit: pageLimit(options.limit) })
      reply.type(`${QUERY_FORMATS[format]}; charset=utf-8`).headers(headersOf(page, format))
      if (format === 'json') return page
      if (format === 'csv') return csvPage(page, shown)
      if (format === 'xml') return xmlPage(page)
      const next = (cursor: string, left: number) => find({ cursor, limit: pageLimit(left) })
      return Readable.from(ndjsonLines(page, options.limit ?? Number.POSITIVE_INFINITY, next))
    },
  })
}

/** How often values occur among the objects found. */
export function facets(application: Application, { store }: Door): void {
  application.route({
    method: 'GET',
    url: '/facets',
    schema: { querystring: schemas.FacetQuery, response: answers(200, schemas.Facets) },
    async handler({ origin, query: { q, by, values } }) {
      const names = by.split(',').map((name) => name.trim())
      return store.facets(origin, q, { names, ...(values !== undefined && { values }) })
    },
  })
}

function pageLimit(limit: number = schemas.limitMax): number {
  return Math.min(limit, schemas.limitMax)
}

function columnsOf(columns: string | undefined, format: QueryFormat): readonly string[] {
  if (columns === undefined) return COLUMNS_DEFAULT
  if (format !== 'csv') throw new StoreError('ERR_INVALID', 'only CSV has columns')
  return parseColumns(columns)
}

/** What a page says of itself besides its objects. NDJSON has it in its last line, for all of its pages. */
function headersOf({ sequence, cursor, limited }: QueryResult, format: QueryFormat): Record<string, string> {
  if (format === 'ndjson') return {}
  const named = { 'Cenote-Sequence': String(sequence), 'Cenote-Limited': String(limited) }
  return cursor === null ? named : { ...named, 'Cenote-Cursor': cursor }
}

/** RFC 9110 section 12.5.1, as far as there are types to choose from; JSON where any will do. */
function formatAccepted(accept = '*/*'): QueryFormat {
  const ranges = accept.split(',').map(rangeOf)
  const offered = FORMATS.map((format) => ({ format, weight: weightOf(QUERY_FORMATS[format], ranges) }))
  const best = Math.max(...offered.map(({ weight }) => weight))
  if (best > 0) return offered.find(({ weight }) => weight === best)!.format
  throw new HttpError(406, 'ERR_UNSUPPORTED', `an answer is ${Object.values(QUERY_FORMATS).join(', ')}`)
}

interface Range {
  readonly type: string
  readonly weight: number
}

function rangeOf(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const weight = parameters.find((parameter) => parameter.startsWith('q='))
  return { type: type === 'text/xml' ? 'application/xml' : type, weight: weight ? Number(weight.slice(2)) || 0 : 1 }
}

/** That of the most specific range. */
function weightOf(type: string, ranges: readonly Range[]): number {
  const [kind = ''] = type.split('/')
  const found = [type, `${kind}/*`, '*/*'].map((name) => ranges.find((range) => range.type === name))
  return found.find((range) => range !== undefined)?.weight ?? 0
}

function answersInEachFormat(): object {
  const { 200: found, ...others } = answers(200, schemas.Answer) as { 200: { content: object } }
  const texts = FORMATS.filter((format) => format !== 'json').map((format) => [QUERY_FORMATS[format], { schema: {} }])
  return { ...others, 200: { ...found, content: { ...found.content, ...Object.fromEntries(texts) } } }
}
