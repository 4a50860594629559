import { plainText, scalarsOf, type TypedText, timeText, typedText } from '../attributes.ts'
import { sequenceText } from '../catalog/catalog-keys.ts'
import type { Attributes } from '../envelope.ts'
import { filterOf, meetsWith } from '../query/query-filter.ts'
import { parseQuery } from '../query/query-parser.ts'
import type { AttributeRecord } from '../records/record.ts'

export type RecordTest = (record: AttributeRecord) => boolean

/**
 * A query asked of records rather than of objects: a record meets it by what it says itself. So a change of attributes
 * has the ones it sets, and not those that its object had before; and only a put has `object.size`. `now` is what `now`
 * means in it, in milliseconds since 1970. Throws ERR_INVALID, with the column, for a text that is no query.
 */
export function recordTest(text: string, now = Date.now()): RecordTest {
  const filter = filterOf(parseQuery(text), now)
  return (record) => meetsWith((name) => valuesOf(record, name), filter)
}

type Read = (record: AttributeRecord) => TypedText | undefined

/** What queries call fields of an object (catalog-entry.ts), and `record.operation`, which only records have. */
const FIELDS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['record.operation', ({ operation }) => plainText(operation)],
  ['principal.application', ({ application }) => plainText(application)],
  ['protocol', ({ protocol }) => plainText(protocol)],
  ['time', ({ time }) => timeText(time)],
  ['object.bucket', (record) => ('bucket' in record ? plainText(record.bucket) : undefined)],
  ['object.key', (record) => ('key' in record ? plainText(record.key) : undefined)],
  ['object.name', (record) => ('key' in record ? plainText(lastSegment(record.key)) : undefined)],
  ['object.size', (record) => (record.operation === 'put' ? typedText(record.size) : undefined)],
  ['object.version', (record) => (record.operation === 'put' ? plainText(sequenceText(record.sequence)) : undefined)],
])

function valuesOf(record: AttributeRecord, name: string): readonly TypedText[] {
  const field = FIELDS.get(name)
  if (field) return [field(record) ?? []].flat()
  const attributes = attributesOf(record)
  const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined
  return value === undefined ? [] : scalarsOf(value).map(typedText)
}

function attributesOf(record: AttributeRecord): Attributes {
  if (record.operation === 'put') return record.attributes
  return record.operation === 'attributes' ? record.set : {}
}

function lastSegment(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}
