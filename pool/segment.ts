import type { BatchBuilder } from './batch-builder.ts'
import type { StoredBatch } from './batch-walk.ts'
import { hasBit, setBit } from './bitmap.ts'
import { readUint64, writeUint64 } from './bytes.ts'
import { crc32c, DIGEST_BYTES } from './checksum.ts'
import type { Sequence } from './contract.ts'
import type { Entry } from './entry.ts'
import { RUNS_MAX } from './geometry.ts'
import { placed, SegmentIndex } from './segment-index.ts'
import { UUID_BYTES } from './superblock.ts'
import type { Zones } from './zones.ts'

const MAGIC = Buffer.from('CENOTESG', 'latin1')
const HEADER_BYTES = 128
const COMPACTED = 1

/**
 * The first block of a segment.
 *
 *   0 magic   8 u32 crc32c(12…128)   12 u32 flags (1 compacted)   16 u8[16] pool   32 u64 ordinal   40 u64 epoch
 *   48 u64 first sequence   56 u32 own region   60 u32 region of the successor   64 u8[32] digest of the batch before
 *   96 u32[3] regions of its other runs   108 u32[3] those of the successor   (each plus one; 0 for none)
 *
 * Every run of a segment holds the same bytes, this header included.
 */
/** The regions that hold the runs of a segment: the same bytes in each, on distinct members. The first names it. */
export type Regions = readonly number[]

export interface SegmentHeader {
  readonly compacted: boolean
  readonly ordinal: number
  readonly epoch: number
  readonly firstSequence: Sequence
  readonly regions: Regions
  /** Chosen when the segment is opened, so that recovery knows where the journal goes on. */
  readonly successor: Regions
  readonly previous: Buffer
}

export function encodeSegmentHeader(header: SegmentHeader, pool: Buffer, blockBytes: number): Buffer {
  const block = Buffer.alloc(blockBytes)
  MAGIC.copy(block)
  block.writeUInt32LE(header.compacted ? COMPACTED : 0, 12)
  pool.copy(block, 16)
  writeUint64(block, 32, header.ordinal)
  writeUint64(block, 40, header.epoch)
  writeUint64(block, 48, header.firstSequence)
  block.writeUInt32LE(header.regions[0]!, 56)
  block.writeUInt32LE(header.successor[0]!, 60)
  encodeOthers(block, 96, header.regions)
  encodeOthers(block, 108, header.successor)
  header.previous.copy(block, 64)
  block.writeUInt32LE(crc32c(block.subarray(12, HEADER_BYTES)), 8)
  return block
}

/** Undefined when these bytes are no segment header of this pool. */
export function decodeSegmentHeader(block: Buffer, pool: Buffer): SegmentHeader | undefined {
  if (!MAGIC.equals(block.subarray(0, 8))) return undefined
  if (block.readUInt32LE(8) !== crc32c(block.subarray(12, HEADER_BYTES))) return undefined
  if (!pool.equals(block.subarray(16, 16 + UUID_BYTES))) return undefined
  return {
    compacted: (block.readUInt32LE(12) & COMPACTED) !== 0,
    ordinal: readUint64(block, 32),
    epoch: readUint64(block, 40),
    firstSequence: readUint64(block, 48),
    regions: [block.readUInt32LE(56), ...decodeOthers(block, 96)],
    successor: [block.readUInt32LE(60), ...decodeOthers(block, 108)],
    previous: Buffer.from(block.subarray(64, 64 + DIGEST_BYTES)),
  }
}

const OTHERS_MAX = RUNS_MAX - 1

function encodeOthers(target: Buffer, offset: number, regions: Regions): void {
  for (const [i, region] of regions.slice(1).entries()) target.writeUInt32LE(region + 1, offset + i * 4)
}

function decodeOthers(source: Buffer, offset: number): number[] {
  const others = Array.from({ length: OTHERS_MAX }, (_, i) => source.readUInt32LE(offset + i * 4))
  return others.filter((other) => other > 0).map((other) => other - 1)
}

const PAGE_HEADER_BYTES = 76
const PAGE_SEGMENT = 1
const PAGE_COMPACTED = 2

/** Payloads that one region page has room to mark as released; a segment that holds as many is full. */
export const segmentPayloadsMax = (zones: Zones): number => (zones.blockBytes - PAGE_HEADER_BYTES) * 8

/**
 * A segment in memory: which records it holds, how much of it lives, and which payloads were released. Its page in
 * the checkpoint:
 *
 *   0 u32 flags (1 segment, 2 compacted)   8 u64 ordinal   16 u64 first sequence   24 u32 records   28 u32 blocks used
 *   32 u32 payloads   40 u64 bytes of entries   48 u64 bytes of live inline payloads
 *   64 u32[3] regions of its other runs, each plus one   76 bitmap of released payloads
 */
export class Segment {
  readonly regions: Regions
  readonly ordinal: number
  readonly compacted: boolean
  readonly firstSequence: Sequence
  records = 0
  /** Blocks written, the header's included. */
  blocks = 1
  payloads = 0
  entryBytes = 0
  liveBytes = 0
  /** Offsets of its records; undefined until it is needed. */
  index: SegmentIndex | undefined
  readonly #released: Uint8Array

  constructor(header: Pick<SegmentHeader, 'regions' | 'ordinal' | 'compacted' | 'firstSequence'>, zones: Zones) {
    this.regions = header.regions
    this.ordinal = header.ordinal
    this.compacted = header.compacted
    this.firstSequence = header.firstSequence
    this.#released = new Uint8Array(zones.blockBytes - PAGE_HEADER_BYTES)
  }

  /** A segment about to be written: everything there is to know of it is in memory. */
  static open(header: SegmentHeader, zones: Zones): Segment {
    const segment = new Segment(header, zones)
    segment.index = new SegmentIndex()
    return segment
  }

  get region(): number {
    return this.regions[0]!
  }

  get nextSequence(): Sequence {
    return this.firstSequence + this.records
  }

  /** A batch written at `offset` is part of the segment from now on. */
  take(batch: BatchBuilder, offset: number): void {
    const payloadsOffset = offset + batch.payloadsOffset
    for (const { entry, offset: entryOffset, bytes, checksum } of batch.entries) {
      this.index!.push({ offset: offset + entryOffset, bytes, checksum, payloadsOffset, firstPayload: this.payloads })
      this.count(entry, bytes)
    }
    this.blocks += batch.blocks
  }

  /** A batch found while recovering is part of the segment. */
  takeStored(batch: StoredBatch): void {
    for (const { entry, place } of placed(batch, this.payloads)) {
      this.index!.push(place)
      this.count(entry, place.bytes)
    }
    this.blocks += batch.header.blocks
  }

  /** One more record, whose entry takes `bytes`. */
  count(entry: Entry, bytes: number): void {
    this.records++
    this.entryBytes += bytes
    this.payloads += entry.payloads.length
    for (const placement of entry.payloads) if (placement.form === 'inline') this.liveBytes += placement.length
  }

  isReleased(payload: number): boolean {
    return hasBit(this.#released, payload)
  }

  /** Marks payload number `payload` of this segment as released, of which `inlineBytes` lay in the segment. */
  release(payload: number, inlineBytes: number): void {
    setBit(this.#released, payload)
    this.liveBytes -= inlineBytes
  }

  encodePage(blockBytes: number): Buffer {
    const page = Buffer.alloc(blockBytes)
    page.writeUInt32LE(PAGE_SEGMENT | (this.compacted ? PAGE_COMPACTED : 0), 0)
    writeUint64(page, 8, this.ordinal)
    writeUint64(page, 16, this.firstSequence)
    page.writeUInt32LE(this.records, 24)
    page.writeUInt32LE(this.blocks, 28)
    page.writeUInt32LE(this.payloads, 32)
    writeUint64(page, 40, this.entryBytes)
    writeUint64(page, 48, this.liveBytes)
    encodeOthers(page, 64, this.regions)
    page.set(this.#released, PAGE_HEADER_BYTES)
    return page
  }

  /** Undefined when the page says that the region holds no segment. */
  static decodePage(page: Buffer, region: number, zones: Zones): Segment | undefined {
    const flags = page.readUInt32LE(0)
    if ((flags & PAGE_SEGMENT) === 0) return undefined
    const compacted = (flags & PAGE_COMPACTED) !== 0
    const firstSequence = readUint64(page, 16)
    const regions = [region, ...decodeOthers(page, 64)]
    const segment = new Segment({ regions, compacted, ordinal: readUint64(page, 8), firstSequence }, zones)
    segment.records = page.readUInt32LE(24)
    segment.blocks = page.readUInt32LE(28)
    segment.payloads = page.readUInt32LE(32)
    segment.entryBytes = readUint64(page, 40)
    segment.liveBytes = readUint64(page, 48)
    segment.#released.set(page.subarray(PAGE_HEADER_BYTES))
    return segment
  }
}
