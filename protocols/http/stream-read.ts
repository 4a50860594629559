import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Sequence, StoreError, type TailPage } from '../../streams/index.ts'
import { answerNothing } from './answer.ts'
import { openBody, send } from './body.ts'
import { evaluate } from './conditions.ts'
import type { HeldPage } from './held-pages.ts'
import type { Door } from './routes.ts'
import { sendEvents } from './stream-events.ts'
import { cursorAt, fields, invalid, offsetText, parameterOf, parseOffset } from './stream-fields.ts'
import { isEnd, isolated, type StreamView } from './stream-view.ts'

/** Opens the stream that a request names; `parameters` are those of its query. */
export type OpenView = (request: FastifyRequest, parameters: URLSearchParams) => Promise<StreamView>

interface Question {
  readonly after: Sequence | 'now'
  readonly live: 'long-poll' | 'sse' | undefined
  readonly cursor: string
}

export function parametersOf({ raw }: FastifyRequest): URLSearchParams {
  const { url = '' } = raw
  const start = url.indexOf('?')
  return new URLSearchParams(start < 0 ? '' : url.slice(start + 1))
}

export async function headStream(open: OpenView, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const view = await open(request, parametersOf(request))
  const closed = view.isClosed ? [fields.closed, 'true'] : []
  reply.hijack()
  reply.raw.writeHead(200, [
    ...['Content-Type', view.contentType, 'Cache-Control', 'no-store', fields.nextOffset, offsetText(view.next)],
    ...closed,
    ...isolated,
  ])
  reply.raw.end()
}

export async function getStream(
  door: Door,
  open: OpenView,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const parameters = parametersOf(request)
  const view = await open(request, parameters)
  const question = questionOf(parameters, view)
  if (question.live === 'sse') return sendEvents(door, view, question, reply)
  const msMax = question.live ? door.limits.longPollMsMax : door.limits.bodyIdleMsMax
  const signal = door.live.begin(reply.raw, msMax)
  const held = door.held.open(reply.raw, signal)
  const page = await firstOf(view, question, signal, held)
  reply.hijack()
  await answerPage(view, question, page, held, request, reply)
}

function questionOf(parameters: URLSearchParams, view: StreamView): Question {
  const offset = parameterOf(parameters, 'offset')
  const live = parameterOf(parameters, 'live')
  if (live !== undefined && live !== 'long-poll' && live !== 'sse') throw invalid('live is long-poll or sse')
  if (live !== undefined && offset === undefined) throw invalid('a live read begins at an offset')
  const after = parseOffset(offset ?? '-1') ?? view.start
  return { after, live, cursor: cursorAt(Date.now(), parameterOf(parameters, 'cursor'), Math.random) }
}

/** The first page; of a long poll the first with a record, or what there is when it has waited long enough. */
async function firstOf(
  view: StreamView,
  { after, live }: Question,
  signal: AbortSignal,
  held: HeldPage,
): Promise<TailPage> {
  let last: TailPage | undefined
  for await (const page of view.pages(after, signal, held)) {
    last = page
    if (live !== undefined && page.records.length === 0 && !isEnd(view, page)) continue
    held.keep()
    break
  }
  if (!last) throw new StoreError('ERR_BUSY', 'the server is closing')
  return last
}

async function answerPage(
  view: StreamView,
  { after, live, cursor }: Question,
  page: TailPage,
  held: HeldPage,
  { raw }: FastifyRequest,
  { raw: response }: FastifyReply,
): Promise<void> {
  const place = placeOf(view, page, cursor)
  const isWaitOver = live !== undefined && page.records.length === 0
  if (isWaitOver) answerNothing(response, 204, ['Cache-Control', 'no-store', ...place])
  else if (after === 'now') await answerBody(response, view, page, held, ['Cache-Control', 'no-store', ...place])
  else {
    const etag = `"${offsetText(after)}-${offsetText(page.next)}${isEnd(view, page) ? '-closed' : ''}"`
    const headers = ['ETag', etag, 'Cache-Control', 'private, no-cache', ...place]
    if (isKnown(raw, etag)) answerNothing(response, 304, headers)
    else await answerBody(response, view, page, held, headers)
  }
}

function placeOf(view: StreamView, page: TailPage, cursor: string): readonly string[] {
  return [
    ...[fields.nextOffset, offsetText(page.next), fields.cursor, cursor],
    ...(page.upToDate ? [fields.upToDate, 'true'] : []),
    ...(isEnd(view, page) ? [fields.closed, 'true'] : []),
    ...isolated,
  ]
}

function isKnown({ headers }: IncomingMessage, etag: string): boolean {
  const noneMatch = headers['if-none-match']
  return noneMatch !== undefined && evaluate({ 'if-none-match': noneMatch }, { etag, modified: 0 }) === 'not-modified'
}

/** Resolves when the client has taken all of it, or went away. */
async function answerBody(
  response: ServerResponse,
  view: StreamView,
  { records }: TailPage,
  held: HeldPage,
  headers: readonly string[],
): Promise<void> {
  if (response.destroyed) return
  const text = view.body(records)
  const body = typeof text === 'string' ? Buffer.from(text) : text
  const length = ['Content-Length', String(body.length)]
  response.writeHead(200, ['Content-Type', view.contentType, ...headers, ...length])
  await send(response, await openBody(held.pieces(body), body.length))
}
