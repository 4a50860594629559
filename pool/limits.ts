import assert from 'node:assert/strict'
import type { AtomicWriteLimits, Limits } from './device.ts'

/*
 * What a stack of devices may promise, by the rules of Linux (block/blk-settings.c, blk_validate_atomic_write_limits
 * and blk_stack_atomic_writes_limits): the lowest that all have in common, and of atomic writes nothing at all as soon
 * as one test fails. Native atomicity is never needed for safety, so here doubt always answers "none".
 */

export type StackLayout = 'concat' | 'stripe' | 'mirror'

export interface StackMember {
  /** Of the part of the member that is used; its size is counted whole. */
  readonly limits: Limits
  /** Where that part begins in the device of which `limits` speaks. */
  readonly start: number
}

/** What a device says of itself, in the words of sysfs (`queue/atomic_write_*`) and not yet believed. */
export interface AtomicWriteClaim extends AtomicWriteLimits {
  /** atomic_write_max_bytes: the largest request made of several writes that is still atomic. */
  readonly max: number
}

/** What a queue allows to one request. */
export interface RequestLimits {
  readonly requestBytesMax: number
  /** A request never crosses a multiple of this (queue/chunk_sectors); 0 for none. */
  readonly chunk: number
}

/**
 * The atomic writes of a single device, or undefined when its claims contradict each other.
 *
 * `max` is not kept: it bounds requests that were merged from several writes, and a Device merges none.
 */
export function validateAtomicWrite(claim: AtomicWriteClaim, request: RequestLimits): AtomicWriteLimits | undefined {
  const { unitMin, unitMax, max, boundary } = claim
  const { requestBytesMax, chunk } = request
  const sound =
    isPowerOfTwo(unitMin) &&
    isPowerOfTwo(unitMax) &&
    unitMax <= max &&
    (chunk === 0 || max <= chunk) &&
    (boundary === 0 || (isPowerOfTwo(boundary) && max <= boundary && inMultipleRelation(boundary, chunk)))
  return sound ? withinRequest({ unitMin, unitMax, boundary }, requestBytesMax) : undefined
}

/** The limits of a stack of at least one member. A stripe needs its unit; of stacks in a stack, the inner comes first. */
export function stackLimits(layout: StackLayout, members: readonly StackMember[], stripeUnit?: number): Limits {
  assert(members.length > 0, 'a stack has members')
  assert(layout !== 'stripe' || (stripeUnit !== undefined && stripeUnit > 0), 'a stripe has a unit')
  const chunk = layout === 'stripe' ? stripeUnit! : 0
  const all = members.map(({ limits }) => limits)
  const logicalBlockSize = Math.max(...all.map((limits) => limits.logicalBlockSize))
  // A larger request would be split between members, so the stack does not take it as one.
  const requestBytesMax = Math.min(...all.map((limits) => limits.requestBytesMax), chunk || Number.POSITIVE_INFINITY)
  const stacked: Limits = {
    size: stackSize(
      layout,
      all.map(({ size }) => size),
      chunk,
    ),
    logicalBlockSize,
    physicalBlockSize: Math.max(...all.map((limits) => limits.physicalBlockSize)),
    writeCache: all.some(({ writeCache }) => writeCache === 'write-back') ? 'write-back' : 'write-through',
    flushable: all.every(({ flushable }) => flushable),
    requestBytesMax: roundDown(requestBytesMax, logicalBlockSize),
  }
  const atomicWrite = stackAtomicWrite(membersInStack(layout, members), chunk, stacked.requestBytesMax)
  return atomicWrite ? { ...stacked, atomicWrite } : stacked
}

/** Bytes that a stack of members of these sizes holds. */
export function stackSize(layout: StackLayout, sizes: readonly number[], chunk = 1): number {
  if (layout === 'concat') return sizes.reduce((sum, size) => sum + size, 0)
  const smallest = Math.min(...sizes)
  return layout === 'stripe' ? sizes.length * roundDown(smallest, chunk) : smallest
}

interface Placed {
  readonly atomicWrite: AtomicWriteLimits | undefined
  /** Offsets that a write's own must be aligned with for it to be aligned on the member, too. */
  readonly offsets: readonly number[]
}

/** A concat shifts each later member by the sizes before it; elsewhere only the member's own start counts. */
function membersInStack(layout: StackLayout, members: readonly StackMember[]): Placed[] {
  let join = 0
  return members.map(({ limits, start }) => {
    const offsets = layout === 'concat' ? [start, join] : [start]
    join += limits.size
    return { atomicWrite: limits.atomicWrite, offsets }
  })
}

/** blk_stack_atomic_writes_limits, member after member. */
function stackAtomicWrite(
  members: readonly Placed[],
  chunk: number,
  requestBytesMax: number,
): AtomicWriteLimits | undefined {
  let top: AtomicWriteLimits | undefined
  for (const { atomicWrite: bottom, offsets } of members) {
    // One member without support, or one on which an atomic write would not be aligned: none for the whole.
    if (!bottom || !offsets.every((offset) => isStartAligned(offset, bottom))) return undefined
    const next = top ? stackTail(top, bottom) : stackHead(bottom, chunk)
    top = next && withinPowersOfTwo(next, [chunk, ...offsets])
    if (!top) return undefined
  }
  return top && withinRequest(top, requestBytesMax)
}

/** blk_atomic_write_start_sect_aligned. */
const isStartAligned = (start: number, { unitMin, boundary }: AtomicWriteLimits): boolean =>
  start % Math.max(unitMin, boundary) === 0

/** blk_stack_atomic_writes_head: the first member's limits, when its boundary fits the chunk. */
const stackHead = (bottom: AtomicWriteLimits, chunk: number): AtomicWriteLimits | undefined =>
  inMultipleRelation(bottom.boundary, chunk) ? bottom : undefined

/** blk_stack_atomic_writes_tail: "We're not going to support different boundary sizes.. yet". */
function stackTail(top: AtomicWriteLimits, bottom: AtomicWriteLimits): AtomicWriteLimits | undefined {
  if (top.boundary !== bottom.boundary) return undefined
  const unitMin = Math.max(top.unitMin, bottom.unitMin)
  const unitMax = Math.min(top.unitMax, bottom.unitMax)
  return orNone({ unitMin, unitMax, boundary: top.boundary })
}

/**
 * blk_stack_atomic_writes_chunk_sectors: no larger than the largest power of two that divides the chunk, so that no
 * unit lies across two members. The same holds for the offsets of members: a unit aligned to its length in the stack
 * must be aligned to it on the member, or pwritev2(2) refuses it there.
 */
function withinPowersOfTwo(limits: AtomicWriteLimits, divided: readonly number[]): AtomicWriteLimits | undefined {
  const factors = divided.filter((value) => value > 0).map(powerOfTwoFactor)
  return orNone({ ...limits, unitMax: Math.min(limits.unitMax, ...factors) })
}

/** blk_atomic_writes_update_limits: an atomic write is one request. */
function withinRequest(limits: AtomicWriteLimits, requestBytesMax: number): AtomicWriteLimits | undefined {
  const largest = 2 ** Math.floor(Math.log2(requestBytesMax))
  return orNone({ ...limits, unitMax: Math.min(limits.unitMax, largest) })
}

/**
 * A least unit above the largest is none: "Can't support this", as the tail says. Where a chunk or a request does it,
 * Linux lowers the least unit as well, below what a member takes, and such writes fail there; we say none.
 */
const orNone = (limits: AtomicWriteLimits): AtomicWriteLimits | undefined =>
  limits.unitMin <= limits.unitMax ? limits : undefined

/** blk_valid_atomic_writes_boundary: of a boundary and a chunk, where both are, one is a multiple of the other. */
export const inMultipleRelation = (boundary: number, chunk: number): boolean =>
  boundary === 0 || chunk === 0 || Math.max(boundary, chunk) % Math.min(boundary, chunk) === 0

export const isPowerOfTwo = (value: number): boolean =>
  Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value))

/** The largest power of two that divides `value`; in arithmetic, because bits end at 32. */
export function powerOfTwoFactor(value: number): number {
  assert(Number.isSafeInteger(value) && value > 0)
  let factor = 1
  while (value % (factor * 2) === 0) factor *= 2
  return factor
}

const roundDown = (value: number, unit: number): number => Math.floor(value / unit) * unit
