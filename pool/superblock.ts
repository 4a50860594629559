import { readUint64, writeUint64 } from './bytes.ts'
import { crc32c, DIGEST_BYTES, sha256 } from './checksum.ts'
import { PoolError } from './errors.ts'
import { checkFormat, type Format } from './format.ts'
import { checkGeometry, type Geometry, LAYOUTS } from './geometry.ts'
import { type Beginning, UnreadableTally, unreadable } from './unreadable.ts'
import type { MemberZones } from './zones.ts'

const GUARD_MAGIC = Buffer.from('CENOTEPL', 'latin1')
const GUARD_BYTES = 128
const SUPERBLOCK_MAGIC = Buffer.from('CENOTESB', 'latin1')
export const FORMAT_VERSION = 2
export const UUID_BYTES = 16

const ENFORCED = 1

/**
 * The guard block, written once at each end of every member and never again: what was configured, and cannot be changed.
 *
 *   0 magic   8 u32 crc32c(12…)   12 u32 version   16 u8[16] pool   32 u8[16] member   48 u64 device bytes
 *   56 u32 block   60 u32 unit   64 u32 segment   68 u32 ring slots   72 u32 atomicity (1 = enforced)
 *   76 u32 extents in a record   80 u32 layout (0 concat, 1 stripe, 2 mirror, 3 stripe of mirrors)   84 u32 stripe unit
 *   88 u32 legs   92 u32 runs of a segment
 *   96 u32 refusals accepted by name (bit n: R n)   100 u32 input and output (0 auto, 1 direct, 2 buffered)
 */
export interface Guard {
  readonly pool: Buffer
  readonly member: Buffer
  readonly deviceBytes: number
  readonly format: Format
  readonly geometry: Geometry
  readonly atomicity: Atomicity
  readonly accepted: number
  /** How members are read and written, which is settled by what they were judged for. */
  readonly io: IoWish
}

/** The order is that of their codes on the medium. */
export const IO_WISHES = ['auto', 'direct', 'buffered'] as const

export type IoWish = (typeof IO_WISHES)[number]

/** Set when the pool is configured, and never changed (US 7,346,748, claim 1). */
export type Atomicity = 'enforced' | 'none'

export function encodeGuard(guard: Guard): Buffer {
  const { format, geometry } = guard
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
  block.writeUInt32LE(guard.atomicity === 'enforced' ? ENFORCED : 0, 72)
  block.writeUInt32LE(format.recordExtentsMax, 76)
  block.writeUInt32LE(LAYOUTS.indexOf(geometry.layout), 80)
  block.writeUInt32LE(geometry.stripeUnit, 84)
  block.writeUInt32LE(geometry.legs, 88)
  block.writeUInt32LE(geometry.runs, 92)
  block.writeUInt32LE(guard.accepted, 96)
  block.writeUInt32LE(IO_WISHES.indexOf(guard.io), 100)
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
  const geometry: Geometry = {
    layout: LAYOUTS[block.readUInt32LE(80)]!,
    stripeUnit: block.readUInt32LE(84),
    legs: block.readUInt32LE(88),
    runs: block.readUInt32LE(92),
  }
  checkGeometry(geometry, format)
  return {
    pool: Buffer.from(block.subarray(16, 32)),
    member: Buffer.from(block.subarray(32, 48)),
    deviceBytes: readUint64(block, 48),
    format,
    geometry,
    atomicity: block.readUInt32LE(72) === ENFORCED ? 'enforced' : 'none',
    accepted: block.readUInt32LE(96),
    io: IO_WISHES[block.readUInt32LE(100)] ?? 'auto',
  }
}

/** A metadata page as the node above names it; block 0 means that it and all below it are still zero. */
export interface PageEntry {
  readonly block: number
  readonly checksum: number
}

/** The root of the tree of metadata pages, and how many leaves the tree has room for. */
export interface PageRoot extends PageEntry {
  readonly pages: number
}

/** A member as the pool remembers it, in the order of the layout. */
export interface MemberEntry {
  readonly uuid: Buffer
  /** A stale one missed something that was acknowledged: it is never a source. */
  readonly state: MemberState
  readonly dataBytes: number
}

export type MemberState = 'in-sync' | 'stale'

/**
 * The superblock: where recovery begins. Everything it refers to was flushed before it was written.
 *
 *   0 magic   8 u32 crc32c(12…)   12 u32 version   16 u8[16] pool   32 u64 serial   40 u64 epoch   48 u64 epoch start lsn
 *   56 u64 checkpoint lsn   64 u8[32] chain at the checkpoint   96 u64 known durable lsn   104 u64 clean end lsn (0: dirty)
 *   112 u64 next sequence at the checkpoint   120 u32 region of the checkpoint's segment   124 u32 crc32c of the root page
 *   128 u64 block of the root page   136 u32 pages   140 u32 members
 *   144 { u8[16] member | u32 state (0 in sync, 1 stale) | u32 0 | u64 data bytes } × members
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
  readonly members: readonly MemberEntry[]
}

const SERIAL_OFFSET = 32
const MEMBERS_OFFSET = 144
const MEMBER_BYTES = 32

/** Members that a superblock has room for. */
export const membersMax = (blockBytes: number): number => Math.floor((blockBytes - MEMBERS_OFFSET) / MEMBER_BYTES)

export function encodeSuperblock(superblock: Superblock, pool: Buffer, blockBytes: number): Buffer {
  const block = Buffer.alloc(blockBytes)
  SUPERBLOCK_MAGIC.copy(block)
  block.writeUInt32LE(FORMAT_VERSION, 12)
  pool.copy(block, 16)
  writeUint64(block, SERIAL_OFFSET, superblock.serial)
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
  block.writeUInt32LE(superblock.pages.pages, 136)
  block.writeUInt32LE(superblock.members.length, 140)
  for (const [i, member] of superblock.members.entries()) encodeMember(block, MEMBERS_OFFSET + i * MEMBER_BYTES, member)
  return sealBlock(block)
}

/** Undefined when these bytes are no superblock of this pool. */
export function decodeSuperblock(block: Buffer, pool: Buffer): Superblock | undefined {
  if (!SUPERBLOCK_MAGIC.equals(block.subarray(0, 8)) || !isSealed(block)) return undefined
  if (!pool.equals(block.subarray(16, 32)) || block.readUInt32LE(12) !== FORMAT_VERSION) return undefined
  return {
    serial: readUint64(block, SERIAL_OFFSET),
    epoch: readUint64(block, 40),
    epochStartLsn: readUint64(block, 48),
    checkpointLsn: readUint64(block, 56),
    chain: Buffer.from(block.subarray(64, 64 + DIGEST_BYTES)),
    knownDurableLsn: readUint64(block, 96),
    cleanEndLsn: readUint64(block, 104),
    nextSequence: readUint64(block, 112),
    checkpointRegion: block.readUInt32LE(120),
    pages: { checksum: block.readUInt32LE(124), block: readUint64(block, 128), pages: block.readUInt32LE(136) },
    members: decodeMembers(block),
  }
}

function encodeMember(block: Buffer, offset: number, { uuid, state, dataBytes }: MemberEntry): void {
  uuid.copy(block, offset)
  block.writeUInt32LE(state === 'stale' ? 1 : 0, offset + 16)
  writeUint64(block, offset + 24, dataBytes)
}

function decodeMembers(block: Buffer): MemberEntry[] {
  return Array.from({ length: Math.min(block.readUInt32LE(140), membersMax(block.length)) }, (_, i) => {
    const offset = MEMBERS_OFFSET + i * MEMBER_BYTES
    return {
      uuid: Buffer.from(block.subarray(offset, offset + UUID_BYTES)),
      state: block.readUInt32LE(offset + 16) === 0 ? 'in-sync' : 'stale',
      dataBytes: readUint64(block, offset + 24),
    }
  })
}

function sealBlock(block: Buffer): Buffer {
  block.writeUInt32LE(crc32c(block.subarray(12)), 8)
  return block
}

const isSealed = (block: Buffer): boolean => block.readUInt32LE(8) === crc32c(block.subarray(12))

/**
 * The newest valid superblock in both rings of a member, of which any slots may be unreadable. Undefined when there is
 * none; a failure to read is thrown, with its place, when nothing was found. What a slot that cannot be read may have
 * held is told by later batches, as for one that is damaged.
 */
export async function readSuperblock(
  device: Beginning['device'],
  zones: MemberZones,
  pool: Buffer,
  tally = new UnreadableTally(),
): Promise<Superblock | undefined> {
  let newest: Superblock | undefined
  let failure: unknown
  for (const ring of zones.rings) {
    for await (const slot of slots(device, ring, zones)) {
      if (!Buffer.isBuffer(slot)) {
        tally.add(slot.place, zones.blockBytes, slot.cause)
        failure = unreadable('a superblock', slot.place, zones.blockBytes, slot.cause)
        continue
      }
      // One that does not even claim to be newer need not be looked at.
      if (!newest || readUint64(slot, SERIAL_OFFSET) > newest.serial) newest = decodeSuperblock(slot, pool) ?? newest
    }
  }
  if (!newest && failure) throw failure
  return newest
}

interface LostSlot {
  readonly place: Beginning
  readonly cause: unknown
}

/** The blocks of a ring: read at once or, where that fails, one by one. */
async function* slots(
  device: Beginning['device'],
  ring: number,
  zones: MemberZones,
): AsyncGenerator<Buffer | LostSlot> {
  const { blockBytes, ringSlots } = zones
  const whole = Buffer.alloc(ringSlots * blockBytes)
  const isRead = (await failureOf(device.read(ring, whole))) === undefined
  for (let slot = 0; slot < ringSlots; slot++) {
    const block = whole.subarray(slot * blockBytes, (slot + 1) * blockBytes)
    const offset = ring + slot * blockBytes
    const cause = isRead ? undefined : await failureOf(device.read(offset, block))
    yield cause === undefined ? block : { place: { device, offset }, cause }
  }
}

const failureOf = (request: Promise<void>): Promise<unknown> =>
  request.then(
    () => undefined,
    (error: unknown) => error,
  )

/** Where superblock `serial` lies in a ring. */
export const ringOffset = (zones: MemberZones, ring: number, serial: number): number =>
  ring + (serial % zones.ringSlots) * zones.blockBytes

/** What a pool is called. Its uuid itself is in the checks of every batch, and nobody's to know. */
export function poolName(pool: Buffer): string {
  const hex = sha256(pool).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}
