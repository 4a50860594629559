import { StoreError } from '../../streams/index.ts'
import { objectTargetOf } from './envelope.ts'
import { type Application, answers, answersNothing, type Door } from './routes.ts'
import * as schemas from './schemas.ts'

/** Uploads that were cut off, and wait for their applications to go on. */
export function partials(application: Application, { partials }: Door): void {
  application.route({
    method: 'GET',
    url: '/partials',
    schema: { querystring: schemas.PartialsQuery, response: answers(200, schemas.PartialListing) },
    async handler({ origin, query: { limit = schemas.limitMax } }) {
      const all = await partials.list(origin)
      return { partials: all.slice(0, limit), total: all.length }
    },
  })
  application.route({
    method: 'DELETE',
    url: '/partials/:bucket/*',
    schema: { querystring: schemas.PartialQuery, response: answersNothing('Dropped') },
    async handler({ raw, origin }, reply) {
      const { name, value: owner = origin.principal.application } = objectTargetOf(raw.url ?? '', 'application')
      if (await partials.drop(origin, owner, name)) return reply.code(204).send()
      throw new StoreError('ERR_NOT_FOUND', `${owner} has no upload to go on with under ${name.bucket}/${name.key}`)
    },
  })
}
