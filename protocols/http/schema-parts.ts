import { Type } from 'typebox'

export const description = (text: string) => ({ description: text })
export const closed = { additionalProperties: false }
export const sequence = Type.Integer({ minimum: 0 })
export const recordId = Type.String({ pattern: '^\\d{16}$', ...description('The sequence of a record, in 16 digits.') })
export const digests = Type.Object({
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  crc32c: Type.String({ pattern: '^[0-9a-f]{8}$' }),
})
export const attributeValue = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String())])
export const attributes = Type.Record(Type.String(), attributeValue)
export const userAttributeName = '^user\\.[^\\s]{1,250}$'
export const name = Type.Object({ bucket: Type.String(), key: Type.String() }, closed)
/** No Type.Integer: of a query's 1.5 that would make 1. */
export const count = (maximum: number) => Type.Number({ minimum: 1, maximum, multipleOf: 1, default: maximum })
export const limitMax = 1000
export const facetValuesMax = 1000
export const receipt = {
  object: recordId,
  bucket: Type.String(),
  key: Type.String(),
  version: recordId,
  sequence,
  size: Type.Integer({ minimum: 0 }),
  digests,
}
export const objectStat = Type.Object({
  ...receipt,
  time: Type.Integer(description('Milliseconds since 1970 of the upload.')),
  attributes,
})
export const versionId = Type.String(description('A version by its id, 16 digits; the current one by default.'))
export const milliseconds = Type.Integer(description('Milliseconds since 1970.'))
