import { Allocator } from './allocator.ts'
import { PoolError } from './errors.ts'
import { chooseFormat, type Format } from './format.ts'
import { columnsOf, type Geometry, isStriped, type LayoutName, regionClass } from './geometry.ts'
import { poolBytes } from './layout-refusals.ts'
import { stackSize } from './limits.ts'
import type { MemberFacts } from './member-facts.ts'
import { checkPoolRequest, mirrorsOf, type PoolRequest, stripeUnitOf } from './pool-request.ts'
import { acceptedCodes } from './refusal.ts'
import type { Guard } from './superblock.ts'
import { memberZonesOf, Zones } from './zones.ts'

/** How a pool is to be: all that a PoolRequest says, with a default for each, and nothing that the members settle. */
export type PoolOptions = Partial<Omit<PoolRequest, 'unitBytes' | 'segmentBytes'>>

const DEFAULTS = {
  atomicity: 'enforced',
  layout: 'concat',
  accept: [],
  acknowledge: 'after-flush',
  mirrorAcknowledge: 'all',
  native: 'off',
  discard: false,
  io: 'auto',
} as const satisfies PoolOptions

/** The request that is judged. ERR_LIMITS where it makes no sense. */
export function requestOf(options: PoolOptions, members: readonly MemberFacts[]): PoolRequest {
  const smallest = formatOf(0, options)
  const request: PoolRequest = { ...DEFAULTS, ...options, ...sizesOf(smallest) }
  checkPoolRequest(request, members.length)
  return { ...request, ...sizesOf(formatOf(poolBytes(request, members) ?? 0, options)) }
}

const formatOf = (bytes: number, { atomicUnit }: PoolOptions): Format => ({
  ...chooseFormat(bytes),
  ...(atomicUnit !== undefined && { blockBytes: atomicUnit }),
})

const sizesOf = ({ blockBytes, unitBytes, segmentBytes }: Format) => ({
  atomicUnit: blockBytes,
  unitBytes,
  segmentBytes,
})

/** What is written on the members of a request that was judged and found good. */
export interface PoolPlan {
  readonly format: Format
  readonly geometry: Geometry
}

/** ERR_LIMITS where the members have no room for what the pool begins with. */
export function planOf(request: PoolRequest, members: readonly MemberFacts[]): PoolPlan {
  const sizes = members.map(({ size }) => size!)
  const format = formatOf(poolBytes(request, members)!, request)
  const geometry = geometryOf(request, members)
  rehearse(format, geometry, sizes)
  return { format, geometry }
}

function geometryOf(request: PoolRequest, members: readonly MemberFacts[]): Geometry {
  const copies = mirrorsOf(request, members)[0]?.length ?? 1
  return {
    layout: request.layout as LayoutName,
    stripeUnit: stripeUnitOf(request) ?? 0,
    legs: copies,
    runs: (request.journalCopies ?? copies) / copies,
  }
}

/** The zones of the pool, and its first segments, as they will be taken; without a device. */
function rehearse(format: Format, geometry: Geometry, sizes: readonly number[]): void {
  const data = sizes.map((size) => memberZonesOf(size, format).dataBytes)
  const columns = columnsOf(geometry, data).map((legs) => Math.min(...legs))
  const spans = isStriped(geometry) ? [stackSize('stripe', columns, geometry.stripeUnit)] : columns
  const zones = new Zones(format, spans, regionClass(geometry, format.segmentBytes, columns.length))
  const allocator = new Allocator(zones, 0, geometry.runs)
  if (allocator.takeSegment() && allocator.takeSegment()) return
  throw new PoolError('ERR_LIMITS', `no ${geometry.runs} members have room for two segments of ${format.segmentBytes}`)
}

/** What a pool that exists was asked for, as far as its members are still to be judged by it. */
export function requestOfGuard({ format, geometry, atomicity, accepted, io }: Guard): PoolRequest {
  const { layout, stripeUnit, legs } = geometry
  return {
    ...DEFAULTS,
    ...sizesOf(format),
    ...(isStriped(geometry) && { stripeUnit }),
    layout,
    legs,
    atomicity,
    accept: acceptedCodes(accepted),
    io,
  }
}
