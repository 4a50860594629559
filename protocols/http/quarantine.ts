import { permit, StoreError } from '../../streams/index.ts'
import { objectNameOf } from './envelope.ts'
import { type Application, answers, answersNothing, type Door, jsonBody } from './routes.ts'
import * as schemas from './schemas.ts'

/** What is kept and read by nobody until somebody has judged it. */
export function quarantine(application: Application, { store, versions }: Door): void {
  application.route({
    method: 'GET',
    url: '/quarantine',
    schema: { querystring: schemas.QuarantineQuery, response: answers(200, schemas.QuarantineListing) },
    async handler({ origin, query: { limit = schemas.limitMax, cursor } }) {
      permit(origin, 'object:quarantine')
      const { objects, cursor: next } = await store.query(origin, 'quarantine.reason:*', {
        limit,
        ...(cursor !== undefined && { cursor }),
      })
      return { objects, cursor: next }
    },
  })
  application.route({
    method: 'PATCH',
    url: '/quarantine/:bucket/*',
    ...jsonBody,
    schema: { body: schemas.QuarantineAction, response: answersNothing('Released, or dropped') },
    async handler({ raw, origin, body: { version, action } }, reply) {
      const name = { ...objectNameOf(raw.url ?? ''), version }
      const settled = action === 'release' ? versions.release(origin, name) : versions.discard(origin, name)
      if (await settled) return reply.code(204).send()
      throw new StoreError('ERR_CONFLICT', `${name.bucket}/${name.key} is not quarantined`)
    },
  })
}
