import { permit, type Removal, StoreError } from '../../streams/index.ts'
import { objectNameOf } from './envelope.ts'
import { timeOf } from './moment.ts'
import { type Application, answers, answersNothing, type Door, jsonBody } from './routes.ts'
import * as schemas from './schemas.ts'

/** The versions that a bucket keeps, and how long one of them is to be kept. */
export function versions(application: Application, { versions }: Door): void {
  application.route({
    method: 'GET',
    url: '/versions/:bucket',
    schema: {
      params: schemas.BucketParams,
      querystring: schemas.VersionsQuery,
      response: answers(200, schemas.VersionListing),
    },
    async handler({ origin, params: { bucket }, query }) {
      return { bucket, ...(await versions.listVersions(origin, bucket, query)) }
    },
  })
  application.route({
    method: 'POST',
    url: '/versions/:bucket/remove',
    ...jsonBody,
    schema: {
      params: schemas.BucketParams,
      body: schemas.VersionsToRemove,
      response: answers(200, schemas.Removals, 'Done, as far as each could be'),
    },
    async handler({ origin, params: { bucket }, body }) {
      return { bucket, removals: (await versions.removeVersions(origin, bucket, body.versions)).map(shown) }
    },
  })
  application.route({
    method: 'PATCH',
    url: '/retention/:bucket/*',
    ...jsonBody,
    schema: { body: schemas.Retention, response: answersNothing('Retained, held, or held no more') },
    async handler({ raw, origin, body: { version, until, hold } }, reply) {
      const name = { ...objectNameOf(raw.url ?? ''), version }
      if (until === undefined && hold === undefined)
        throw new StoreError('ERR_INVALID', 'a retention has until, or hold, or both')
      // A retention cannot be taken back: who may not hold retains nothing on the way to being refused.
      if (hold !== undefined) permit(origin, 'object:hold')
      if (until !== undefined) await versions.retain(origin, name, timeOf(until))
      if (hold !== undefined) await versions.hold(origin, name, hold)
      return reply.code(204).send()
    },
  })
}

function shown({ error, ...removal }: Removal) {
  return { ...removal, ...(error && { code: error.code, detail: error.message }) }
}
