import type { FastifyRequest } from 'fastify'
import type { TSchema } from 'typebox'
import { type ObjectName, type Origin, StoreError } from '../../streams/index.ts'
import { objectNameOf } from './envelope.ts'
import { type Application, answersBytes, answersNothing, type Door } from './routes.ts'
import { postChanges, postMessages, putStream } from './stream-append.ts'
import { parameterOf } from './stream-fields.ts'
import { getStream, headStream, type OpenView } from './stream-read.ts'
import * as schemas from './stream-schemas.ts'
import { messagesView, recordsView } from './stream-view.ts'

/**
 * Streams, as the Durable Streams protocol has them (docs/STREAMS.md): the records of the partition and of an object, and
 * messages of streams that applications make. One reader and one writer serve them all.
 */
export function streams(application: Application, door: Door): void {
  // A body is read by its handler, whatever its type.
  application.register((scope: Application, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
    const records = { get: schemas.RecordsQuery, head: schemas.RecordsHeadQuery }
    const messages = { get: schemas.MessagesQuery, head: schemas.MessagesHeadQuery }
    reads(scope, door, '/streams/records', recordsOf(door), records)
    reads(scope, door, '/streams/records/:bucket/*', recordsOf(door), records)
    reads(scope, door, '/streams/messages/:bucket/*', messagesOf(door), messages)
    writes(scope, door)
    done()
  })
}

const answersOfReads = answersBytes({ 200: 'What the stream holds', 204: 'Nothing came', 304: 'Not modified' })
const reading = (querystring: TSchema) => ({
  exposeHeadRoute: false,
  schema: { querystring, response: answersOfReads },
})

function reads(
  application: Application,
  door: Door,
  url: string,
  open: OpenView,
  queries: { readonly get: TSchema; readonly head: TSchema },
): void {
  application.route({
    ...reading(queries.get),
    method: 'GET',
    url,
    handler: (request, reply) => getStream(door, open, request, reply),
  })
  application.route({
    ...reading(queries.head),
    method: 'HEAD',
    url,
    config: { swagger: { exposeHeadRoute: true } },
    handler: (request, reply) => headStream(open, request, reply),
  })
}

function writes(application: Application, door: Door): void {
  const messages = '/streams/messages/:bucket/*'
  const config = { takesBody: true, takesBytes: true }
  application.route({
    method: 'PUT',
    url: messages,
    config,
    schema: { response: answersBytes({ 200: 'There already', 201: 'Made' }) },
    handler: (request, reply) => putStream(door, streamNameOf(request), request, reply),
  })
  application.route({
    method: 'POST',
    url: messages,
    config,
    schema: { response: answersBytes({ 200: 'Durable', 204: 'Durable' }) },
    handler: (request, reply) => postMessages(door, streamNameOf(request), request, reply),
  })
  application.route({
    method: 'POST',
    url: '/streams/records/:bucket/*',
    config,
    schema: { response: answersBytes({ 200: 'Durable', 204: 'Durable' }) },
    handler: (request, reply) => postChanges(door, streamNameOf(request), request, reply),
  })
  application.route({
    method: 'DELETE',
    url: messages,
    schema: { response: answersNothing('Removed') },
    async handler(request, reply) {
      const name = streamNameOf(request)
      await messagesView(door.store, request.origin, name)
      if (await door.store.remove(request.origin, name)) return reply.code(204).send()
      throw new StoreError('ERR_NOT_FOUND', `there is no stream ${name.bucket}/${name.key}`)
    },
  })
}

function recordsOf({ store, pool }: Door): OpenView {
  return (request, parameters) => {
    const { origin, routeOptions } = request
    const name = routeOptions.url?.endsWith('*') ? { name: streamNameOf(request) } : {}
    const [query, format] = ['q', 'format'].map((parameter) => parameterOf(parameters, parameter))
    const source = `/cenote/${pool.status(self).position.pool}/${origin.principal.partition}`
    return recordsView({ store, origin, ...name, query, format, source })
  }
}

function messagesOf({ store }: Door): OpenView {
  return (request) => messagesView(store, request.origin, streamNameOf(request))
}

/** `/v1/streams/{records,messages}/{bucket}/{key…}`, read as the path of an object is. */
function streamNameOf({ raw }: FastifyRequest): ObjectName {
  const [path = ''] = (raw.url ?? '').split('?', 1)
  return objectNameOf(path.replace('/streams/', '/'))
}

/** The door names the pool in what it sends. */
const self: Origin = {
  principal: { application: 'cenote', partition: 'main', permissions: ['pool:inspect'] },
  protocol: 'http',
}
