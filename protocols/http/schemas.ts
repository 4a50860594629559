import { Type } from 'typebox'
import {
  attributes,
  attributeValue,
  closed,
  count,
  description,
  limitMax,
  milliseconds,
  name,
  objectStat,
  receipt,
  recordId,
  sequence,
  userAttributeName,
} from './schema-parts.ts'

/* The JSON of the API, once: it validates what comes in and is what /openapi.json tells of what goes out. */
export * from './application-schemas.ts'
export * from './bucket-schemas.ts'
export * from './custody-schemas.ts'
export * from './pool-schemas.ts'
export * from './query-schemas.ts'
export { limitMax } from './schema-parts.ts'
export * from './version-schemas.ts'

export const Receipt = Type.Object(receipt, description('Proof that the object is durable.'))
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(description('Why, for programs.')),
  },
  description('RFC 9457'),
)
export const ObjectParams = Type.Object({
  bucket: Type.String(),
  key: Type.String(description('Opaque; percent-decoded once. `/`, `..` and `//` are just characters of it.')),
})
export const BucketParams = Type.Object({ bucket: Type.String() })
export const IdParams = Type.Object({ id: Type.String() })
export const ListQuery = Type.Object(
  {
    prefix: Type.Optional(Type.String()),
    after: Type.Optional(Type.String(description('List keys after this one, in the order of their bytes.'))),
    delimiter: Type.Optional(Type.String({ minLength: 1, ...description('Folds keys up to it into one prefix.') })),
    limit: Type.Optional(count(limitMax)),
  },
  closed,
)
export const Listing = Type.Object({
  bucket: Type.String(),
  objects: Type.Array(objectStat),
  prefixes: Type.Array(Type.String()),
  next: Type.Optional(Type.String(description('Pass as `after` to go on; absent at the end.'))),
})
export const PartialsQuery = Type.Object({ limit: Type.Optional(count(limitMax)) }, closed)
export const PartialListing = Type.Object({
  partials: Type.Array(
    Type.Object({
      application: Type.String(description('Whose upload it is.')),
      bucket: Type.String(),
      key: Type.String(),
      upload: recordId,
      size: Type.Integer(description('Bytes that are durable.')),
      time: milliseconds,
      prepared: sequence,
    }),
    description('The oldest first.'),
  ),
  total: Type.Integer(description('All there are.')),
})
export const PartialQuery = Type.Object(
  { application: Type.Optional(Type.String(description('Whose upload it is; by default the asker.'))) },
  closed,
)
export const Records = Type.Object({
  object: recordId,
  bucket: Type.String(),
  key: Type.String(),
  records: Type.Array(Type.Object({ sequence, time: Type.Integer(), operation: Type.String() })),
})
const PastObject = Type.Object({
  object: recordId,
  bucket: Type.String(),
  key: Type.String(),
  sequence: Type.Integer(description('The last record of its stream that counts.')),
  time: milliseconds,
  version: Type.Union([recordId, Type.Null()], description('The one that was current; null while it was removed.')),
  readable: Type.Boolean(description('Whether the bytes of that version are still kept.')),
  attributes,
})
export const RecordsOrPast = Type.Union([Records, PastObject])
export const Annotation = Type.Object(
  {
    set: Type.Optional(Type.Record(Type.String({ pattern: userAttributeName }), attributeValue, closed)),
    unset: Type.Optional(Type.Array(Type.String({ pattern: userAttributeName }), { maxItems: 256 })),
  },
  { ...closed, minProperties: 1 },
)
export const Rename = Type.Object({ from: name, to: name }, closed)
export const Status = Type.Object({ status: Type.String() })
export const Readiness = Type.Object({
  status: Type.String(),
  indexPercent: Type.Optional(
    Type.Integer(description('Of the index; there until it is whole: meanwhile queries look at the objects.')),
  ),
})
export const Document = Type.Object({ openapi: Type.String() }, description('OpenAPI 3.1'))
