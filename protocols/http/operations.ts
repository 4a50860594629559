import { type Origin, percentOf, StoreError } from '../../streams/index.ts'
import { isLoopback } from '../address.ts'
import { type Application, answers, type Door } from './routes.ts'
import * as schemas from './schemas.ts'
import { verification } from './verify.ts'

/** The door asks for itself whether the pool is open: a probe shows no credentials. */
const self: Origin = {
  principal: { application: 'cenote', partition: 'main', permissions: ['pool:inspect'] },
  protocol: 'http',
}

/** What runs the server asks: is it up, is it ready, how busy is it, what does it speak. */
export function operations(application: Application, door: Door): void {
  application.route({
    method: 'GET',
    url: '/healthz',
    schema: { security: [], response: answers(200, schemas.Status, 'The process is up') },
    handler: async () => ({ status: 'up' }),
  })
  application.route({
    method: 'GET',
    url: '/readyz',
    schema: { security: [], response: answers(200, schemas.Readiness, 'The store takes requests') },
    async handler() {
      const health = requireReady(door)
      const index = door.store.index(self)
      const made = index.phase === 'whole' ? {} : { indexPercent: percentOf(index) }
      return { status: health === 'ok' ? 'ready' : health, ...made }
    },
  })
  application.route({
    method: 'GET',
    url: '/openapi.json',
    schema: { security: [], response: answers(200, schemas.Document, 'This document') },
    handler: async () => application.swagger(),
  })
  application.route({
    method: 'GET',
    url: '/v1/keys',
    schema: { security: [], response: answers(200, schemas.PublicKeys, 'The keys that sign checkpoints, and did') },
    handler: async () => ({ keys: await door.custody.keys() }),
  })
  metrics(application, door)
}

/** A pool that is degraded, or waits for a device, takes requests all the same. */
function requireReady({ pool }: Door): string {
  const { state, health } = pool.status(self)
  if (state !== 'open') throw new StoreError('ERR_HALTED', `the pool is ${state}`)
  return health
}

/** Figures tell of the business done, so that they are free to take on this machine only. */
function metrics(application: Application, { registry, access, host }: Door): void {
  application.route({
    method: 'GET',
    url: '/metrics',
    ...(isLoopback(host) ? {} : { onRequest: verification(access) }),
    schema: {
      response: {
        200: { description: 'Figures', content: { [registry.contentType]: { schema: { type: 'string' } } } },
      },
    },
    async handler({ origin }, reply) {
      if (origin && !origin.principal.permissions.includes('pool:inspect'))
        throw new StoreError('ERR_FORBIDDEN', `${origin.principal.application} lacks pool:inspect`)
      return reply.type(registry.contentType).send(await registry.metrics())
    },
  })
}
