import assert from 'node:assert/strict'
import { roundUp } from './bytes.ts'
import { PoolError } from './errors.ts'
import type { Format } from './format.ts'

/**
 * Where things are on one member, computed from its size and format alone.
 *
 *   | guard | ring F | data area … | ring R | guard |
 *
 * The layout joins the data areas of all members into one device, which has zones of its own.
 */
export interface MemberZones {
  readonly blockBytes: number
  readonly ringSlots: number
  readonly guards: readonly [number, number]
  readonly rings: readonly [number, number]
  readonly dataOffset: number
  readonly dataBytes: number
}

export function memberZonesOf(deviceBytes: number, format: Format): MemberZones {
  const { blockBytes, unitBytes, ringSlots } = format
  const size = Math.floor(deviceBytes / blockBytes) * blockBytes
  const ring = ringSlots * blockBytes
  const dataOffset = roundUp(blockBytes + ring, unitBytes)
  const rear = size - blockBytes - ring
  return {
    blockBytes,
    ringSlots,
    guards: [0, size - blockBytes],
    rings: [blockBytes, rear],
    dataOffset,
    dataBytes: Math.max(0, Math.floor((rear - dataOffset) / blockBytes) * blockBytes),
  }
}

/** A contiguous part of the data device: a whole one, or what one member brings to a concatenation. */
export interface Span {
  readonly offset: number
  readonly firstRegion: number
  readonly regions: number
  /** Its metadata zone: first block, and how many. */
  readonly metadataBlock: number
  readonly metadataBlocks: number
  /** Its leaves among the checkpoint's pages: those of the bitmap of its units, then one for each region. */
  readonly firstPage: number
  readonly bitmapPages: number
}

/** Fewer regions than this leave no room beside the reserve. */
export const REGIONS_MIN = 16

/**
 * Where things are on the data device. Each span is
 *
 *   | region | region | … | metadata pages |
 *
 * and a region is a segment of the journal, or holds units of large payloads, or is free. Spans may be added; what lies
 * in those before stays where it is.
 */
export class Zones {
  readonly blockBytes: number
  readonly unitBytes: number
  readonly segmentBytes: number
  readonly unitsPerRegion: number
  readonly blocksPerSegment: number
  /** Regions whose classes differ share no member, wherever they are compared. */
  readonly classOf: (region: number) => number
  readonly spans: Span[] = []

  constructor(format: Format, spanBytes: readonly number[], classOf?: (region: number) => number) {
    this.blockBytes = format.blockBytes
    this.unitBytes = format.unitBytes
    this.segmentBytes = format.segmentBytes
    this.unitsPerRegion = format.segmentBytes / format.unitBytes
    this.blocksPerSegment = format.segmentBytes / format.blockBytes
    this.classOf = classOf ?? ((region) => this.spans.indexOf(this.#spanOf(region)))
    for (const bytes of spanBytes) this.add(bytes)
    if (!(this.regions >= REGIONS_MIN)) {
      const bytes = spanBytes.reduce((sum, span) => sum + span, 0)
      throw new PoolError(
        'ERR_LIMITS',
        `${bytes} bytes for data are too few: a pool needs ${REGIONS_MIN} segments of ${this.segmentBytes} bytes`,
      )
    }
  }

  get regions(): number {
    const last = this.spans.at(-1)
    return last ? last.firstRegion + last.regions : 0
  }

  /** Leaves of the checkpoint's tree. */
  get pages(): number {
    const last = this.spans.at(-1)
    return last ? last.firstPage + last.bitmapPages + last.regions : 0
  }

  get metadataBlocks(): number {
    return this.spans.reduce((sum, { metadataBlocks }) => sum + metadataBlocks, 0)
  }

  /** A span of `bytes` at the end. ERR_LIMITS when not even one region fits. */
  add(bytes: number): Span {
    const { blockBytes, segmentBytes } = this
    const last = this.spans.at(-1)
    const offset = last ? (last.metadataBlock + last.metadataBlocks) * blockBytes : 0
    const regions = this.regionsIn(bytes)
    // The span ends where its bytes do, so that the next one begins where its member does.
    const metadataBlock = (offset + regions * segmentBytes) / blockBytes
    const span: Span = {
      offset,
      firstRegion: this.regions,
      regions,
      metadataBlock,
      metadataBlocks: Math.floor((offset + bytes) / blockBytes) - metadataBlock,
      firstPage: this.pages,
      bitmapPages: this.#bitmapPagesOf(regions),
    }
    this.spans.push(span)
    return span
  }

  /** Regions that a span of `bytes` has room for. ERR_LIMITS when not even one fits. */
  regionsIn(bytes: number): number {
    const { blockBytes, segmentBytes } = this
    const leavesOf = (regions: number) => this.#bitmapPagesOf(regions) + regions
    const metadataBlocksOf = (regions: number) => 2 * treeBlocks(leavesOf(regions), blockBytes / 16) + 8
    let regions = Math.floor(bytes / segmentBytes)
    while (regions > 0 && regions * segmentBytes + metadataBlocksOf(regions) * blockBytes > bytes) regions--
    if (regions > 0) return regions
    throw new PoolError('ERR_LIMITS', `${bytes} bytes for data hold no segment of ${segmentBytes} bytes`)
  }

  #bitmapPagesOf(regions: number): number {
    return Math.ceil((regions * this.unitsPerRegion) / (this.blockBytes * 8))
  }

  regionOffset(region: number): number {
    const span = this.#spanOf(region)
    return span.offset + (region - span.firstRegion) * this.segmentBytes
  }

  unitOffset(unit: number): number {
    const region = Math.floor(unit / this.unitsPerRegion)
    return this.regionOffset(region) + (unit - region * this.unitsPerRegion) * this.unitBytes
  }

  /** The page that says which segment `region` holds. */
  regionPage(region: number): number {
    const { firstPage, bitmapPages, firstRegion } = this.#spanOf(region)
    return firstPage + bitmapPages + region - firstRegion
  }

  /** The page that holds the bit of `unit`. */
  bitmapPage(unit: number): number {
    const { firstPage, firstRegion } = this.#spanOf(Math.floor(unit / this.unitsPerRegion))
    return firstPage + Math.floor((unit - firstRegion * this.unitsPerRegion) / (this.blockBytes * 8))
  }

  /** What a page is about: so many units from `unit` on, or one region. */
  pageSubject(page: number): { readonly unit: number; readonly units: number } | { readonly region: number } {
    const span = this.spans.findLast(({ firstPage }) => firstPage <= page)!
    const place = page - span.firstPage
    if (place >= span.bitmapPages) return { region: span.firstRegion + place - span.bitmapPages }
    const before = place * this.blockBytes * 8
    const units = Math.min(span.regions * this.unitsPerRegion - before, this.blockBytes * 8)
    return { unit: span.firstRegion * this.unitsPerRegion + before, units }
  }

  #spanOf(region: number): Span {
    const { spans } = this
    if (spans.length === 1) return spans[0]!
    const span = spans.findLast(({ firstRegion }) => firstRegion <= region)
    assert(span)
    return span
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
