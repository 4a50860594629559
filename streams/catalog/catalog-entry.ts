import { plainText, scalarsOf, type TypedText, timeText, typedText } from '../attributes.ts'
import type { Protocol } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import type { Owner } from '../policy/usage.ts'
import type { ObjectHead } from './catalog-port.ts'

/** What the catalog keeps of a current object. */
export interface Entry extends ObjectHead {
  /** Of the put. */
  readonly protocol: Protocol
}

/** Whose a version is, and what it takes. */
export function ownerOf({ stat: { size }, application }: Pick<Entry, 'stat' | 'application'>): Owner {
  return { application, bytes: size }
}

type Field = (entry: Entry) => TypedText

/** Fields of the record, which queries name like attributes. They hide an attribute of the same name. */
export const FIELDS: ReadonlyMap<string, Field> = new Map<string, Field>([
  ['object.bucket', ({ stat }) => plainText(stat.bucket)],
  ['object.key', ({ stat }) => plainText(stat.key)],
  ['object.name', ({ stat }) => plainText(lastSegment(stat.key))],
  ['object.size', ({ stat }) => typedText(stat.size)],
  ['object.version', ({ stat }) => plainText(stat.version)],
  ['principal.application', (entry) => plainText(entry.application)],
  ['protocol', (entry) => plainText(entry.protocol)],
  ['time', ({ stat }) => timeText(stat.time)],
])

function lastSegment(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}

/** Every value that an entry has under a name, whether it is indexed or not. */
export function valuesOf(entry: Entry, name: string): readonly TypedText[] {
  const field = FIELDS.get(name)
  if (field !== undefined) return [field(entry)]
  const value = Object.hasOwn(entry.stat.attributes, name) ? entry.stat.attributes[name] : undefined
  return value === undefined ? [] : scalarsOf(value).map(typedText)
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
