import type { Sequence } from '../../pool/index.ts'
import { streamAfter } from '../appending/stream-state.ts'
import { changed } from '../attributes.ts'
import type { ObjectName } from '../envelope.ts'
import { partialOf } from '../partials/partial-state.ts'
import type {
  AppendRecord,
  ApplicationRecord,
  AttributeRecord,
  AttributesRecord,
  BucketRecord,
  DeleteRecord,
  PutRecord,
  RenameRecord,
  RouteRecord,
} from '../records/record.ts'
import { leavesMarker, type Older, type Standing, supersede } from '../versions/versions.ts'
import { bind, entryAt, type Heads, type Operations, unbind } from './catalog-current.ts'
import { type Entry, ownerOf } from './catalog-entry.ts'
import { foldDelivery, foldSubscription, subscriptionKey } from './catalog-fold-subscriptions.ts'
import {
  eraseOlder,
  foldVersionAttributes,
  foldVersionDelete,
  hide,
  keepVersion,
  olderKey,
} from './catalog-fold-versions.ts'
import { encodeTuple, keyIn, sequenceText } from './catalog-keys.ts'
import type { DurableRecord } from './catalog-port.ts'

/*
 * The fold of the records, pure: current entries and a record in, operations on `level` out.
 *
 * 1. A name has at most one current entry, and an object at most one name.
 * 2. The index holds indexKeysOf() of every current entry that it holds at all (index-state.ts), and nothing else.
 * 3. A record changes the current entry of its own object only. One that finds another object, or none, under its
 *    name is kept in its object's stream and changes nothing else; a put binds its name to its object in any case.
 * 4. Records of an object leave the stream never, whatever becomes of its name.
 */

type Last = Entry['last']

/** The keys that fold() looks up for a record. */
export function headKeysOf(record: AttributeRecord): readonly string[] {
  switch (record.operation) {
    case 'put':
    case 'append':
      return [keyIn('c', record.bucket, record.key)]
    case 'delete':
      return [keyIn('c', record.bucket, record.key), ...versionKeysOf(record.object, record.version, record.current)]
    case 'attributes':
      return [keyIn('c', record.bucket, record.key), ...versionKeysOf(record.object, record.version)]
    case 'rename':
      return [keyIn('c', record.from.bucket, record.from.key), keyIn('c', record.bucket, record.key)]
    case 'subscription':
    case 'delivery':
      return [subscriptionKey(record.id)]
    default:
      return []
  }
}

function versionKeysOf(object: string, version?: Sequence, current?: Sequence): readonly string[] {
  if (version === undefined) return []
  const next = current === undefined ? [] : [olderKey(object, current)]
  return [keyIn('h', object), olderKey(object, version), ...next]
}

/** Folds one record. `heads` holds every key of headKeysOf(record). */
export function fold({ record, digest }: DurableRecord, heads: Heads, operations: Operations): void {
  const last = { sequence: record.sequence, digest }
  if ('object' in record) operations.put(keyIn('s', record.object, sequenceText(record.sequence)), '')
  switch (record.operation) {
    case 'put':
      foldPut(record, last, heads, operations)
      if (record.prepared !== undefined) operations.del(partialKey(record.application, record))
      break
    case 'delete':
      foldDelete(record, last, heads, operations)
      break
    case 'attributes':
      foldAttributes(record, last, heads, operations)
      break
    case 'append':
      foldAppend(record, last, heads, operations)
      break
    case 'rename':
      foldRename(record, last, heads, operations)
      break
    case 'bucket':
      foldBucket(record, operations)
      break
    case 'application':
      foldRegistration('a', record, operations)
      break
    case 'route':
      foldRegistration('e', record, operations)
      break
    case 'subscription':
      foldSubscription(record, heads, operations)
      break
    case 'delivery':
      foldDelivery(record, heads, operations)
      break
    case 'prepare':
      operations.put(partialKey(record.application, record), JSON.stringify(partialOf(record)))
      break
    case 'abandon':
      operations.del(partialKey(record.owner, record))
      break
    case 'key':
      operations.put(keyIn('k', sequenceText(record.sequence)), '')
      break
    case 'checkpoint':
      operations.put(keyIn('t', sequenceText(record.covers.last)), sequenceText(record.sequence))
      break
  }
}

/** Of an application there is one partial upload under a name. */
function partialKey(application: string, { bucket, key }: ObjectName): string {
  return keyIn('x', application, bucket, key)
}

function foldPut(record: PutRecord, last: Last, heads: Heads, operations: Operations): void {
  const key = keyIn('c', record.bucket, record.key)
  const bound = entryAt(key, heads)
  const before = bound?.stat.object === record.object ? bound : undefined
  if (bound !== undefined && before === undefined) unbind(key, bound, heads, operations)
  const after = before && supersede(standingOf(before), record.versioning)
  if (before && after?.keeps) keepVersion(before, record.time, heads, operations)
  if (after?.drops) eraseOlder(record.object, after.drops.version, after.drops.owner, heads, operations)
  const stream = before?.stream
  bind(key, { ...entryOf(record, last, after?.older), ...(stream && { stream }) }, before, heads, operations)
}

function entryOf(record: PutRecord, last: Last, older: Older | undefined): Entry {
  const { sequence, object, bucket, key, size, digests, time, attributes, protocol, application, versioning } = record
  const version = sequenceText(sequence)
  return {
    stat: { object, bucket, key, version, sequence, size, digests, time, attributes },
    last,
    protocol,
    application,
    ...(versioning === 'enabled' && { kept: true as const }),
    ...(older && { older }),
  }
}

function standingOf(entry: Entry): Standing {
  const { stat, kept, older } = entry
  return { version: stat.sequence, attributes: stat.attributes, kept, older, owner: ownerOf(entry) }
}

function foldDelete(record: DeleteRecord, last: Last, heads: Heads, operations: Operations): void {
  const key = keyIn('c', record.bucket, record.key)
  const bound = entryAt(key, heads)
  const before = bound?.stat.object === record.object ? bound : undefined
  if (record.version !== undefined) foldVersionDelete(record, last, before, heads, operations)
  else if (before !== undefined) foldRemoval(record, last, before, heads, operations)
}

function foldRemoval(record: DeleteRecord, last: Last, before: Entry, heads: Heads, operations: Operations): void {
  const key = keyIn('c', record.bucket, record.key)
  unbind(key, before, heads, operations)
  const after = supersede(standingOf(before), record.versioning)
  if (after.drops) eraseOlder(record.object, after.drops.version, after.drops.owner, heads, operations)
  if (after.keeps) keepVersion(before, record.time, heads, operations)
  if (record.versioning !== undefined && leavesMarker(after))
    hide(record, last, { ...before, older: after.older }, heads, operations)
}

function foldAttributes(record: AttributesRecord, last: Last, heads: Heads, operations: Operations): void {
  const key = keyIn('c', record.bucket, record.key)
  const bound = entryAt(key, heads)
  const before = bound?.stat.object === record.object ? bound : undefined
  if (record.version !== undefined && record.version !== before?.stat.sequence) {
    foldVersionAttributes(record, last, before, heads, operations)
  } else if (before !== undefined) {
    const attributes = changed(before.stat.attributes, record)
    const after = { ...before, last, stat: { ...before.stat, attributes }, ...streamed(before, record) }
    bind(key, after, before, heads, operations)
  }
}

function foldAppend(record: AppendRecord, last: Last, heads: Heads, operations: Operations): void {
  const key = keyIn('c', record.bucket, record.key)
  const before = entryAt(key, heads)
  if (before?.stat.object !== record.object) return
  bind(key, { ...before, last, ...streamed(before, record) }, before, heads, operations)
}

function streamed({ stream: before }: Entry, record: AppendRecord | AttributesRecord): Pick<Entry, 'stream'> {
  const stream = streamAfter(before, record, record.sequence)
  return stream ? { stream } : {}
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

function foldBucket({ bucket, settings }: BucketRecord, operations: Operations): void {
  operations.put(keyIn('b', bucket), settings === undefined ? '' : JSON.stringify(settings))
}

function foldRegistration(
  space: 'a' | 'e',
  { id, registration }: ApplicationRecord | RouteRecord,
  operations: Operations,
): void {
  if (registration === null) operations.del(keyIn(space, id))
  else operations.put(keyIn(space, id), JSON.stringify(registration))
}
