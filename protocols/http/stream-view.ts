import {
  type AppendRecord,
  essenceOf,
  isRecordFormat,
  type ObjectName,
  type Origin,
  type PageRoom,
  RECORD_FORMATS,
  type Sequence,
  type ShownRecord,
  type Store,
  StoreError,
  type TailOptions,
  type TailPage,
} from '../../streams/index.ts'
import { secureHeaders } from './answer.ts'
import { invalid } from './stream-fields.ts'

/** Of every answer: no page of another site gets to read it (Durable Streams, section 10.7). */
export const isolated: readonly string[] = [...secureHeaders, 'Cross-Origin-Resource-Policy', 'same-origin']

/** A stream as one request sees it. */
export interface StreamView {
  /** Of a body. */
  readonly contentType: string
  /** How a body goes into an event: as it is, or where it is no text, in base64. */
  readonly dataEncoding: 'text' | 'base64'
  /** The place before its first record, and after its last one as of now. */
  readonly start: Sequence
  readonly next: Sequence
  readonly isClosed: boolean
  /** Whether it ends with a record; that a stream of messages does is but news among the records. */
  isLast(record: ShownRecord): boolean
  pages(after: TailOptions['after'], signal: AbortSignal, room?: PageRoom): AsyncGenerator<TailPage>
  body(records: readonly ShownRecord[]): string | Buffer
}

/** What is asked of the records of a stream. */
export interface RecordsQuestion {
  readonly store: Store
  readonly origin: Origin
  readonly name?: ObjectName
  readonly query: string | undefined
  readonly format: string | undefined
  /** Names this partition's stream among all others. */
  readonly source: string
}

/** The records of the partition, or of an object. */
export async function recordsView(question: RecordsQuestion): Promise<StreamView> {
  const { store, origin, name, query, format = 'json', source } = question
  if (!isRecordFormat(format)) throw invalid(`format is one of ${Object.keys(RECORD_FORMATS).join(', ')}`)
  const { batchMediaType, batch } = RECORD_FORMATS[format]
  const asked = { ...(name && { name }), ...(query !== undefined && { query }) }
  const pages: StreamView['pages'] = (after, signal, room) =>
    store.tail(origin, { after, signal, ...(room && { room }), ...asked })
  const [start, next] = name ? await endsOf(store, origin, name) : [0, await endOf(pages)]
  return {
    contentType: batchMediaType,
    dataEncoding: 'text',
    start,
    next,
    isClosed: false,
    isLast: () => false,
    pages,
    body: (records) => batch(records, { source }),
  }
}

async function endsOf(store: Store, origin: Origin, name: ObjectName): Promise<readonly [Sequence, Sequence]> {
  const { first, last } = await store.streamHead(origin, name)
  return [first - 1, last]
}

async function endOf(pages: StreamView['pages']): Promise<Sequence> {
  for await (const { next } of pages('now', new AbortController().signal)) return next
  throw new StoreError('ERR_HALTED', 'the store is closed')
}

/** The messages of a stream that an application made. */
export async function messagesView(store: Store, origin: Origin, name: ObjectName): Promise<StreamView> {
  const { contentType, first, next, isClosed } = await store.streamHead(origin, name)
  if (contentType === undefined)
    throw new StoreError('ERR_NOT_FOUND', `${name.bucket}/${name.key} is no stream of messages`)
  const isJson = isJsonType(contentType)
  return {
    contentType,
    dataEncoding: isJson || essenceOf(contentType).startsWith('text/') ? 'text' : 'base64',
    start: first,
    next,
    isClosed,
    isLast: (record) => record.operation === 'append' && record.closes === true,
    pages: (after, signal, room) => store.tail(origin, { after, signal, ...(room && { room }), name, messages: true }),
    body: (records) => (isJson ? jsonOf(appended(records)) : bytesOf(appended(records))),
  }
}

export function isJsonType(contentType: string): boolean {
  return essenceOf(contentType) === 'application/json'
}

/** Whether nothing comes after a page. */
export function isEnd(view: StreamView, { records, next, upToDate }: TailPage): boolean {
  const last = records.at(-1)
  const closes = last !== undefined && view.isLast(last)
  return upToDate && (closes || (view.isClosed && next >= view.next))
}

function appended(records: readonly ShownRecord[]): readonly AppendRecord[] {
  return records.filter((record) => record.operation === 'append')
}

function jsonOf(records: readonly AppendRecord[]): string {
  return `[${records.flatMap(({ messages }) => messages).join(',')}]`
}

function bytesOf(records: readonly AppendRecord[]): Buffer {
  return Buffer.concat(
    records.flatMap(({ messages, encoding }) => messages.map((message) => Buffer.from(message, encoding ?? 'utf8'))),
  )
}
