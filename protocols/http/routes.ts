import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  preParsingHookHandler,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { TSchema } from 'typebox'
import { type PoolInspection, StoreError } from '../../streams/index.ts'
import type { Exchanges } from './exchanges.ts'
import { continueBody } from './expect.ts'
import type { HeldPages } from './held-pages.ts'
import type { LiveReads } from './live-reads.ts'
import type { HttpMetrics } from './metrics.ts'
import type { HttpLimits, HttpOptions } from './options.ts'
import { Problem } from './schemas.ts'

/** What the routes are made of: the options, with nothing left open, and what the door keeps of itself. */
export interface Door extends Omit<HttpOptions, 'limits' | 'clock' | 'random'> {
  readonly limits: HttpLimits
  readonly clock: { now(): number }
  readonly metrics: HttpMetrics
  readonly exchanges: Exchanges
  readonly live: LiveReads
  readonly held: HeldPages
}

export type Application = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Throws unless `name` is that of the pool that is served. */
export function requirePool(pool: Pick<PoolInspection, 'name'>, name: string): void {
  if (name !== pool.name) throw new StoreError('ERR_NOT_FOUND', `there is no pool ${name}`)
}

/** Of a route that takes a JSON body, which fastify reads and bounds. */
export const jsonBody = {
  config: { takesBody: true },
  preParsing: ((request, reply, _payload, done) => {
    continueBody(request.raw, reply.raw)
    request.raw.once('timeout', () => reply.send(new StoreError('ERR_TIMEOUT', 'the body did not come in time')))
    done()
  }) satisfies preParsingHookHandler,
}

const problem = {
  description: 'Refused, or failed',
  content: { 'application/problem+json': { schema: Problem } },
}

/** The answers of a route, for the document: a success with what it carries, and a problem in any other case. */
export function answers(status: number, schema: TSchema, description = 'Done'): object {
  return { [status]: { description, content: { 'application/json': { schema } } }, default: problem }
}

export function answersNothing(description: string): object {
  return { 204: { description, type: 'null' }, default: problem }
}

/** The answers of a route that sends what has no end yet when it begins. */
export function answersStream(type: string, description: string): object {
  return { 200: { description, content: { [type]: { schema: { type: 'string' } } } }, default: problem }
}

/** The answers of a route that sends an object's bytes. */
export function answersBytes(statuses: { readonly [status: number]: string }): object {
  const bytes = (description: string) => ({ description, content: { '*/*': { schema: {} } } })
  return {
    ...Object.fromEntries(Object.entries(statuses).map(([status, text]) => [status, bytes(text)])),
    default: problem,
  }
}
