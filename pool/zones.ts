import { roundUp } from './bytes.ts'
import { PoolError } from './errors.ts'
import type { Format } from './format.ts'

/**
 * Where things are on a device, computed from its size and format alone.
 *
 *   | guard | ring F | metadata pages | region 0 | region 1 | … | ring R | guard |
 *
 * A region is a segment of the journal, or holds units of large payloads, or is free.
 */
export interface Zones {
  readonly blockBytes: number
  readonly unitBytes: number
  readonly segmentBytes: number
  readonly guards: readonly [number, number]
  readonly rings: readonly [number, number]
  /** First block of the metadata zone, and how many blocks it has. */
  readonly metadataBlock: number
  readonly metadataBlocks: number
  readonly regionsOffset: number
  readonly regions: number
  readonly unitsPerRegion: number
  readonly blocksPerSegment: number
  /** Pages of the allocation bitmap; a page for each region follows them. */
  readonly bitmapPages: number
  readonly pages: number
}

/** Fewer regions than this leave no room beside the reserve. */
export const REGIONS_MIN = 16

export function zonesOf(deviceBytes: number, format: Format): Zones {
  const { blockBytes, unitBytes, segmentBytes, ringSlots } = format
  const size = Math.floor(deviceBytes / blockBytes) * blockBytes
  const ring = ringSlots * blockBytes
  const unitsPerRegion = segmentBytes / unitBytes
  const regionsMost = Math.floor(size / segmentBytes)
  const bitmapPages = Math.ceil((regionsMost * unitsPerRegion) / (blockBytes * 8))
  const metadataBlock = 1 + ringSlots
  const metadataBlocks = 2 * treeBlocks(bitmapPages + regionsMost, blockBytes / 16) + 8
  const regionsOffset = roundUp((metadataBlock + metadataBlocks) * blockBytes, unitBytes)
  const regions = Math.floor((size - ring - blockBytes - regionsOffset) / segmentBytes)
  if (!(regions >= REGIONS_MIN)) {
    throw new PoolError(
      'ERR_LIMITS',
      `a device of ${deviceBytes} bytes is too small: it needs ${REGIONS_MIN} segments of ${segmentBytes} bytes and ${regionsOffset + ring + blockBytes} bytes beside them`,
    )
  }
  return {
    blockBytes,
    unitBytes,
    segmentBytes,
    guards: [0, size - blockBytes],
    rings: [blockBytes, size - blockBytes - ring],
    metadataBlock,
    metadataBlocks,
    regionsOffset,
    regions,
    unitsPerRegion,
    blocksPerSegment: segmentBytes / blockBytes,
    bitmapPages,
    pages: bitmapPages + regions,
  }
}

/** Blocks of a tree with `leaves` leaves, its inner nodes included. */
function treeBlocks(leaves: number, fanOut: number): number {
  let blocks = leaves
  for (let level = Math.ceil(leaves / fanOut); ; level = Math.ceil(level / fanOut)) {
    blocks += level
    if (level <= 1) return blocks
  }
}

export const unitOffset = (zones: Zones, unit: number): number => zones.regionsOffset + unit * zones.unitBytes
export const regionOffset = (zones: Zones, region: number): number => zones.regionsOffset + region * zones.segmentBytes
