import { type Application, answers, type Door } from './routes.ts'
import * as schemas from './schemas.ts'

/** Objects found by their attributes. */
export function query(application: Application, { store }: Door): void {
  application.route({
    method: 'GET',
    url: '/query',
    schema: { querystring: schemas.FindQuery, response: answers(200, schemas.Found) },
    async handler({ origin, query: { q, ...options } }) {
      const { sequence, cursor, objects } = await store.query(origin, q, options)
      return { sequence, cursor, objects }
    },
  })
}
