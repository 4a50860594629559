import { type Entry, indexKeysOf, parseEntry } from './catalog-entry.ts'
import { encodeTuple, keyIn, sequenceText } from './catalog-keys.ts'
import type { DurableRecord } from './catalog-port.ts'
import type { Attributes } from './envelope.ts'
import type {
  ApplicationRecord,
  AttributeRecord,
  AttributesRecord,
  DeleteRecord,
  PutRecord,
  RenameRecord,
} from './record.ts'

/*
 * The fold of the records, pure: current entries and a record in, operations on `level` out.
 *
 * 1. A name has at most one current entry, and an object at most one name.
 * 2. The index holds indexKeysOf() of every current entry, and nothing else.
 * 3. A record changes the current entry of its own object only. One that finds another object, or none, under its
 *    name is kept in its object's stream and changes nothing else; a put binds its name to its object in any case.
 * 4. Records of an object leave the stream never, whatever becomes of its name.
 */

/** Takes what a fold changes, in order: a later operation on a key wins. A chained batch of `level` is one. */
export interface Operations {
  put(key: string, value: string): unknown
  del(key: string): unknown
}

/**
 * Current entries as stored, by current key; undefined for a name that is not bound. The fold keeps it true as it
 * goes, so that a record sees what the one before it did.
 */
export type Heads = Map<string, string | undefined>

type Last = Entry['last']

/** The current keys that fold() looks up for a record. */
export function headKeysOf(record: AttributeRecord): readonly string[] {
  switch (record.operation) {
    case 'put':
    case 'delete':
    case 'attributes':
      return [keyIn('c', record.bucket, record.key)]
    case 'rename':
      return [keyIn('c', record.from.bucket, record.from.key), keyIn('c', record.bucket, record.key)]
    default:
      return []
  }
}

/** Folds one record. `heads` holds every key of headKeysOf(record). */
export function fold({ record, digest }: DurableRecord, heads: Heads, operations: Operations): void {
  const last = { sequence: record.sequence, digest }
  if ('object' in record) operations.put(keyIn('s', record.object, sequenceText(record.sequence)), '')
  switch (record.operation) {
    case 'put':
      foldPut(record, last, heads, operations)
      break
    case 'delete':
      foldDelete(record, heads, operations)
      break
    case 'attributes':
      foldAttributes(record, last, heads, operations)
      break
    case 'rename':
      foldRename(record, last, heads, operations)
      break
    case 'bucket':
      operations.put(keyIn('b', record.bucket), '')
      break
    case 'application':
      foldApplication(record, operations)
      break
  }
}

function foldPut(record: PutRecord, last: Last, heads: Heads, operations: Operations): void {
  const key = keyIn('c', record.bucket, record.key)
  const bound = entryAt(key, heads)
  const before = bound?.stat.object === record.object ? bound : undefined
  if (bound !== undefined && before === undefined) unbind(key, bound, heads, operations)
  bind(key, entryOf(record, last), before, heads, operations)
}

function entryOf(record: PutRecord, last: Last): Entry {
  const { sequence, object, bucket, key, size, digests, time, attributes, protocol, application } = record
  const version = sequenceText(sequence)
  return {
    stat: { object, bucket, key, version, sequence, size, digests, time, attributes },
    last,
    protocol,
    application,
  }
}

function foldDelete(record: DeleteRecord, heads: Heads, operations: Operations): void {
  const key = keyIn('c', record.bucket, record.key)
  const before = entryAt(key, heads)
  if (before?.stat.object === record.object) unbind(key, before, heads, operations)
}

function foldAttributes(record: AttributesRecord, last: Last, heads: Heads, operations: Operations): void {
  const key = keyIn('c', record.bucket, record.key)
  const before = entryAt(key, heads)
  if (before?.stat.object !== record.object) return
  const attributes = changed(before.stat.attributes, record)
  bind(key, { ...before, last, stat: { ...before.stat, attributes } }, before, heads, operations)
}

function changed(attributes: Attributes, { set, unset }: AttributesRecord): Attributes {
  const kept = Object.entries(attributes).filter(([name]) => !unset.includes(name))
  return { ...Object.fromEntries(kept), ...set }
}

function foldRename(record: RenameRecord, last: Last, heads: Heads, operations: Operations): void {
  const { bucket, key: name, from } = record
  const source = keyIn('c', from.bucket, from.key)
  const target = keyIn('c', bucket, name)
  const before = entryAt(source, heads)
  if (before?.stat.object !== record.object) return
  if (source !== target) {
    const replaced = entryAt(target, heads)
    if (replaced !== undefined) unbind(target, replaced, heads, operations)
    operations.del(source)
    heads.set(source, undefined)
    operations.put(keyIn('n', record.object), encodeTuple(bucket, name))
  }
  bind(target, { ...before, last, stat: { ...before.stat, bucket, key: name } }, before, heads, operations)
}

function foldApplication({ id, registration }: ApplicationRecord, operations: Operations): void {
  if (registration === null) operations.del(keyIn('a', id))
  else operations.put(keyIn('a', id), JSON.stringify(registration))
}

function entryAt(key: string, heads: Heads): Entry | undefined {
  const text = heads.get(key)
  return text === undefined ? undefined : parseEntry(text)
}

/** Makes `entry` the current one under its name; `before` is the same object's, whose index entries it takes over. */
function bind(key: string, entry: Entry, before: Entry | undefined, heads: Heads, operations: Operations): void {
  const text = JSON.stringify(entry)
  const { object, bucket, key: name } = entry.stat
  if (before === undefined) operations.put(keyIn('n', object), encodeTuple(bucket, name))
  changeIndex(before === undefined ? [] : indexKeysOf(before), indexKeysOf(entry), operations)
  operations.put(key, text)
  heads.set(key, text)
}

function unbind(key: string, entry: Entry, heads: Heads, operations: Operations): void {
  changeIndex(indexKeysOf(entry), [], operations)
  operations.del(keyIn('n', entry.stat.object))
  operations.del(key)
  heads.set(key, undefined)
}

function changeIndex(before: readonly string[], after: readonly string[], operations: Operations): void {
  const present = new Set(before)
  const kept = new Set(before.length === 0 ? [] : after)
  for (const key of present) if (!kept.has(key)) operations.del(key)
  for (const key of after) if (present.size === 0 || !present.has(key)) operations.put(key, '')
}
