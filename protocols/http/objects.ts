import { StoreError } from '../../streams/index.ts'
import { get, head } from './download.ts'
import { objectTargetOf, refuseConditions } from './envelope.ts'
import { type Application, answers, answersBytes, answersNothing, type Door } from './routes.ts'
import * as schemas from './schemas.ts'
import { put } from './upload.ts'

/**
 * PUT, GET, HEAD and DELETE of objects. Bytes go straight between the socket and the store, and what is said of them
 * goes past fastify's serialization. Refusals are thrown and answered like those of any route.
 */
export function objects(application: Application, door: Door): void {
  const route = { url: '/objects/:bucket/*', exposeHeadRoute: false }
  application.route({
    ...route,
    method: 'PUT',
    config: { takesBody: true },
    schema: { response: answers(201, schemas.Receipt, 'Durable') },
    handler: (request, reply) => put(door, request, reply),
  })
  application.route({
    ...route,
    method: 'GET',
    schema: {
      querystring: schemas.VersionQuery,
      response: answersBytes({ 200: 'The object', 206: 'The range asked for', 304: 'Not modified' }),
    },
    handler: (request, reply) => get(door, request, reply),
  })
  application.route({
    ...route,
    method: 'HEAD',
    config: { swagger: { exposeHeadRoute: true } },
    schema: {
      querystring: schemas.VersionQuery,
      response: answersBytes({ 200: 'What GET says before the bytes', 304: 'Not modified' }),
    },
    handler: (request, reply) => head(door, request, reply),
  })
  application.route({
    ...route,
    method: 'DELETE',
    schema: { querystring: schemas.VersionQuery, response: answersNothing('Removed') },
    async handler({ raw, origin }, reply) {
      refuseConditions(raw.headers)
      const { name, value: version } = objectTargetOf(raw.url ?? '', 'version')
      const { store, versions } = door
      const removed = version === undefined ? store.remove(origin, name) : versions.removeVersion(origin, name, version)
      if (await removed) return reply.code(204).send()
      const what = version === undefined ? 'object' : `version ${version} of`
      throw new StoreError('ERR_NOT_FOUND', `there is no ${what} ${name.bucket}/${name.key}`)
    },
  })
}
