import { bucketSettings } from './bucket-settings.ts'
import { type Application, answers, answersNothing, type Door, jsonBody } from './routes.ts'
import * as schemas from './schemas.ts'

/** Buckets, what they list, and moving an object to another name. */
export function buckets(application: Application, door: Door): void {
  const { store } = door
  application.route({
    method: 'GET',
    url: '/buckets',
    schema: { response: answers(200, schemas.Buckets) },
    handler: async ({ origin }) => ({ buckets: await store.buckets(origin) }),
  })
  application.route({
    method: 'PUT',
    url: '/buckets/:bucket',
    schema: {
      params: schemas.BucketParams,
      response: { ...answers(201, schemas.Bucket, 'Created'), ...answers(200, schemas.Bucket, 'It exists') },
    },
    async handler({ origin, params: { bucket } }, reply) {
      const created = await store.createBucket(origin, bucket)
      return reply.code(created ? 201 : 200).send({ bucket })
    },
  })
  bucketSettings(application, door)
  application.route({
    method: 'GET',
    url: '/objects/:bucket',
    schema: {
      params: schemas.BucketParams,
      querystring: schemas.ListQuery,
      response: answers(200, schemas.Listing),
    },
    async handler({ origin, params: { bucket }, query }) {
      return { bucket, ...(await store.list(origin, bucket, query)) }
    },
  })
  application.route({
    method: 'POST',
    url: '/rename',
    ...jsonBody,
    schema: { body: schemas.Rename, response: answersNothing('Renamed') },
    async handler({ origin, body: { from, to } }, reply) {
      await store.rename(origin, from, to)
      return reply.code(204).send()
    },
  })
}
