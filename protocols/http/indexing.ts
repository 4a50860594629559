import { type Application, answers, type Door, jsonBody } from './routes.ts'
import * as schemas from './schemas.ts'

/** How much there is of the index that queries read; and a new one, made while everything else goes on. */
export function indexing(application: Application, { store }: Door): void {
  application.route({
    method: 'GET',
    url: '/index',
    schema: { response: answers(200, schemas.IndexProgress) },
    handler: async ({ origin }) => store.index(origin),
  })
  application.route({
    method: 'POST',
    url: '/index',
    ...jsonBody,
    schema: { response: answers(202, schemas.IndexProgress, 'It is being made anew') },
    async handler({ origin }, reply) {
      return reply.code(202).send(await store.reindex(origin))
    },
  })
}
