import type { Sequence } from '../../pool/index.ts'
import { changed } from '../attributes.ts'
import { StoreError } from '../errors.ts'
import type { Owner } from '../policy/usage.ts'
import type { AttributesRecord, DeleteRecord } from '../records/record.ts'
import { type Older, withChanged, withoutOlder, withoutPromoted } from '../versions/versions.ts'
import { bind, erase, type Heads, type Operations, store, unbind } from './catalog-current.ts'
import { type Entry, ownerOf } from './catalog-entry.ts'
import { invertedText, keyIn } from './catalog-keys.ts'
import type { HiddenHead, OlderVersion } from './catalog-port.ts'

/* The part of the fold that deals with what is kept and not current. A record that finds nothing changes nothing. */

type Last = Entry['last']

export function olderKey(object: string, version: Sequence): string {
  return keyIn('v', object, invertedText(version))
}

function hiddenKey({ bucket, key, marker }: Pick<HiddenHead, 'bucket' | 'key' | 'marker'>): string {
  return keyIn('d', bucket, key, invertedText(marker))
}

/** The version that was current is one of the older ones from now on. */
export function keepVersion(
  { stat, protocol, application, kept }: Entry,
  since: number,
  heads: Heads,
  operations: Operations,
): void {
  operations.kept({ application, bytes: stat.size }, 1)
  const version: OlderVersion = { stat, protocol, application, ...(kept && { kept }), since }
  store(olderKey(stat.object, stat.sequence), version, heads, operations)
}

/** An older version is kept no more, or is the current one again. */
export function eraseOlder(
  object: string,
  version: Sequence,
  owner: Owner | undefined,
  heads: Heads,
  operations: Operations,
): void {
  operations.kept(owner, -1)
  erase(olderKey(object, version), heads, operations)
}

/** The object is under a delete marker, which is `record`. */
export function hide(
  { object, bucket, key, sequence, time, protocol, application }: DeleteRecord,
  last: Last,
  { older, stream }: Pick<HiddenHead, 'older' | 'stream'>,
  heads: Heads,
  operations: Operations,
): void {
  const head: HiddenHead = { object, bucket, key, marker: sequence, time, protocol, application, last, older, stream }
  store(keyIn('h', object), head, heads, operations)
  operations.put(hiddenKey(head), object)
}

/** A version, or a marker, is gone for good. `before` is the object's current entry. */
export function foldVersionDelete(
  record: DeleteRecord,
  last: Last,
  before: Entry | undefined,
  heads: Heads,
  operations: Operations,
): void {
  const { object, version = 0 } = record
  const hidden = hiddenAt(object, heads)
  if (before?.stat.sequence === version) replaceCurrent(record, last, before, heads, operations)
  else if (hidden?.marker === version) unhide(record, last, hidden, heads, operations)
  else {
    const text = heads.get(olderKey(object, version))
    if (text === undefined) return
    eraseOlder(object, version, ownerOf(parseOlder(text)), heads, operations)
    changeHead(before, hidden, last, (older) => older && withoutOlder(older, version), heads, operations)
  }
}

function replaceCurrent(record: DeleteRecord, last: Last, before: Entry, heads: Heads, operations: Operations): void {
  const key = keyIn('c', record.bucket, record.key)
  const next = nextOf(record, heads)
  if (next === undefined) {
    unbind(key, before, heads, operations)
  } else {
    eraseOlder(record.object, next.stat.sequence, ownerOf(next), heads, operations)
    bind(key, promoted(next, record, last, before), before, heads, operations)
  }
}

function unhide(record: DeleteRecord, last: Last, hidden: HiddenHead, heads: Heads, operations: Operations): void {
  erase(keyIn('h', record.object), heads, operations)
  operations.del(hiddenKey(hidden))
  const next = nextOf(record, heads)
  if (next === undefined) return
  eraseOlder(record.object, next.stat.sequence, ownerOf(next), heads, operations)
  const key = keyIn('c', record.bucket, record.key)
  bind(key, promoted(next, record, last, hidden), undefined, heads, operations)
}

/** An older version as the current one again. */
function promoted(
  { stat, protocol, application, kept }: OlderVersion,
  { bucket, key }: DeleteRecord,
  last: Last,
  { older: before, stream }: Pick<HiddenHead, 'older' | 'stream'>,
): Entry {
  const older = withoutPromoted(before, stat.sequence, stat.attributes)
  return {
    stat: { ...stat, bucket, key },
    last,
    protocol,
    application,
    ...(kept && { kept }),
    ...(older && { older }),
    ...(stream && { stream }),
  }
}

/** The attributes of an older version change. */
export function foldVersionAttributes(
  record: AttributesRecord,
  last: Last,
  before: Entry | undefined,
  heads: Heads,
  operations: Operations,
): void {
  const { object, version = 0 } = record
  const key = olderKey(object, version)
  const text = heads.get(key)
  if (text === undefined) return
  const was = parseOlder(text)
  const attributes = changed(was.stat.attributes, record)
  store(key, { ...was, stat: { ...was.stat, attributes } }, heads, operations)
  const change = (older?: Older) => withChanged(older, version, was.stat.attributes, attributes)
  changeHead(before, hiddenAt(object, heads), last, change, heads, operations)
}

/** The head of an object, live or hidden, learns what became of an older version. */
function changeHead(
  live: Entry | undefined,
  hidden: HiddenHead | undefined,
  last: Last,
  change: (older: Older | undefined) => Older | undefined,
  heads: Heads,
  operations: Operations,
): void {
  if (live) {
    const key = keyIn('c', live.stat.bucket, live.stat.key)
    bind(key, { ...live, last, older: change(live.older) }, live, heads, operations)
  } else if (hidden) {
    store(keyIn('h', hidden.object), { ...hidden, last, older: change(hidden.older) }, heads, operations)
  }
}

function nextOf({ object, current }: DeleteRecord, heads: Heads): OlderVersion | undefined {
  const text = current === undefined ? undefined : heads.get(olderKey(object, current))
  return text === undefined ? undefined : parseOlder(text)
}

function hiddenAt(object: string, heads: Heads): HiddenHead | undefined {
  const text = heads.get(keyIn('h', object))
  return text === undefined ? undefined : parseHidden(text)
}

/** As the fold wrote it; throws ERR_CORRUPT for anything else. */
export function parseOlder(text: string): OlderVersion {
  const version = parse(text) as OlderVersion
  if (typeof version.stat?.object !== 'string') throw damaged()
  return version
}

/** As the fold wrote it; throws ERR_CORRUPT for anything else. */
export function parseHidden(text: string): HiddenHead {
  const head = parse(text) as HiddenHead
  if (typeof head.object !== 'string' || typeof head.marker !== 'number') throw damaged()
  return head
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    throw damaged()
  }
}

function damaged(): StoreError {
  return new StoreError('ERR_CORRUPT', 'an entry of the catalog is damaged')
}
