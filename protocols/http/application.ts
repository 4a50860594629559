import type { RequestListener, Server } from 'node:http'
import swagger from '@fastify/swagger'
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import fastify, { type FastifyPluginCallback, type FastifyReply, type FastifyRequest } from 'fastify'
import { StoreError } from '../../streams/index.ts'
import { http } from '../reply.ts'
import { administration } from './administration.ts'
import { hasBody, refuse, secureFields } from './answer.ts'
import { attributes } from './attributes.ts'
import { turn } from './body.ts'
import { buckets } from './buckets.ts'
import { custody } from './custody.ts'
import { HttpError, invalid, storeErrorOf } from './error.ts'
import { indexing } from './indexing.ts'
import { mailRoutes } from './mail-routes.ts'
import { objects } from './objects.ts'
import { document } from './openapi.ts'
import { operations } from './operations.ts'
import { partials } from './partials.ts'
import { quarantine } from './quarantine.ts'
import { facets, query } from './query.ts'
import type { Application, Door } from './routes.ts'
import { streams } from './streams.ts'
import { subscriptions } from './subscriptions.ts'
import { verification } from './verify.ts'
import { versions } from './versions.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A route without it refuses a request that carries a body. */
    takesBody?: boolean
    /** Of a POST whose body is bytes of any type, which its handler reads. */
    takesBytes?: boolean
    /** Of a PUT whose body is JSON, which its handler reads: fastify reads none. */
    putsJson?: object
  }
}

const allMethods = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS']

export interface ApplicationOptions {
  /** Makes the server around fastify's listener. */
  readonly serve: (listener: RequestListener) => Server
  readonly requestId: () => string
}

/** Everything between the server and the store: the routes, and what goes for all of them. */
export function createApplication(door: Door, { serve, requestId }: ApplicationOptions): Application {
  const application: Application = fastify({
    serverFactory: (listener) => serve(listener as RequestListener),
    genReqId: requestId,
    bodyLimit: door.limits.jsonBytesMax,
    routerOptions: { maxParamLength: door.limits.headerBytesMax },
    frameworkErrors: (error, request, reply) => fail(door, error, request as FastifyRequest, reply as FastifyReply),
  }).withTypeProvider<TypeBoxTypeProvider>()
  // An object's bytes are the store's: fastify neither parses them nor judges their Content-Type.
  application.addHttpMethod('PUT', { hasBody: false, overrideExisting: true })
  application.addHttpMethod('DELETE', { hasBody: false, overrideExisting: true })
  application.setValidatorCompiler(TypeBoxValidatorCompiler)
  application.setSchemaErrorFormatter(invalid)
  application.setSerializerCompiler(() => JSON.stringify)
  application.setErrorHandler((error, request, reply) => fail(door, error, request, reply))
  application.setNotFoundHandler((request) => {
    throw new StoreError('ERR_NOT_FOUND', `there is nothing at ${request.method} ${pathOf(request)}`)
  })
  addHooks(application, door)
  const methods = collectMethods(application)
  application.register(swagger, document)
  application.register((scope: Application, _options, done) => {
    operations(scope, door)
    done()
  })
  application.register(version1(door), { prefix: '/v1' })
  application.after(() => refuseOtherMethods(application, methods))
  return application
}

/** The routes that ask who is there. */
function version1(door: Door): FastifyPluginCallback {
  return (scope: Application, _options, done) => {
    scope.addHook('onRequest', verification(door.access))
    for (const routes of [
      objects,
      buckets,
      attributes,
      versions,
      quarantine,
      partials,
      streams,
      query,
      facets,
      indexing,
      custody,
      subscriptions,
      mailRoutes,
      administration,
    ])
      routes(scope, door)
    done()
  }
}

/** Counts an exchange, and refuses a body that nobody would read, or could read. */
function addHooks(application: Application, { exchanges }: Door): void {
  application.addHook('onRequest', (request, reply, done) => {
    exchanges.begin(request, reply)
    const coding = request.raw.headers['transfer-encoding']
    // RFC 9112 section 6.1: what is coded in a way that we do not undo would be stored as something else.
    if (coding !== undefined && coding.toLowerCase() !== 'chunked')
      return done(new HttpError(501, 'ERR_UNSUPPORTED', `of transfer codings only chunked is known, not ${coding}`))
    const unasked = hasBody(request.raw) && !request.is404 && !request.routeOptions.config.takesBody
    done(unasked ? new StoreError('ERR_INVALID', `${request.method} ${pathOf(request)} takes no body`) : undefined)
  })
  application.addHook('onSend', (_request, reply, payload, done) => {
    reply.headers(secureFields)
    done(null, payload)
  })
}

/** The one place where an error becomes an answer. */
async function fail(door: Door, error: unknown, { id, raw }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const failure = storeErrorOf(error, id)
  if (http[failure.code] === 500) door.logger.error({ err: error, request: id }, 'a request failed')
  reply.hijack()
  await turn(raw)
  refuse(raw, reply.raw, failure, door.limits)
}

/** Which methods each URL has, filled as routes are added. */
function collectMethods(application: Application): ReadonlyMap<string, Set<string>> {
  const methods = new Map<string, Set<string>>()
  application.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set()
    for (const name of [method].flat()) known.add(name)
    methods.set(url, known)
  })
  return methods
}

/** RFC 9110 section 15.5.6: 405 names the methods that a URL has. */
function refuseOtherMethods(application: Application, methods: ReadonlyMap<string, Set<string>>): void {
  for (const [url, known] of [...methods]) {
    const allowed = [...known]
    application.route({
      url,
      method: allMethods.filter((method) => !known.has(method)),
      config: { takesBody: true },
      schema: { hide: true },
      handler(request) {
        const detail = `${request.method} is none of the methods of ${pathOf(request)}`
        throw new HttpError(405, 'ERR_UNSUPPORTED', detail, ['Allow', allowed.join(', ')])
      },
    })
  }
}

function pathOf({ raw }: FastifyRequest): string {
  return (raw.url ?? '').split('?', 1)[0] ?? ''
}
