import type { IndexProgress } from '../store-port.ts'
import type { Entry } from './catalog-entry.ts'
import { compareUtf8, keyIn } from './catalog-keys.ts'
import type { EntryChange } from './facet-counters.ts'

/*
 * How much of the index there is. It is a function of the current entries, and can be made anew from them while records
 * are folded, page by page, by the one writer of both:
 *
 *   WHOLE ──of another format, or asked for──▶ CLEARING ──no key is left──▶ BUILDING ──no entry is left──▶ WHOLE
 *                                              clear(), of everything ────────▲
 *
 * 1. The index, its counters of facets with it, holds every current entry whose key is `upTo` or below, by its last
 *    state, and no other: all of them once it is whole, none while it is cleared.
 * 2. The state is a part of the position, and so of every batch: whoever opens the catalog goes on where it was.
 */
export interface IndexState {
  /** Of its keys and values. */
  readonly format: number
  readonly phase: IndexProgress['phase']
  /** While it is built, the last current key that it holds; while it is cleared, the last of its own that is gone. */
  readonly upTo: string
  /** While it is built, the entries that it holds. */
  readonly built: number
}

/**
 * Of the spaces f, g, i, o, r, w (catalog-keys.ts); an index of another one is made anew. Whatever changes which keys an
 * entry has, or which attributes are counted, raises it (test/streams/index-format.test.ts).
 */
export const INDEX_FORMAT = 5

const START = { format: INDEX_FORMAT, upTo: '', built: 0 } as const
/** Also the index of nothing. */
export const WHOLE: IndexState = { ...START, phase: 'whole' }
export const CLEARING: IndexState = { ...START, phase: 'clearing' }
export const BUILDING: IndexState = { ...START, phase: 'building' }

/** What an index as it is stored is to this program. */
export function readable(index: IndexState | undefined): IndexState {
  return index?.format === INDEX_FORMAT ? index : CLEARING
}

export function currentKeyOf({ stat: { bucket, key } }: Entry): string {
  return keyIn('c', bucket, key)
}

/** Whether the index has the keys of an entry. */
export function holds({ phase, upTo }: IndexState, entry: Entry): boolean {
  if (phase !== 'building') return phase === 'whole'
  return compareUtf8(currentKeyOf(entry), upTo) <= 0
}

/** What changes are to the index: an entry that it does not hold is none to it. */
export function changesIn(index: IndexState, changes: readonly EntryChange[]): readonly EntryChange[] {
  if (index.phase === 'whole') return changes
  const held = (entry: Entry | undefined) => (entry !== undefined && holds(index, entry) ? entry : undefined)
  return changes.map(({ before, after }) => ({ before: held(before), after: held(after) }))
}

/** By how many entries there are more. */
export function added(changes: readonly EntryChange[]): number {
  return changes.reduce((sum, { before, after }) => sum + Number(after !== undefined) - Number(before !== undefined), 0)
}

/** The state after such changes of what the index holds. */
export function afterChanges(index: IndexState, changes: readonly EntryChange[]): IndexState {
  return index.phase === 'building' ? { ...index, built: index.built + added(changes) } : index
}

export function progressOf({ phase, built }: IndexState, objects: number): IndexProgress {
  return { phase, built: phase === 'whole' ? objects : built, objects }
}

/** As in "the index is being built (43 %)". */
export function percentOf({ built, objects }: IndexProgress): number {
  return objects === 0 ? 100 : Math.floor((100 * built) / objects)
}
