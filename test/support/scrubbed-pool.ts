import assert from 'node:assert/strict'
import { BATCH_HEADER_BYTES, decodeBatchHeader, payloadOffset } from '../../pool/batch.ts'
import { decodeEntries } from '../../pool/batch-walk.ts'
import { joinMembers } from '../../pool/data-device.ts'
import { placeOf } from '../../pool/device.ts'
import type { Entry, Extent } from '../../pool/entry.ts'
import { decodeManifest } from '../../pool/extent-tree.ts'
import { SINGLE } from '../../pool/geometry.ts'
import {
  formatDevices,
  type Geometry,
  MemoryDevice,
  type OpenOptions,
  openDevices,
  PoolError,
} from '../../pool/index.ts'
import { Member, Members } from '../../pool/members.ts'
import { decodeSegmentHeader } from '../../pool/segment.ts'
import { readSuperblock, ringOffset } from '../../pool/superblock.ts'
import { memberZonesOf } from '../../pool/zones.ts'
import type { Arrangement } from './device-array.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from './tiny-pool.ts'

export const ARRANGEMENTS: Record<string, Arrangement> = {
  'one device': { geometry: SINGLE, members: 1 },
  'a mirror of two': { geometry: { layout: 'mirror', stripeUnit: 0, legs: 2, runs: 1 }, members: 2 },
  'a mirror of three': { geometry: { layout: 'mirror', stripeUnit: 0, legs: 3, runs: 1 }, members: 3 },
  'a stripe of mirrors': { geometry: { layout: 'stripe-of-mirrors', stripeUnit: 1024, legs: 2, runs: 1 }, members: 4 },
  'a concatenation with two runs': { geometry: { layout: 'concat', stripeUnit: 0, legs: 1, runs: 2 }, members: 2 },
}

/** A device some of whose blocks cannot be read until they are written again. */
export class RottingDevice extends MemoryDevice {
  readonly unreadable = new Set<number>()
  writes = 0

  override async read(offset: number, target: Uint8Array): Promise<void> {
    for (let block = offset / 512; block < (offset + target.length) / 512; block++) {
      if (this.unreadable.has(block)) throw new PoolError('ERR_IO', `block ${block} cannot be read`)
    }
    await super.read(offset, target)
  }

  override async write(offset: number, source: Uint8Array): Promise<void> {
    this.writes++
    for (let block = offset / 512; block < (offset + source.length) / 512; block++) this.unreadable.delete(block)
    await super.write(offset, source)
  }
}

/** Bytes on one member. */
export interface Spot {
  readonly device: RottingDevice
  readonly offset: number
  readonly length: number
}

/** A batch on the data device, by the region of its segment's first run. */
interface FoundBatch {
  readonly regions: readonly number[]
  readonly offset: number
  readonly entries: readonly Entry[]
  readonly payloads: number
  readonly blocks: number
}

const POOL = Buffer.alloc(16, 1)

/** The devices of a tiny pool, and where on them things lie. */
export class ScrubbedPool {
  readonly devices: readonly RottingDevice[]
  readonly #geometry: Geometry

  constructor({ geometry, members }: Arrangement, bytes = TINY_BYTES) {
    this.#geometry = geometry
    this.devices = Array.from({ length: members }, () => new RottingDevice(bytes))
  }

  async format(): Promise<void> {
    const members = this.devices.map((_, i) => Buffer.alloc(16, i + 2))
    await formatDevices(this.devices, { format: TINY_FORMAT, geometry: this.#geometry }, { pool: POOL, members })
  }

  open(options: OpenOptions = {}) {
    return openDevices(this.devices, tiny(options))
  }

  get image(): Buffer {
    return Buffer.concat(this.devices.map(({ bytes }) => bytes))
  }

  /** The two guards of each member. */
  guards(): Spot[] {
    return this.#ends(({ guards }) => [...guards])
  }

  async newestSuperblocks(): Promise<Spot[]> {
    const serial = await this.#serial()
    return this.#ends((zones) => zones.rings.map((ring) => ringOffset(zones, ring, serial)))
  }

  async olderSuperblocks(): Promise<Spot[]> {
    const serial = await this.#serial()
    return this.#ends((zones) => zones.rings.map((ring) => ringOffset(zones, ring, serial - 1)))
  }

  async #serial(): Promise<number> {
    return (await this.#superblock()).serial
  }

  async #superblock() {
    const [device] = this.devices
    const superblock = await readSuperblock(device!, memberZonesOf(device!.limits.size, TINY_FORMAT), POOL)
    assert(superblock)
    return superblock
  }

  #ends(offsets: (zones: ReturnType<typeof memberZonesOf>) => number[]): Spot[] {
    return this.devices.flatMap((device) =>
      offsets(memberZonesOf(device.limits.size, TINY_FORMAT)).map((offset) => ({ device, offset, length: 512 })),
    )
  }

  async #data() {
    const superblock = await this.#superblock()
    const members = superblock.members.map(
      (entry, i) =>
        new Member(entry, {
          device: this.devices[i]!,
          zones: memberZonesOf(this.devices[i]!.limits.size, TINY_FORMAT),
        }),
    )
    const joined = new Members({ pool: POOL, geometry: this.#geometry, format: TINY_FORMAT }, members, superblock)
    return joinMembers({ geometry: this.#geometry, format: TINY_FORMAT }, joined)
  }

  /** Every copy of the page that the superblock names: the root of the tree. */
  async rootPage(): Promise<Spot[]> {
    const { pages } = await this.#superblock()
    return await this.#copies([pages.block * 512], 512)
  }

  /** A page that is a leaf: the first that the root names. */
  async leafPage(): Promise<Spot[]> {
    const [root] = await this.rootPage()
    let node = root!.device.bytes.subarray(root!.offset, root!.offset + 512)
    let block = 0
    for (let pages = (await this.#superblock()).pages.pages; pages > 1; pages = Math.ceil(pages / 32)) {
      block = firstBlockIn(node)
      const [spot] = await this.#copies([block * 512], 512)
      node = spot!.device.bytes.subarray(spot!.offset, spot!.offset + 512)
    }
    return await this.#copies([block * 512], 512)
  }

  async #copies(offsets: readonly number[], length: number): Promise<Spot[]> {
    const { device } = await this.#data()
    const spots: Spot[] = []
    for (const offset of offsets) {
      for (let copy = 0; copy < device.copies; copy++) {
        const place = placeOf(device, offset, copy)
        spots.push({ device: place.device as RottingDevice, offset: place.offset, length })
      }
    }
    return spots
  }

  async #batchOf(sequence: number): Promise<FoundBatch> {
    const { device, zones } = await this.#data()
    const found: FoundBatch[] = []
    const block = Buffer.alloc(512)
    for (let region = 0; region < zones.regions; region++) {
      const bytes = Buffer.alloc(zones.segmentBytes)
      for (let at = 0; at < bytes.length; at += 512) {
        await device.read(zones.regionOffset(region) + at, block)
        block.copy(bytes, at)
      }
      const segment = decodeSegmentHeader(bytes.subarray(0, 512), POOL)
      if (!segment || segment.regions[0] !== region) continue
      for (let number = 1; number < zones.blocksPerSegment; number++) {
        const rest = bytes.subarray(number * 512)
        const header = decodeBatchHeader(rest, segment.ordinal * zones.blocksPerSegment + number, POOL)
        if (!header) continue
        const entries = decodeEntries(rest, header).map(({ entry }) => entry)
        if (!entries.some((entry) => entry.sequence === sequence)) continue
        found.push({
          regions: segment.regions,
          offset: number * 512,
          entries,
          payloads: payloadOffset(header.entryBytes),
          blocks: header.blocks,
        })
      }
    }
    assert.equal(found.length, 1, `record ${sequence} lies in one place`)
    return found[0]!
  }

  async #inSegments(regions: readonly number[], offset: number, length: number): Promise<Spot[]> {
    const { zones } = await this.#data()
    return await this.#copies(
      regions.map((region) => zones.regionOffset(region) + offset),
      length,
    )
  }

  async segmentHeader(sequence: number): Promise<Spot[]> {
    return await this.#inSegments((await this.#batchOf(sequence)).regions, 0, 128)
  }

  async batchHeader(sequence: number): Promise<Spot[]> {
    const { regions, offset } = await this.#batchOf(sequence)
    return await this.#inSegments(regions, offset, BATCH_HEADER_BYTES)
  }

  /** Every block of a batch, each in all its copies. */
  async batchBlocks(sequence: number): Promise<Spot[][]> {
    const { regions, offset, blocks } = await this.#batchOf(sequence)
    const all = Array.from({ length: blocks }, (_, block) => this.#inSegments(regions, offset + block * 512, 512))
    return await Promise.all(all)
  }

  async entries(sequence: number): Promise<Spot[]> {
    const { regions, offset } = await this.#batchOf(sequence)
    return await this.#inSegments(regions, offset + BATCH_HEADER_BYTES, 40)
  }

  /** The last bytes of an inline payload, in a block that its batch's header is not in. */
  async inline(sequence: number): Promise<Spot[]> {
    const { regions, offset, payloads, entries } = await this.#batchOf(sequence)
    const placement = entries.find((entry) => entry.sequence === sequence)!.payloads[0]!
    assert(placement.form === 'inline')
    const start = offset + payloads + placement.offset
    const end = start + placement.length
    const last = end - ((end - 1) % 512) - 1
    assert(last > start)
    return await this.#inSegments(regions, last, end - last)
  }

  async #extents(sequence: number): Promise<{ depth: number; extents: readonly Extent[] }> {
    const { entries } = await this.#batchOf(sequence)
    const placement = entries.find((entry) => entry.sequence === sequence)!.payloads[0]!
    assert(placement.form === 'extents')
    return placement
  }

  async #unit(unit: number): Promise<Spot[]> {
    const { zones } = await this.#data()
    return await this.#copies([zones.unitOffset(unit)], 1024)
  }

  async manifest(sequence: number): Promise<Spot[]> {
    const { depth, extents } = await this.#extents(sequence)
    assert(depth > 0)
    return await this.#unit(extents[0]!.unit)
  }

  /** Data unit number `index` of a payload in extents. */
  async data(sequence: number, index = 0): Promise<Spot[]> {
    let { depth, extents } = await this.#extents(sequence)
    for (; depth > 0; depth--) {
      const below: Extent[] = []
      for (const { unit } of extents) {
        const [spot] = await this.#unit(unit)
        below.push(...decodeManifest(spot!.device.bytes.subarray(spot!.offset, spot!.offset + 1024)))
      }
      extents = below
    }
    return await this.#unit(extents[index]!.unit)
  }
}

function firstBlockIn(node: Buffer): number {
  for (let at = 0; at < node.length; at += 16) if (node.readUInt32LE(at) > 0) return node.readUInt32LE(at)
  assert.fail('the node names something')
}

/** Flips a bit in the middle of a spot. */
export function rot({ device, offset, length }: Spot): void {
  device.bytes[offset + (length >> 1)]! ^= 0x10
}

/** Makes the blocks of a spot unreadable. */
export function lose({ device, offset, length }: Spot): void {
  for (let block = Math.floor(offset / 512); block * 512 < offset + length; block++) device.unreadable.add(block)
}
