import { PoolError } from './errors.ts'
import type { Format } from './format.ts'

/** How members make one device. The order is that of their codes on the medium. */
export const LAYOUTS = ['concat', 'stripe', 'mirror', 'stripe-of-mirrors'] as const

export type LayoutName = (typeof LAYOUTS)[number]

/** What is fixed when a pool is configured: how its members are joined. */
export interface Geometry {
  readonly layout: LayoutName
  /** Bytes on one column before the next is taken; 0 where nothing is striped. */
  readonly stripeUnit: number
  /** Members of each mirror; 1 where nothing is mirrored. */
  readonly legs: number
  /** Regions in which each segment of the journal is written, on distinct members. */
  readonly runs: number
}

export const SINGLE: Geometry = { layout: 'concat', stripeUnit: 0, legs: 1, runs: 1 }

/** Regions that a segment may be written in at the most. */
export const RUNS_MAX = 4

export const isStriped = ({ layout }: Geometry): boolean => layout === 'stripe' || layout === 'stripe-of-mirrors'

/** Members are columns of a stripe or a concatenation; those of one mirror are one column. */
export function columnsOf<T>(geometry: Geometry, members: readonly T[]): readonly (readonly T[])[] {
  const legs = geometry.layout === 'mirror' ? members.length : geometry.legs
  return Array.from({ length: Math.ceil(members.length / legs) }, (_, i) => members.slice(i * legs, (i + 1) * legs))
}

/** The column of `member`, which is one of `members`: all that hold the same bytes. */
export function columnOf<T>(geometry: Geometry, members: readonly T[], member: T): readonly T[] {
  return columnsOf(geometry, members).find((column) => column.includes(member))!
}

/** Throws ERR_FORMAT when the numbers contradict each other, or the format. */
export function checkGeometry(geometry: Geometry, format: Format): void {
  const { layout, stripeUnit, legs, runs } = geometry
  const units = stripeUnit / format.unitBytes
  const sound =
    LAYOUTS.includes(layout) &&
    (isStriped(geometry) ? Number.isInteger(Math.log2(units)) && units >= 1 : stripeUnit === 0) &&
    legs >= 1 &&
    legs > 1 === (layout === 'mirror' || layout === 'stripe-of-mirrors') &&
    runs >= 1 &&
    runs <= RUNS_MAX &&
    (legs === 1 || runs === 1)
  if (!sound) throw new PoolError('ERR_FORMAT', `impossible geometry ${JSON.stringify(geometry)}`)
}

/**
 * Which regions lie on the same members: regions of different classes share none. Undefined where each span is a class
 * of its own. `columns` is how many a stripe has.
 */
export function regionClass(
  geometry: Geometry,
  segmentBytes: number,
  columns: number,
): ((region: number) => number) | undefined {
  if (!isStriped(geometry)) return undefined
  const perSegment = segmentBytes / geometry.stripeUnit
  if (perSegment < 1) return (region) => Math.floor(region * perSegment) % columns
  const turns = turnBytes(geometry, segmentBytes, columns) !== undefined
  return turns ? (region) => region % columns : (region) => (region * perSegment) % columns
}

/**
 * A stripe whose rows divide a segment evenly would begin every segment on the same column. It turns by one column each
 * so many bytes, so that neighbouring segments begin on different ones, and two runs of a segment meet on none.
 */
export function turnBytes({ stripeUnit }: Geometry, segmentBytes: number, columns: number): number | undefined {
  return segmentBytes % (stripeUnit * columns) === 0 ? segmentBytes : undefined
}
