import { Type } from 'typebox'
import { REMOVALS_MAX } from '../../streams/index.ts'
import {
  attributes,
  closed,
  count,
  description,
  digests,
  limitMax,
  milliseconds,
  objectStat,
  recordId,
  sequence,
  versionId,
} from './schema-parts.ts'

export const VersionQuery = Type.Object({ version: Type.Optional(versionId) })
export const MomentQuery = Type.Object({
  at: Type.Optional(
    Type.String(description('A sequence, or a time in ISO 8601: what the object was then, and not its records.')),
  ),
})
export const VersionsQuery = Type.Object(
  {
    prefix: Type.Optional(Type.String()),
    cursor: Type.Optional(Type.String(description('The `next` of the page before.'))),
    limit: Type.Optional(count(limitMax)),
  },
  closed,
)
export const VersionsToRemove = Type.Object(
  {
    versions: Type.Array(Type.Object({ key: Type.String(), version: Type.Optional(versionId) }, closed), {
      minItems: 1,
      maxItems: REMOVALS_MAX,
      ...description('Without a version what is current, as by DELETE.'),
    }),
  },
  closed,
)
export const Removals = Type.Object({
  bucket: Type.String(),
  removals: Type.Array(
    Type.Object({
      key: Type.String(),
      version: Type.Optional(versionId),
      outcome: Type.Union([Type.Literal('removed'), Type.Literal('missing'), Type.Literal('refused')]),
      code: Type.Optional(Type.String(description('Why it was refused.'))),
      detail: Type.Optional(Type.String()),
    }),
    description('What became of each, in the order in which they were named.'),
  ),
})
export const VersionListing = Type.Object({
  bucket: Type.String(),
  versions: Type.Array(
    Type.Object({
      state: Type.Union([Type.Literal('current'), Type.Literal('noncurrent'), Type.Literal('marker')]),
      object: recordId,
      bucket: Type.String(),
      key: Type.String(),
      version: recordId,
      sequence,
      time: milliseconds,
      since: Type.Optional(
        Type.Integer(description('When it was replaced or removed, in milliseconds since 1970; of one not current.')),
      ),
      hides: Type.Optional(Type.Integer(description('Versions under it; of a delete marker.'))),
      size: Type.Optional(Type.Integer({ minimum: 0 })),
      digests: Type.Optional(digests),
      attributes: Type.Optional(attributes),
    }),
  ),
  next: Type.Optional(Type.String(description('Pass as `cursor` to go on; absent at the end.'))),
})
export const Retention = Type.Object(
  {
    version: Type.Optional(versionId),
    until: Type.Optional(
      Type.String(description('Retained until then, in ISO 8601: later than before. Needs object:retain.')),
    ),
    hold: Type.Optional(Type.Boolean(description('Under legal hold, or no more. Needs object:hold.'))),
  },
  { ...closed, minProperties: 1 },
)
export const QuarantineQuery = Type.Object(
  {
    limit: Type.Optional(count(limitMax)),
    cursor: Type.Optional(Type.String(description('The `cursor` of the page before.'))),
  },
  closed,
)
export const QuarantineListing = Type.Object({
  objects: Type.Array(objectStat),
  cursor: Type.Union([Type.String(), Type.Null()], description('Pass it to go on; null at the end.')),
})
export const QuarantineAction = Type.Object(
  {
    version: Type.Optional(versionId),
    action: Type.Union(
      [Type.Literal('release'), Type.Literal('drop')],
      description('`release`: it is read by whoever may read. `drop`: it is removed for good.'),
    ),
  },
  closed,
)
