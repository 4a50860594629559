import { readUint64, writeUint64 } from './bytes.ts'
import { crc32c, DIGEST_BYTES } from './checksum.ts'
import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import { checkFormat, type Format } from './format.ts'
import type { Zones } from './zones.ts'

const GUARD_MAGIC = Buffer.from('CENOTEPL', 'latin1')
const GUARD_BYTES = 80
const SUPERBLOCK_MAGIC = Buffer.from('CENOTESB', 'latin1')
export const FORMAT_VERSION = 1
export const UUID_BYTES = 16

/**
 * The guard block, written once at each end of the device and never again.
 *
 *   0 magic   8 u32 crc32c(12…)   12 u32 version   16 u8[16] pool   32 u8[16] member   48 u64 device bytes
 *   56 u32 block   60 u32 unit   64 u32 segment   68 u32 ring slots   72 u32 atomicity (1 = enforced)   76 u32 extents in a record
 */
export interface Guard {
  readonly pool: Buffer
  readonly member: Buffer
  readonly deviceBytes: number
  readonly format: Format
}

export function encodeGuard(guard: Guard): Buffer {
  const { format } = guard
  const block = Buffer.alloc(format.blockBytes)
  GUARD_MAGIC.copy(block)
  block.writeUInt32LE(FORMAT_VERSION, 12)
  guard.pool.copy(block, 16)
  guard.member.copy(block, 32)
  writeUint64(block, 48, guard.deviceBytes)
  block.writeUInt32LE(format.blockBytes, 56)
  block.writeUInt32LE(format.unitBytes, 60)
  block.writeUInt32LE(format.segmentBytes, 64)
  block.writeUInt32LE(format.ringSlots, 68)
  block.writeUInt32LE(1, 72)
  block.writeUInt32LE(format.recordExtentsMax, 76)
  return sealBlock(block)
}

/** Undefined when these bytes are no guard block; ERR_FORMAT when they are one that this program does not know. */
export function decodeGuard(block: Buffer): Guard | undefined {
  if (!GUARD_MAGIC.equals(block.subarray(0, 8))) return undefined
  const blockBytes = block.readUInt32LE(56)
  if (blockBytes < GUARD_BYTES || blockBytes > block.length || !isSealed(block.subarray(0, blockBytes)))
    return undefined
  const version = block.readUInt32LE(12)
  if (version !== FORMAT_VERSION) {
    throw new PoolError('ERR_FORMAT', `pool format ${version} is unknown: this program knows ${FORMAT_VERSION}`)
  }
  const format: Format = {
    blockBytes,
    unitBytes: block.readUInt32LE(60),
    segmentBytes: block.readUInt32LE(64),
    ringSlots: block.readUInt32LE(68),
    recordExtentsMax: block.readUInt32LE(76),
  }
  checkFormat(format)
  return {
    pool: Buffer.from(block.subarray(16, 32)),
    member: Buffer.from(block.subarray(32, 48)),
    deviceBytes: readUint64(block, 48),
    format,
  }
}

/** The root of a tree of metadata pages; block 0 means that every page is still zero. */
export interface PageRoot {
  readonly block: number
  readonly checksum: number
}

/**
 * The superblock: where recovery begins. Everything it refers to was flushed before it was written.
 *
 *   0 magic   8 u32 crc32c(12…)   12 u32 version   16 u8[16] pool   32 u64 serial   40 u64 epoch   48 u64 epoch start lsn
 *   56 u64 checkpoint lsn   64 u8[32] chain at the checkpoint   96 u64 known durable lsn   104 u64 clean end lsn (0: dirty)
 *   112 u64 next sequence at the checkpoint   120 u32 region of the checkpoint's segment   124 u32 crc32c of the root page
 *   128 u64 block of the root page
 */
export interface Superblock {
  readonly serial: number
  readonly epoch: number
  readonly epochStartLsn: number
  readonly checkpointLsn: number
  readonly checkpointRegion: number
  readonly chain: Buffer
  readonly knownDurableLsn: number
  readonly cleanEndLsn: number
  readonly nextSequence: number
  readonly pages: PageRoot
}

export function encodeSuperblock(superblock: Superblock, pool: Buffer, blockBytes: number): Buffer {
  const block = Buffer.alloc(blockBytes)
  SUPERBLOCK_MAGIC.copy(block)
  block.writeUInt32LE(FORMAT_VERSION, 12)
  pool.copy(block, 16)
  writeUint64(block, 32, superblock.serial)
  writeUint64(block, 40, superblock.epoch)
  writeUint64(block, 48, superblock.epochStartLsn)
  writeUint64(block, 56, superblock.checkpointLsn)
  superblock.chain.copy(block, 64)
  writeUint64(block, 96, superblock.knownDurableLsn)
  writeUint64(block, 104, superblock.cleanEndLsn)
  writeUint64(block, 112, superblock.nextSequence)
  block.writeUInt32LE(superblock.checkpointRegion, 120)
  block.writeUInt32LE(superblock.pages.checksum, 124)
  writeUint64(block, 128, superblock.pages.block)
  return sealBlock(block)
}

/** Undefined when these bytes are no superblock of this pool. */
export function decodeSuperblock(block: Buffer, pool: Buffer): Superblock | undefined {
  if (!SUPERBLOCK_MAGIC.equals(block.subarray(0, 8)) || !isSealed(block)) return undefined
  if (!pool.equals(block.subarray(16, 32)) || block.readUInt32LE(12) !== FORMAT_VERSION) return undefined
  return {
    serial: readUint64(block, 32),
    epoch: readUint64(block, 40),
    epochStartLsn: readUint64(block, 48),
    checkpointLsn: readUint64(block, 56),
    chain: Buffer.from(block.subarray(64, 64 + DIGEST_BYTES)),
    knownDurableLsn: readUint64(block, 96),
    cleanEndLsn: readUint64(block, 104),
    nextSequence: readUint64(block, 112),
    checkpointRegion: block.readUInt32LE(120),
    pages: { checksum: block.readUInt32LE(124), block: readUint64(block, 128) },
  }
}

function sealBlock(block: Buffer): Buffer {
  block.writeUInt32LE(crc32c(block.subarray(12)), 8)
  return block
}

const isSealed = (block: Buffer): boolean => block.readUInt32LE(8) === crc32c(block.subarray(12))

/** The newest valid superblock of both rings, of which one may be unreadable. ERR_CORRUPT when there is none. */
export async function readSuperblock(device: Device, zones: Zones, pool: Buffer): Promise<Superblock> {
  const slots = (zones.guards[1] - zones.rings[1]) / zones.blockBytes
  let newest: Superblock | undefined
  let failure: unknown
  for (const ring of zones.rings) {
    const bytes = Buffer.alloc(slots * zones.blockBytes)
    await device.read(ring, bytes).catch((error: unknown) => {
      failure = error
    })
    for (let slot = 0; slot < slots; slot++) {
      const block = bytes.subarray(slot * zones.blockBytes, (slot + 1) * zones.blockBytes)
      const candidate = decodeSuperblock(block, pool)
      if (candidate && (!newest || candidate.serial > newest.serial)) newest = candidate
    }
  }
  if (!newest) throw failure ?? new PoolError('ERR_CORRUPT', 'no valid superblock in either ring')
  return newest
}

/**
 * Front ring, flush, rear ring, flush: whatever power loss tears, one ring still holds a whole superblock, and the
 * other slots hold those before it.
 */
export async function writeSuperblock(
  device: Device,
  zones: Zones,
  pool: Buffer,
  superblock: Superblock,
): Promise<void> {
  const slots = (zones.guards[1] - zones.rings[1]) / zones.blockBytes
  const block = encodeSuperblock(superblock, pool, zones.blockBytes)
  for (const ring of zones.rings) {
    await device.write(ring + (superblock.serial % slots) * zones.blockBytes, block)
    await device.flush()
  }
}
