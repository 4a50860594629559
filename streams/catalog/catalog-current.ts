import type { Owner } from '../policy/usage.ts'
import { type Entry, parseEntry } from './catalog-entry.ts'
import { indexKeysOf } from './catalog-index.ts'
import { encodeTuple, keyIn } from './catalog-keys.ts'
import { holds, type IndexState } from './index-state.ts'

/* What the fold writes: current entries with their index, and what later records of a batch look up. */

/** Takes what a fold changes, in order: a later operation on a key wins. */
export interface Operations {
  /** Which entries the index holds. */
  readonly index: IndexState
  put(key: string, value: string): unknown
  del(key: string): unknown
  /** An object has another entry now; none before, or none any more. */
  changed(before: Entry | undefined, after: Entry | undefined): unknown
  /** A version that is not current came to be kept, or is kept no more. */
  kept(owner: Owner | undefined, by: 1 | -1): unknown
}

/**
 * Entries as stored, by key: current ones, and those of older versions and hidden objects; undefined for what is not
 * there. The fold keeps it true as it goes, so that a record sees what the one before it did.
 */
export type Heads = Map<string, string | undefined>

export function entryAt(key: string, heads: Heads): Entry | undefined {
  const text = heads.get(key)
  return text === undefined ? undefined : parseEntry(text)
}

/** Makes `entry` the current one under its name; `before` is the same object's, whose index entries it takes over. */
export function bind(key: string, entry: Entry, before: Entry | undefined, heads: Heads, operations: Operations): void {
  const text = JSON.stringify(entry)
  const { object, bucket, key: name } = entry.stat
  if (before === undefined) operations.put(keyIn('n', object), encodeTuple(bucket, name))
  changeIndex(keysIn(operations.index, before), keysIn(operations.index, entry), operations)
  operations.put(key, text)
  operations.changed(before, entry)
  heads.set(key, text)
}

export function unbind(key: string, entry: Entry, heads: Heads, operations: Operations): void {
  changeIndex(keysIn(operations.index, entry), [], operations)
  operations.del(keyIn('n', entry.stat.object))
  operations.del(key)
  operations.changed(entry, undefined)
  heads.set(key, undefined)
}

/** Writes what later records of the batch may look up. */
export function store(key: string, value: object, heads: Heads, operations: Operations): void {
  const text = JSON.stringify(value)
  operations.put(key, text)
  heads.set(key, text)
}

export function erase(key: string, heads: Heads, operations: Operations): void {
  operations.del(key)
  heads.set(key, undefined)
}

/** What the index has of an entry, or is to have. */
function keysIn(index: IndexState, entry: Entry | undefined): readonly string[] {
  return entry !== undefined && holds(index, entry) ? indexKeysOf(entry) : []
}

function changeIndex(before: readonly string[], after: readonly string[], operations: Operations): void {
  if (before.length === 0) {
    for (const key of after) operations.put(key, '')
    return
  }
  const present = new Set(before)
  const kept = new Set(after)
  for (const key of present) if (!kept.has(key)) operations.del(key)
  for (const key of kept) if (!present.has(key)) operations.put(key, '')
}
