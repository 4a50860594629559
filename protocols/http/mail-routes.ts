import { StoreError } from '../../streams/index.ts'
import * as schemas from './mail-route-schemas.ts'
import { type Application, answers, answersNothing, type Door, jsonBody } from './routes.ts'

/** Where mail to an address goes, and who may send it there. Who may change that is the port's business. */
export function mailRoutes(application: Application, { mailRoutes }: Door): void {
  application.route({
    method: 'GET',
    url: '/mail-routes',
    schema: { response: answers(200, schemas.MailRouteList) },
    handler: async ({ origin }) => ({ routes: await mailRoutes.list(origin) }),
  })
  application.route({
    method: 'POST',
    url: '/mail-routes',
    ...jsonBody,
    schema: { body: schemas.NewMailRoute, response: answers(201, schemas.MailRoute, 'Added') },
    async handler({ origin, body: { address, ...asked } }, reply) {
      return reply.code(201).send(await mailRoutes.add(origin, address, asked))
    },
  })
  const url = '/mail-routes/:address'
  application.route({
    method: 'GET',
    url,
    schema: { params: schemas.AddressParams, response: answers(200, schemas.MailRoute) },
    handler: async ({ origin, params: { address } }) => (await mailRoutes.show(origin, address)) ?? missing(address),
  })
  application.route({
    method: 'PATCH',
    url,
    ...jsonBody,
    schema: {
      params: schemas.AddressParams,
      body: schemas.MailRouteChange,
      response: answers(200, schemas.MailRoute, 'Changed, from the next recipient on'),
    },
    handler: async ({ origin, params: { address }, body }) =>
      (await mailRoutes.set(origin, address, body)) ?? missing(address),
  })
  application.route({
    method: 'DELETE',
    url,
    schema: { params: schemas.AddressParams, response: answersNothing('Removed') },
    async handler({ origin, params: { address } }, reply) {
      if (await mailRoutes.remove(origin, address)) return reply.code(204).send()
      return missing(address)
    },
  })
}

function missing(address: string): never {
  throw new StoreError('ERR_NOT_FOUND', `there is no route of ${address}`)
}
