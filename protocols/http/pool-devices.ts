import { StoreError } from '../../streams/index.ts'
import { type Application, answers, type Door, jsonBody } from './routes.ts'
import * as schemas from './schemas.ts'

/** What may be relied on of the pool, and the devices that it is made of. Who may is the port's business. */
export function poolDevices(application: Application, { pool, management }: Door): void {
  const requirePool = (name: string): void => {
    if (name !== pool.name) throw new StoreError('ERR_NOT_FOUND', `there is no pool ${name}`)
  }
  application.route({
    method: 'GET',
    url: '/pools/:pool/atomicity',
    schema: { params: schemas.PoolParams, response: answers(200, schemas.Atomicity) },
    async handler({ origin, params }) {
      requirePool(params.pool)
      return management.atomicity(origin)
    },
  })
  application.route({
    method: 'POST',
    url: '/pools/:pool/devices',
    ...jsonBody,
    schema: {
      params: schemas.PoolParams,
      body: schemas.NewDevice,
      response: answers(201, schemas.PoolFigures, 'Added'),
    },
    async handler({ origin, params, body }, reply) {
      requirePool(params.pool)
      return reply.code(201).send(await management.addDevice(origin, body))
    },
  })
  application.route({
    method: 'PUT',
    url: '/pools/:pool/devices/:index',
    ...jsonBody,
    schema: {
      params: schemas.DeviceParams,
      body: schemas.NewDevice,
      response: answers(200, schemas.PoolFigures, 'Replaced: everything is copied to it'),
    },
    async handler({ origin, params, body }) {
      requirePool(params.pool)
      return management.replaceDevice(origin, params.index, body)
    },
  })
}
