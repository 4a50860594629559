import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ObjectStat, type Origin, type PayloadRange, type Reading, StoreError } from '../../streams/index.ts'
import { openBody, send } from './body.ts'
import { evaluate, preconditionOf, rangeApplies } from './conditions.ts'
import { objectTargetOf } from './envelope.ts'
import { HttpError } from './error.ts'
import { contentRange, selectRange } from './range.ts'
import type { Door } from './routes.ts'
import { etagOf, storedHeaders, validatorHeaders } from './stored-headers.ts'

/** How often a conditional read begins again because the object was replaced between looking and reading. */
const attemptsMax = 3

/** What a GET is answered with; without a body, 304. */
interface Download {
  readonly stat: ObjectStat
  readonly body?: AsyncIterable<Uint8Array>
  readonly range?: PayloadRange
}

/** GET of an object, or of a range of it. */
export async function get(door: Door, { raw, origin }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { stat, body, range } = await choose(sourceOf(door, origin, raw.url), raw.headers)
  if (body === undefined) return notModified(reply, stat)
  const length = range?.length ?? stat.size
  const open = await openBody(body, length)
  reply.hijack()
  const ranged = range === undefined ? [] : ['Content-Range', contentRange(range, stat.size)]
  reply.raw.writeHead(range ? 206 : 200, [...storedHeaders(stat), ...ranged, 'Content-Length', String(length)])
  await send(reply.raw, open).catch((error) => {
    door.logger.error({ err: error, request: origin.request }, 'a download broke off')
  })
}

/** HEAD of an object: what GET would say, a range aside (RFC 9110 section 14.2). */
export async function head(door: Door, { raw, origin }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const stat = await sourceOf(door, origin, raw.url).stat()
  if (!isWanted(raw.headers, stat)) return notModified(reply, stat)
  reply.hijack()
  reply.raw.writeHead(200, [...storedHeaders(stat), 'Content-Length', String(stat.size)])
  reply.raw.end()
}

/** What a request's path names: an object's current version, or one by its id. */
interface Source {
  stat(): Promise<ObjectStat>
  read(range?: PayloadRange): Promise<Reading>
}

function sourceOf({ store, versions }: Door, origin: Origin, url = ''): Source {
  const { name, value: version } = objectTargetOf(url, 'version')
  if (version === undefined)
    return { stat: () => store.stat(origin, name), read: (range) => store.read(origin, name, range) }
  const named = { ...name, version }
  return {
    stat: () => versions.statVersion(origin, named),
    read: (range) => versions.readVersion(origin, named, range),
  }
}

async function choose(source: Source, headers: IncomingHttpHeaders): Promise<Download> {
  if (headers.range === undefined && preconditionOf(headers) === undefined) return source.read()
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const stat = await source.stat()
    if (!isWanted(headers, stat)) return { stat }
    const range = rangeOf(headers, stat)
    const reading = await source.read(range)
    if (reading.stat.version === stat.version) return range ? { ...reading, range } : reading
  }
  throw new StoreError('ERR_BUSY', 'the object is being replaced time and again')
}

/** False for 304; throws ERR_PRECONDITION for 412. */
function isWanted(headers: IncomingHttpHeaders, stat: ObjectStat): boolean {
  const verdict = evaluate(headers, { etag: etagOf(stat), modified: stat.time })
  if (verdict === 'failed') throw new StoreError('ERR_PRECONDITION', 'the object is not, or no more, the one you named')
  return verdict === 'proceed'
}

function rangeOf(headers: IncomingHttpHeaders, stat: ObjectStat): PayloadRange | undefined {
  if (!rangeApplies(headers['if-range'], etagOf(stat))) return undefined
  const selection = selectRange(headers.range, stat.size)
  if (selection === 'whole') return undefined
  if (selection !== 'unsatisfiable') return selection
  // RFC 9110 section 15.5.17.
  throw new HttpError(416, 'ERR_RANGE', `the object has ${stat.size} bytes`, ['Content-Range', `bytes */${stat.size}`])
}

function notModified(reply: FastifyReply, stat: ObjectStat): void {
  reply.hijack()
  reply.raw.writeHead(304, validatorHeaders(stat))
  reply.raw.end()
}
