import { Type } from 'typebox'
import { closed, description } from './schema-parts.ts'

export const Buckets = Type.Object({ buckets: Type.Array(Type.String()) })
export const Bucket = Type.Object({ bucket: Type.String() })
const days = Type.Integer({ minimum: 1, maximum: 36_500 })
const retentionDays = Type.Object({ days }, closed)
const expiry = Type.Object(
  {
    currentDays: Type.Optional(Type.Integer({ ...days, ...description('From the put of the current version.') })),
    noncurrentDays: Type.Optional(
      Type.Integer({ ...days, ...description('From when a version was replaced or removed.') }),
    ),
  },
  closed,
)
const versioning = Type.Union([Type.Literal('off'), Type.Literal('enabled'), Type.Literal('suspended')])
export const BucketSettings = Type.Object({
  bucket: Type.String(),
  versioning,
  retention: Type.Optional(retentionDays),
  expiry: Type.Optional(expiry),
})
export const BucketChange = Type.Object(
  {
    versioning: Type.Optional(versioning),
    retention: Type.Optional(Type.Union([retentionDays, Type.Null()], description('null: none by default.'))),
    expiry: Type.Optional(Type.Union([expiry, Type.Null()], description('null: nothing expires.'))),
  },
  { ...closed, minProperties: 1 },
)
