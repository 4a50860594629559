import { Allocator } from '../../pool/allocator.ts'
import type { Extent } from '../../pool/entry.ts'
import { ExtentTreeBuilder, reopenTree } from '../../pool/extent-tree.ts'
import { crc32c, MemoryDevice } from '../../pool/index.ts'
import { Pages } from '../../pool/pages.ts'
import { decodeSegmentHeader, encodeSegmentHeader, Segment, segmentPayloadsMax } from '../../pool/segment.ts'
import {
  decodeGuard,
  decodeSuperblock,
  encodeGuard,
  encodeSuperblock,
  type Guard,
  type Superblock,
} from '../../pool/superblock.ts'
import { Zones } from '../../pool/zones.ts'
import { TINY_BYTES, TINY_FORMAT } from '../support/tiny-pool.ts'

/** A value, and the way to its bytes and back: `decode` gives what `value` is. */
export interface Structure {
  readonly value: unknown
  readonly encode: () => Buffer | Promise<Buffer>
  readonly decode: (bytes: Buffer) => unknown
}

/** The number whose little-endian bytes are these letters: so the right column of a dump names the fields. */
export const spell = (word: string): number => Buffer.from(word.padEnd(6, '\0')).readUIntLE(0, 6)

const ZONES = new Zones(TINY_FORMAT, [TINY_BYTES])
const { blockBytes } = ZONES
export const POOL = Buffer.from("the pool's uuid.")
export const PREVIOUS = Buffer.from('the digest of the batch before..')

const GUARD: Guard = {
  pool: POOL,
  member: Buffer.from('the member uuid.'),
  deviceBytes: spell('device'),
  format: { blockBytes: 4096, unitBytes: 65_536, segmentBytes: 1 << 24, ringSlots: 32, recordExtentsMax: 64 },
  geometry: { layout: 'stripe', stripeUnit: 1 << 20, legs: 1, runs: 2 },
  atomicity: 'enforced',
  accepted: 1 << 14,
  io: 'auto',
}

export const guard = { value: GUARD, encode: () => encodeGuard(GUARD), decode: decodeGuard }

const SUPERBLOCK: Superblock = {
  serial: spell('serial'),
  epoch: spell('epoch'),
  epochStartLsn: spell('start'),
  checkpointLsn: spell('check'),
  checkpointRegion: spell('regn'),
  chain: PREVIOUS,
  knownDurableLsn: spell('durabl'),
  cleanEndLsn: spell('clean'),
  nextSequence: spell('next'),
  pages: { checksum: spell('crc.'), block: spell('root'), pages: spell('pags') },
  members: [
    { uuid: Buffer.from('the member uuid.'), state: 'in-sync', dataBytes: spell('data 1') },
    { uuid: Buffer.from('another member u'), state: 'stale', dataBytes: spell('data 2') },
  ],
}

export const superblock = {
  value: SUPERBLOCK,
  encode: () => encodeSuperblock(SUPERBLOCK, POOL, blockBytes),
  decode: (bytes: Buffer) => decodeSuperblock(bytes, POOL),
}

const SEGMENT_HEADER = {
  compacted: true,
  ordinal: spell('ordnal'),
  epoch: spell('epoch'),
  firstSequence: spell('first'),
  regions: [spell('regn'), spell('run')],
  successor: [spell('succ'), spell('srun')],
  previous: PREVIOUS,
}

export const segmentHeader = {
  value: SEGMENT_HEADER,
  encode: () => encodeSegmentHeader(SEGMENT_HEADER, POOL, blockBytes),
  decode: (bytes: Buffer) => decodeSegmentHeader(bytes, POOL),
}

const REGION = 3
const SEGMENT = {
  regions: [REGION, spell('run')],
  ordinal: spell('ordnal'),
  compacted: true,
  firstSequence: spell('first'),
  records: spell('recs'),
  blocks: spell('blks'),
  payloads: spell('pays'),
  entryBytes: spell('entry'),
  liveBytes: spell('live'),
}
const RELEASED = [0, 9, 10, segmentPayloadsMax(ZONES) - 1]

export const regionPage = {
  value: { ...SEGMENT, released: RELEASED },
  encode: () => {
    const segment = Object.assign(new Segment(SEGMENT, ZONES), SEGMENT)
    for (const payload of RELEASED) segment.release(payload, 0)
    return segment.encodePage(blockBytes)
  },
  decode: (bytes: Buffer) => {
    const segment = Segment.decodePage(bytes, REGION, ZONES)!
    return { ...segment, released: numbersBelow(segmentPayloadsMax(ZONES), (payload) => segment.isReleased(payload)) }
  },
}

const OWNED = [0, 9, 10, ZONES.regions * ZONES.unitsPerRegion - 1]

export const bitmapPage = {
  value: OWNED,
  encode: () => {
    const allocator = new Allocator(ZONES, 0)
    for (const unit of OWNED) allocator.recover(unit)
    return allocator.takeDirtyPages().get(0)!
  },
  decode: (bytes: Buffer) => {
    const allocator = new Allocator(ZONES, 0)
    allocator.loadPage(0, bytes.subarray(0, (ZONES.regions * ZONES.unitsPerRegion) / 8))
    return numbersBelow(bytes.length * 8, (unit) => allocator.isOwned(unit))
  },
}

/** The two pages above are the leaves of its tree. */
const LEAVES = new Map([
  [0, bitmapPage.encode()],
  [ZONES.regionPage(REGION), regionPage.encode()],
])

async function writeLeaves() {
  const device = new MemoryDevice(TINY_BYTES)
  const { block } = await new Pages(device, ZONES).write(LEAVES)
  return { device, block, node: device.bytes.subarray(block * blockBytes, (block + 1) * blockBytes) }
}

export const pageNode = {
  value: LEAVES,
  encode: async () => (await writeLeaves()).node,
  decode: async (bytes: Buffer) => {
    const { device, block, node } = await writeLeaves()
    bytes.copy(node)
    const leaves = new Map<number, Buffer>()
    const root = { block, checksum: crc32c(bytes), pages: ZONES.pages }
    await new Pages(device, ZONES).load(root, (index, page) => leaves.set(index, page))
    return leaves
  },
}

export const MANIFEST: readonly Extent[] = [
  { length: spell('bytes1'), unit: spell('unt1'), checksum: spell('crc1') },
  { length: spell('bytes2'), unit: spell('unt2'), checksum: spell('crc2') },
]
const MANIFEST_UNIT = 5

export const manifest = {
  value: MANIFEST,
  encode: async () => {
    const device = new MemoryDevice(TINY_BYTES)
    const place = async (bytes: Buffer) => {
      await device.write(ZONES.unitOffset(MANIFEST_UNIT), bytes)
      return MANIFEST_UNIT
    }
    const builder = new ExtentTreeBuilder(ZONES, 1, place)
    for (const extent of MANIFEST) await builder.push(extent)
    await builder.tree()
    return device.bytes.subarray(ZONES.unitOffset(MANIFEST_UNIT), ZONES.unitOffset(MANIFEST_UNIT + 1))
  },
  decode: async (bytes: Buffer) => {
    const device = new MemoryDevice(TINY_BYTES)
    await device.write(ZONES.unitOffset(MANIFEST_UNIT), bytes)
    const extents = [{ length: 0, unit: MANIFEST_UNIT, checksum: crc32c(bytes) }]
    return (await reopenTree(device, ZONES, { depth: 1, extents }))[0]
  },
}

const numbersBelow = (end: number, has: (number: number) => boolean): number[] =>
  Array.from({ length: end }, (_, number) => number).filter(has)
