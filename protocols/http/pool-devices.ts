import type { IncomingMessage } from 'node:http'
import { Value } from 'typebox/value'
import { type MemberRequest, StoreError } from '../../streams/index.ts'
import { receive } from './body.ts'
import { continueBody } from './expect.ts'
import type { HttpLimits } from './options.ts'
import { type Application, answers, type Door, jsonBody, requirePool } from './routes.ts'
import * as schemas from './schemas.ts'

/** The devices that the pool is made of. Who may is the port's business. */
export function poolDevices(application: Application, { pool, management, limits }: Door): void {
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
      requirePool(pool, params.pool)
      return reply.code(201).send(await management.addDevice(origin, body))
    },
  })
  application.route({
    method: 'PUT',
    url: '/pools/:pool/devices/:index',
    config: { takesBody: true, putsJson: schemas.NewDevice },
    schema: {
      params: schemas.DeviceParams,
      response: answers(200, schemas.PoolFigures, 'Replaced: everything is copied to it'),
    },
    async handler({ raw, origin, params }, reply) {
      requirePool(pool, params.pool)
      continueBody(raw, reply.raw)
      return management.replaceDevice(origin, params.index, await deviceIn(raw, limits))
    },
  })
}

/** Fastify reads the body of no PUT, because those of objects are none of its business. */
async function deviceIn(source: IncomingMessage, { jsonBytesMax, bodyIdleMsMax }: HttpLimits): Promise<MemberRequest> {
  const body = new Collected()
  await receive(source, body, { objectBytesMax: jsonBytesMax, bodyIdleMsMax })
  const device = body.json()
  if (Value.Check(schemas.NewDevice, device)) return device
  const [error] = Value.Errors(schemas.NewDevice, device)
  throw new StoreError('ERR_INVALID', `body${error?.instancePath ?? ''} ${error?.message ?? 'is no device'}`)
}

/** A body in memory; bounded by who receives it. */
class Collected {
  readonly #chunks: Uint8Array[] = []
  size = 0

  async write(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(Uint8Array.from(chunk))
    this.size += chunk.length
  }

  json(): unknown {
    try {
      return JSON.parse(Buffer.concat(this.#chunks).toString())
    } catch {
      throw new StoreError('ERR_INVALID', 'the body must be JSON')
    }
  }
}
