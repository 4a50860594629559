import { StoreError } from '../../streams/index.ts'
import { poolDevices } from './pool-devices.ts'
import { type Application, answers, answersNothing, type Door, jsonBody, requirePool } from './routes.ts'
import * as schemas from './schemas.ts'

/** Applications, and how the pool is. Who may is the ports' business. */
export function administration(application: Application, door: Door): void {
  applications(application, door)
  pools(application, door)
  poolDevices(application, door)
}

function applications(application: Application, { applications }: Door): void {
  application.route({
    method: 'GET',
    url: '/applications',
    schema: { response: answers(200, schemas.ApplicationList) },
    handler: async ({ origin }) => ({ applications: await applications.list(origin) }),
  })
  application.route({
    method: 'POST',
    url: '/applications',
    ...jsonBody,
    schema: { body: schemas.NewApplication, response: answers(201, schemas.Admitted, 'Added') },
    async handler({ origin, body }, reply) {
      const admitted = await applications.add(origin, body)
      return reply.code(201).header('cache-control', 'no-store').send(admitted)
    },
  })
  application.route({
    method: 'GET',
    url: '/applications/:id',
    schema: { params: schemas.IdParams, response: answers(200, schemas.ApplicationDetail) },
    handler: async ({ origin, params: { id } }) => (await applications.show(origin, id)) ?? missing(id),
  })
  application.route({
    method: 'PATCH',
    url: '/applications/:id',
    ...jsonBody,
    schema: {
      params: schemas.IdParams,
      body: schemas.ApplicationChange,
      response: answers(200, schemas.ApplicationDetail),
    },
    handler: async ({ origin, params: { id }, body: { policy } }) =>
      (await applications.set(origin, id, policy)) ?? missing(id),
  })
  application.route({
    method: 'DELETE',
    url: '/applications/:id',
    schema: { params: schemas.IdParams, response: answersNothing('Removed') },
    async handler({ origin, params: { id } }, reply) {
      if (await applications.remove(origin, id)) return reply.code(204).send()
      return missing(id)
    },
  })
}

function missing(id: string): never {
  throw new StoreError('ERR_NOT_FOUND', `there is no application ${id}`)
}

function pools(application: Application, { pool }: Door): void {
  application.route({
    method: 'GET',
    url: '/pools/:pool',
    schema: { params: schemas.PoolParams, response: answers(200, schemas.PoolFigures) },
    async handler({ origin, params }) {
      requirePool(pool, params.pool)
      return pool.status(origin)
    },
  })
  application.route({
    method: 'GET',
    url: '/pools/:pool/atomicity',
    schema: { params: schemas.PoolParams, response: answers(200, schemas.Atomicity) },
    async handler({ origin, params }) {
      requirePool(pool, params.pool)
      return pool.atomicity(origin)
    },
  })
  application.route({
    method: 'POST',
    url: '/pools/:pool/check',
    ...jsonBody,
    schema: { params: schemas.PoolParams, response: answers(200, schemas.PoolReport) },
    async handler({ origin, params }) {
      requirePool(pool, params.pool)
      return pool.check(origin)
    },
  })
  application.route({
    method: 'POST',
    url: '/pools/:pool/scrub',
    ...jsonBody,
    schema: {
      params: schemas.PoolParams,
      body: schemas.ScrubRequest,
      response: answers(200, schemas.ScrubReport, 'Finished, or stopped'),
    },
    async handler({ origin, params, body }) {
      requirePool(pool, params.pool)
      return pool.scrub(origin, body ?? {})
    },
  })
  application.route({
    method: 'GET',
    url: '/pools/:pool/scrub',
    schema: { params: schemas.PoolParams, response: answers(200, schemas.ScrubStatus) },
    async handler({ origin, params }) {
      requirePool(pool, params.pool)
      return pool.scrubStatus(origin)
    },
  })
  application.route({
    method: 'DELETE',
    url: '/pools/:pool/scrub',
    schema: { params: schemas.PoolParams, response: answersNothing('Stopped, if one ran') },
    async handler({ origin, params }, reply) {
      requirePool(pool, params.pool)
      await pool.stopScrub(origin)
      return reply.code(204).send()
    },
  })
}
