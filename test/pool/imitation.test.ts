import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { encodeBatchHeader } from '../../pool/batch.ts'
import { SINGLE } from '../../pool/geometry.ts'
import { chooseFormat, MemoryDevice, type Pool, type Sequence, type Tuning } from '../../pool/index.ts'
import { readGuard } from '../../pool/look.ts'
import { encodeSegmentHeader } from '../../pool/segment.ts'
import { encodeGuard, encodeSuperblock } from '../../pool/superblock.ts'
import {
  batchesOn,
  contents,
  formatted,
  type PlacedBatch,
  pattern,
  put,
  readAll,
  release,
} from '../support/pool-client.ts'
import { formatDevice, openDevice, SingleZones } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

/*
 * A client chooses the bytes of its payloads, and may choose those of our own structures, right checksums and all. It is told
 * neither the pool's uuid nor where its bytes will lie; here it guesses the places right each time.
 */

const zones = new SingleZones(TINY_BYTES, TINY_FORMAT)
const { blockBytes, blocksPerSegment, segmentBytes } = zones.data
const CONFIGURED = { geometry: SINGLE, atomicity: 'enforced', accepted: 0, io: 'auto' } as const
const STRANGER = identity(7)

/** Where a block of the payload comes to lie, and the newest segment of the journal. */
interface Place {
  readonly number: number
  readonly offset: number
  readonly region: number
  readonly block: number
  readonly ordinal: number
  readonly epoch: number
  readonly image: Buffer
}

type Forgery = (place: Place) => Buffer

function batch({ ordinal, block, epoch }: Place, pool: Buffer): Buffer {
  const forged = Buffer.alloc(blockBytes)
  const lsn = ordinal * blocksPerSegment + block
  const known = { previous: Buffer.alloc(32), epoch, superblockSerial: 2, durableLsn: 1e9 }
  const counts = { firstSequence: 1, blocks: 1, entryBytes: 0, entries: 0, seal: true }
  encodeBatchHeader(forged, { ...known, ...counts, lsn }, pool)
  return forged
}

function segmentHeader({ ordinal, region, epoch }: Place, pool: Buffer): Buffer {
  const header = { compacted: false, ordinal, epoch, firstSequence: 1, regions: [region], successor: [2] }
  return encodeSegmentHeader({ ...header, previous: Buffer.alloc(32) }, pool, blockBytes)
}

function superblock(pool: Buffer): Buffer {
  const positions = { epochStartLsn: 1, checkpointLsn: 1, checkpointRegion: 0, knownDurableLsn: 1, cleanEndLsn: 1 }
  const root = { chain: Buffer.alloc(32), nextSequence: 1, pages: { block: 0, checksum: 0, pages: 0 } }
  return encodeSuperblock({ serial: 1e9, epoch: 1e9, ...positions, ...root, members: [] }, pool, blockBytes)
}

const guard = (names: typeof STRANGER): Buffer =>
  encodeGuard({ ...names, ...CONFIGURED, deviceBytes: TINY_BYTES, format: TINY_FORMAT })

/** The device of another pool that has lived like this one. */
async function strangersDevice(): Promise<Buffer> {
  const device = new MemoryDevice(TINY_BYTES)
  await formatDevice(device, TINY_FORMAT, STRANGER)
  const pool = await openDevice(device, tiny())
  for (const length of [100, 600, 3000, 600, 9000]) await put(pool, pattern(length, 5))
  return device.bytes
}

const strangersImage = await strangersDevice()

const FORGERIES: Record<string, Forgery> = {
  "guards of a stranger's pool": () => guard(STRANGER),
  'guards of this pool, by one who knows its uuid': () => guard(identity()),
  "superblocks of a stranger's pool": () => superblock(STRANGER.pool),
  'superblocks of this pool, by one who knows its uuid': () => superblock(identity().pool),
  'batches, each for its place in the journal': (place) => batch(place, STRANGER.pool),
  'headers of the next segment, by one who knows the uuid': (place) =>
    segmentHeader({ ...place, ordinal: place.ordinal + 1 }, identity().pool),
  'the same places of another pool': ({ offset }) => strangersImage.subarray(offset, offset + blockBytes),
  'this pool, as it lies on the device from its first block on': ({ number, image }) =>
    image.subarray(number * blockBytes, (number + 1) * blockBytes),
  'the journal of this pool, as it lies on the device': ({ block, image }) => {
    const last = batchesOn(image).at(-1)!
    return image.subarray(last.segmentOffset).subarray(block * blockBytes, (block + 1) * blockBytes)
  },
}

/** A payload that begins with a block, inside the journal or in units; and content that pads its batch to there. */
interface Shape {
  readonly blocks: number
  readonly contentBytes: number
  readonly tuning: Partial<Tuning>
}

const SHAPES: Record<string, Shape> = {
  'in the journal': { blocks: 4, contentBytes: 320, tuning: { inlineBytesMax: 2048 } },
  'in units': { blocks: 40, contentBytes: 40, tuning: {} },
}

function copyOf({ bytes }: MemoryDevice): MemoryDevice {
  const copy = new MemoryDevice(bytes.length)
  copy.bytes.set(bytes)
  return copy
}

const open = (device: MemoryDevice, { tuning }: Shape): Promise<Pool> => openDevice(device, tiny({ tuning }))

async function putShaped(device: MemoryDevice, shape: Shape, payload: Buffer): Promise<Pool> {
  const pool = await open(device, shape)
  const transaction = pool.begin()
  const staging = transaction.stage()
  await staging.write(payload)
  const content = Buffer.alloc(shape.contentBytes, 'forged')
  await transaction.commit(() => ({ records: [{ content, payloads: [staging] }], releases: [] }))
  return pool
}

/** Where each block of a payload of that shape will lie: where those of another one lie on a copy of the device. */
async function placesOf(device: MemoryDevice, shape: Shape): Promise<Place[]> {
  const dry = copyOf(device)
  const marks = Array.from({ length: shape.blocks }, (_, i) => Buffer.alloc(blockBytes, `mark ${i} of many; `))
  await putShaped(dry, shape, Buffer.concat(marks))
  const { lsn, epoch } = batchesOn(dry.bytes).at(-1)!.header
  const ordinal = Math.floor(lsn / blocksPerSegment)
  return marks.map((mark, number) => {
    const offset = dry.bytes.indexOf(mark)
    assert(offset > 0 && offset % blockBytes === 0, 'the payload begins with a block')
    const inRegions = offset - zones.regionOffset(0)
    const region = Math.floor(inRegions / segmentBytes)
    const block = (inRegions % segmentBytes) / blockBytes
    return { number, offset, region, block, ordinal, epoch, image: device.bytes }
  })
}

const RECORDS = 4

/** A pool that was killed when the forged payload had become the last of its records. */
async function forged(forgery: Forgery, shape: Shape): Promise<{ device: MemoryDevice; payload: Buffer }> {
  const device = await formatted()
  const pool = await open(device, shape)
  for (const length of [100, 600, 3000]) await put(pool, pattern(length))
  const places = await placesOf(device, shape)
  const payload = Buffer.concat(places.map(forgery))
  await putShaped(device, shape, payload)
  for (const [i, { offset }] of places.entries()) {
    const block = payload.subarray(i * blockBytes, (i + 1) * blockBytes)
    assert(device.bytes.subarray(offset, offset + blockBytes).equals(block), 'the guess was right')
  }
  return { device, payload }
}

/** The pool opens with so many records, goes on over whatever lies there, and comes back. */
async function expectRecords(device: MemoryDevice, shape: Shape, records: number, payload?: Buffer): Promise<void> {
  let pool = await open(device, shape)
  let sequence: Sequence = records
  for (let life = 0; life < 2; life++) {
    expect(pool.position.sequence).toBe(sequence)
    expect((await contents(pool)).length).toBe(sequence)
    if (payload) expect((await readAll(pool, RECORDS)).equals(payload)).toBe(true)
    expect((await pool.check()).findings).toEqual([])
    for (const length of [1, 600, 2000]) sequence = await put(pool, pattern(length, 9))
    pool = await open(device, shape)
  }
  expect(pool.position.sequence).toBe(sequence)
}

const CASES = Object.keys(SHAPES).flatMap((shape) => Object.keys(FORGERIES).map((name) => [name, shape] as const))

describe.each(CASES)('a payload of %s, %s,', (name, where) => {
  const shape = SHAPES[where]!
  const forgery = FORGERIES[name]!

  test('is a payload, after a crash and after a closing', async () => {
    const { device, payload } = await forged(forgery, shape)
    await expectRecords(copyOf(device), shape, RECORDS, payload)
    await (await open(device, shape)).close()
    await expectRecords(device, shape, RECORDS, payload)
  })

  test('is nothing when the crash took any block of the batch that names it', async () => {
    const { device } = await forged(forgery, shape)
    const { offset, bytes } = batchesOn(device.bytes)
      .filter(({ header }) => !header.seal && header.entries > 0)
      .at(-1)!
    for (let block = offset; block < offset + bytes; block += blockBytes) {
      for (const fill of [0, 0xa5]) {
        const crashed = copyOf(device)
        crashed.bytes.fill(fill, block, block + blockBytes)
        if (crashed.bytes.equals(device.bytes)) continue // The payload holds that very block.
        await expectRecords(crashed, shape, RECORDS - 1)
      }
    }
  })

  test('is nothing once it was let go and the journal has come to lie where it was', async () => {
    const { device } = await forged(forgery, shape)
    const pool = await open(device, shape)
    await release(pool, { sequence: RECORDS, payload: 0 })
    await pool.checkpoint()
    let records = RECORDS + 1
    for (const { segments } = pool.status(); pool.status().segments < segments + 6; records++) {
      await put(pool, pattern(500, records))
      if (records % 5 === 0) await expectRecords(copyOf(device), shape, records + 1)
    }
    await expectRecords(device, shape, records)
  })
})

/** Until a segment has just been begun; resolves with its only batch. */
async function beginSegment(device: MemoryDevice, pool: Pool): Promise<PlacedBatch> {
  for (const { segments } = pool.status(); pool.status().segments === segments; ) await put(pool, pattern(600))
  return batchesOn(device.bytes).at(-1)!
}

/* There the scan asks every region for a segment that the journal may have gone on in. */
test('units that hold the segment after the next are no evidence when the header of the next is torn', async () => {
  const shape = SHAPES['in units']!
  const device = await formatted()
  const places = await placesOf(device, shape)
  const dry = copyOf(device)
  const newest = await beginSegment(dry, await putShaped(dry, shape, Buffer.alloc(shape.blocks * blockBytes)))
  const ordinal = Math.floor(newest.header.lsn / blocksPerSegment) + 1
  const blocks = places.map((place) => {
    const later = { ...place, ordinal, epoch: newest.header.epoch }
    return place.block === 0 ? segmentHeader(later, STRANGER.pool) : batch(later, STRANGER.pool)
  })
  const { header, segmentOffset } = await beginSegment(device, await putShaped(device, shape, Buffer.concat(blocks)))
  expect(header.lsn).toBe(newest.header.lsn)
  device.bytes.fill(0, segmentOffset, segmentOffset + blockBytes)
  const pool = await open(copyOf(device), shape)
  expect(pool.status().recovery).toMatchObject({ verdict: 'reordered-tail', batchesDropped: 1 })
  await expectRecords(device, shape, header.firstSequence - 1)
})

/** Guards of a stranger's pool wherever a payload can lie. */
test.each([
  ['tiny', TINY_BYTES, TINY_FORMAT],
  ['real', 24 << 20, chooseFormat(24 << 20)],
])('a guard in a payload is no guard of a %s pool that has lost its first one', async (_, bytes, format) => {
  const device = new MemoryDevice(bytes)
  await formatDevice(device, format, identity())
  const places = new SingleZones(bytes, format)
  const regionsOffset = places.regionOffset(0)
  const strange = encodeGuard({ ...STRANGER, ...CONFIGURED, deviceBytes: bytes, format })
  const end = regionsOffset + places.data.regions * places.data.segmentBytes
  for (let offset = regionsOffset; offset < end; offset += format.blockBytes) strange.copy(device.bytes, offset)
  device.bytes.fill(0, places.guards[0], places.guards[0] + format.blockBytes)
  expect(await readGuard(device)).toMatchObject(identity())
})
