import type { PoolError } from './errors.ts'
import { refuse } from './refusal.ts'

/** The grain of a volume: what is written is whole blocks at whole blocks. */
export const VOLUME_BLOCK_BYTES = 4096
/** Blocks whose places in the map are looked at together; a piece lies within one group. 64 KiB: a unit of the pool. */
export const GROUP_BLOCKS = 16
/**
 * A piece is a whole group, or has no more blocks than these, so that it travels in the journal: nothing is rounded up.
 */
const PART_BLOCKS_MAX = GROUP_BLOCKS / 2
/** What the map has room to number; the pool's own bound comes first as a rule. */
export const PIECES_MAX = 4096
/** What a block adds to a transaction at the most, beside its bytes: a placement, a release, its place in the record. */
const BLOCK_OVERHEAD_BYTES = 64
const RECORD_OVERHEAD_BYTES = 256

/** What an application may rely on, asked before it writes. Sizes in bytes. */
export interface VolumeLimits {
  readonly size: number
  readonly blockBytes: number
  /** Of what is written; reads may begin and end anywhere. */
  readonly alignment: number
  /** The largest write that is all or nothing. */
  readonly transactionBytesMax: number
  /** Extents of one write. */
  readonly extentsMax: number
  readonly readBytesMax: number
}

/** Bytes for a place in a volume. */
export interface VolumeExtent {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** Blocks that follow each other. */
export interface Span {
  readonly block: number
  readonly blocks: number
}

/** A span that becomes one payload. */
export interface PieceDraft extends Span {
  readonly bytes: Uint8Array
}

const READ_BYTES_MAX = 64 << 20

/** The limits of a volume of `size` bytes in a pool whose transactions take `poolBytesMax`. */
export function limitsOf(size: number, poolBytesMax: number): VolumeLimits {
  const room = Math.floor((poolBytesMax - RECORD_OVERHEAD_BYTES) / (VOLUME_BLOCK_BYTES + BLOCK_OVERHEAD_BYTES))
  const blocksMax = Math.min(PIECES_MAX, room)
  return {
    size,
    blockBytes: VOLUME_BLOCK_BYTES,
    alignment: VOLUME_BLOCK_BYTES,
    transactionBytesMax: blocksMax * VOLUME_BLOCK_BYTES,
    extentsMax: blocksMax,
    readBytesMax: READ_BYTES_MAX,
  }
}

/** A request of another shape is refused, never split: halves of it would each be atomic, and the whole would not. */
export const misshapen = (problem: string): PoolError => refuse('R22_REQ_SHAPE', problem)

/** The pieces of a write, in the order of their blocks. Throws ERR_LIMITS for one that is not as `limits` say. */
export function piecesOf(extents: readonly VolumeExtent[], limits: VolumeLimits): PieceDraft[] {
  const { extentsMax, transactionBytesMax } = limits
  if (extents.length === 0) throw misshapen('a write has at least one extent')
  if (extents.length > extentsMax) throw misshapen(`${extents.length} extents, of ${extentsMax} at the most`)
  const sorted = [...extents].sort((one, other) => one.offset - other.offset)
  let end = 0
  let total = 0
  for (const extent of sorted) {
    checkExtent(extent, limits)
    if (extent.offset < end) throw misshapen(`two extents overlap at ${extent.offset}`)
    end = extent.offset + extent.bytes.length
    total += extent.bytes.length
  }
  if (total > transactionBytesMax) throw misshapen(`${total} bytes, of ${transactionBytesMax} at the most`)
  return sorted.flatMap(cutExtent)
}

function checkExtent({ offset, bytes }: VolumeExtent, { size }: VolumeLimits): void {
  const { length } = bytes
  if (!(Number.isSafeInteger(offset) && offset >= 0 && offset + length <= size)) {
    throw misshapen(`${length} bytes at ${offset} are not within the ${size} of the volume`)
  }
  if (offset % VOLUME_BLOCK_BYTES !== 0 || length % VOLUME_BLOCK_BYTES !== 0 || length === 0) {
    throw misshapen(`${length} bytes at ${offset} are not whole blocks of ${VOLUME_BLOCK_BYTES}`)
  }
}

function cutExtent({ offset, bytes }: VolumeExtent): PieceDraft[] {
  const first = offset / VOLUME_BLOCK_BYTES
  return cut({ block: first, blocks: bytes.length / VOLUME_BLOCK_BYTES }).map(({ block, blocks }) => {
    const start = (block - first) * VOLUME_BLOCK_BYTES
    return { block, blocks, bytes: bytes.subarray(start, start + blocks * VOLUME_BLOCK_BYTES) }
  })
}

/** Whole groups, and parts of groups. */
export function cut({ block, blocks }: Span): Span[] {
  const spans: Span[] = []
  const end = block + blocks
  for (let next = block; next < end; ) {
    const left = Math.min(end, next - (next % GROUP_BLOCKS) + GROUP_BLOCKS) - next
    const taken = left === GROUP_BLOCKS ? left : Math.min(left, PART_BLOCKS_MAX)
    spans.push({ block: next, blocks: taken })
    next += taken
  }
  return spans
}
