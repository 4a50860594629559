import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { type Sequence, StoreError, type TailPage } from '../../streams/index.ts'
import { drained } from './body.ts'
import type { Door } from './routes.ts'
import { fields, offsetText } from './stream-fields.ts'
import { isEnd, isolated, type StreamView } from './stream-view.ts'

export interface EventsQuestion {
  readonly after: Sequence | 'now'
  readonly cursor: string
}

/**
 * Server-sent events (WHATWG HTML, section 9.2): `data` with what came, and after each a `control` that tells where the
 * client is. The connection ends after a while, so that clients find one another at a cache, and goes on at that place.
 * A client that takes its time is waited for, and holds a page meanwhile, within the bound on all (held-pages.ts).
 */
export async function sendEvents(
  { live, held, limits }: Door,
  view: StreamView,
  { after, cursor }: EventsQuestion,
  reply: FastifyReply,
): Promise<void> {
  const response = reply.raw
  const signal = live.begin(response, limits.eventsMsMax)
  const holding = held.open(response, signal)
  const pages = view.pages(after, signal, holding)
  const first = await pages.next() // What is refused is refused with a status.
  if (first.done) throw new StoreError('ERR_BUSY', 'the server is closing')
  reply.hijack()
  begin(response, view)
  let told: Sequence | undefined
  let page: TailPage = first.value
  try {
    for (let next: IteratorResult<TailPage> = first; !next.done && !response.destroyed; next = await pages.next()) {
      page = next.value
      if (told !== undefined && page.records.length === 0) continue
      told = page.next
      await sendPieces(response, holding.pieces(Buffer.from(eventsOf(view, page, cursor))))
      if (isEnd(view, page)) break
    }
  } catch {
    // The store has closed; the client comes again, to the next one.
  }
  await pages.return(undefined)
  if (response.destroyed) return
  response.end(page.next === told ? '' : controlEvent(view, { ...page, records: [] }, cursor))
}

/** At the client's pace. */
async function sendPieces(response: ServerResponse, pieces: AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of pieces) {
    if (response.destroyed) return
    if (!response.write(piece)) await drained(response)
  }
}

function begin(response: ServerResponse, { dataEncoding }: StreamView): void {
  const encoding = dataEncoding === 'base64' ? [fields.dataEncoding, 'base64'] : []
  const headers = ['Content-Type', 'text/event-stream', 'Cache-Control', 'no-cache', 'X-Accel-Buffering', 'no']
  response.writeHead(200, [...headers, ...encoding, ...isolated])
  response.flushHeaders()
}

function eventsOf(view: StreamView, page: TailPage, cursor: string): string {
  const control = controlEvent(view, page, cursor)
  if (page.records.length === 0) return control
  const body = view.body(page.records)
  if (body.length === 0) return control
  return (
    event('data', view.dataEncoding === 'base64' ? Buffer.from(body).toString('base64') : body.toString()) + control
  )
}

function controlEvent(view: StreamView, page: TailPage, streamCursor: string): string {
  const place = { streamNextOffset: offsetText(page.next) }
  if (isEnd(view, page)) return event('control', JSON.stringify({ ...place, upToDate: true, streamClosed: true }))
  return event('control', JSON.stringify({ ...place, streamCursor, ...(page.upToDate && { upToDate: true }) }))
}

/** Each line end, of whatever kind, begins a line of its own: nothing in a text can end the event. */
function event(name: string, text: string): string {
  const lines = text.split(/\r\n|\r|\n/).map((line) => `data:${line.startsWith(' ') ? ' ' : ''}${line}\n`)
  return `event: ${name}\n${lines.join('')}\n`
}
