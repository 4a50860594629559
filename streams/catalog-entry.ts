import {
  indexedPart,
  plainText,
  type ScalarType,
  scalarsOf,
  type TypedText,
  timeText,
  typedText,
} from './attributes.ts'
import { indexKey, indexPrefix, indexSuffix, keyIn } from './catalog-keys.ts'
import type { ObjectHead } from './catalog-port.ts'
import type { Protocol } from './envelope.ts'
import { StoreError } from './errors.ts'

/** What the catalog keeps of a current object. */
export interface Entry extends ObjectHead {
  /** Of the put. */
  readonly protocol: Protocol
  readonly application: string
}

interface Field {
  readonly type: ScalarType
  read(entry: Entry): TypedText
}

/** Attributes indexed of one object, in the order of their names; the others are stored only. */
export const INDEXED_ATTRIBUTES_MAX = 64
/** Elements indexed of all lists of one object together. */
export const INDEXED_ELEMENTS_MAX = 64
/** A longer name is stored only. */
export const INDEXED_NAME_BYTES_MAX = 256

/** `object.bucket` is not in the index: the current entries are in its order. */
const BUCKET: Field = { type: 'string', read: ({ stat }) => plainText(stat.bucket) }

const INDEXED_FIELDS: ReadonlyMap<string, Field> = new Map([
  ['object.key', { type: 'string', read: ({ stat }) => plainText(stat.key) }],
  ['object.name', { type: 'string', read: ({ stat }) => plainText(lastSegment(stat.key)) }],
  ['object.size', { type: 'number', read: ({ stat }) => typedText(stat.size) }],
  ['object.version', { type: 'string', read: ({ stat }) => plainText(stat.version) }],
  ['principal.application', { type: 'string', read: (entry) => plainText(entry.application) }],
  ['protocol', { type: 'string', read: (entry) => plainText(entry.protocol) }],
  ['time', { type: 'time', read: ({ stat }) => timeText(stat.time) }],
])

/** Fields of the record, which queries name like attributes. They hide an attribute of the same name. */
export const FIELDS: ReadonlyMap<string, Field> = new Map([['object.bucket', BUCKET], ...INDEXED_FIELDS])

const FIELD_PREFIXES = [...INDEXED_FIELDS].map(([name, field]) => [indexPrefix(name), field] as const)

function lastSegment(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}

/** Every value that an entry has under a name, whether it is indexed or not. */
export function valuesOf(entry: Entry, name: string): readonly TypedText[] {
  const field = FIELDS.get(name)
  if (field !== undefined) return [field.read(entry)]
  const value = Object.hasOwn(entry.stat.attributes, name) ? entry.stat.attributes[name] : undefined
  return value === undefined ? [] : scalarsOf(value).map(typedText)
}

/**
 * The index keys of an entry: one for each field and value, up to the bounds above, and one more when there are more
 * values than that. They can be told from the entry alone: attributes are chosen by name, never by history.
 */
export function indexKeysOf(entry: Entry): readonly string[] {
  const { object, attributes } = entry.stat
  const suffix = indexSuffix(object)
  const keys = FIELD_PREFIXES.map(([prefix, field]) => indexKey(prefix, indexedPart(field.read(entry)), suffix))
  const names = Object.keys(attributes).filter((name) => !FIELDS.has(name) && isIndexed(name))
  let elements = 0
  for (const name of names.sort().slice(0, INDEXED_ATTRIBUTES_MAX)) {
    const prefix = indexPrefix(name)
    const value = attributes[name] ?? []
    const isList = typeof value === 'object'
    for (const scalar of scalarsOf(value)) {
      if (isList) elements += 1
      if (isList && elements > INDEXED_ELEMENTS_MAX) break
      keys.push(indexKey(prefix, indexedPart(typedText(scalar)), suffix))
    }
  }
  if (names.length > INDEXED_ATTRIBUTES_MAX || elements > INDEXED_ELEMENTS_MAX) keys.push(keyIn('o', object))
  return keys
}

/** Whether values under a name lead to entries through the index. */
export function isIndexed(name: string): boolean {
  if (FIELDS.has(name)) return INDEXED_FIELDS.has(name)
  return name.length * 3 <= INDEXED_NAME_BYTES_MAX || Buffer.byteLength(name) <= INDEXED_NAME_BYTES_MAX
}

/** An entry as the fold wrote it; throws ERR_CORRUPT for anything else. */
export function parseEntry(text: string): Entry {
  try {
    const entry = JSON.parse(text) as Entry
    if (typeof entry.stat.object === 'string' && typeof entry.last.sequence === 'number') return entry
  } catch {
    // Told below, without the text.
  }
  throw new StoreError('ERR_CORRUPT', 'an entry of the catalog is damaged')
}
