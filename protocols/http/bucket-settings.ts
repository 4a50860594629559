import { type Application, answers, type Door, jsonBody } from './routes.ts'
import * as schemas from './schemas.ts'

/** What a bucket keeps, and for how long. */
export function bucketSettings(application: Application, { versions }: Door): void {
  const url = '/buckets/:bucket'
  application.route({
    method: 'GET',
    url,
    schema: { params: schemas.BucketParams, response: answers(200, schemas.BucketSettings) },
    async handler({ origin, params: { bucket } }) {
      return { bucket, ...(await versions.settings(origin, bucket)) }
    },
  })
  application.route({
    method: 'PATCH',
    url,
    ...jsonBody,
    schema: {
      params: schemas.BucketParams,
      body: schemas.BucketChange,
      response: answers(200, schemas.BucketSettings, 'Changed, or so already'),
    },
    async handler({ origin, params: { bucket }, body }) {
      await versions.configure(origin, bucket, body)
      return { bucket, ...(await versions.settings(origin, bucket)) }
    },
  })
}
