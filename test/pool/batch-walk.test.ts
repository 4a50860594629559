import { describe, expect, test } from 'vitest'
import { BatchWalk, type WalkGround } from '../../pool/batch-walk.ts'
import type { Pool } from '../../pool/index.ts'
import type { Segment } from '../../pool/segment.ts'
import { batchesOn, contents, formatted, pattern, put, readAll } from '../support/pool-client.ts'
import { ARRANGEMENTS, rot, ScrubbedPool, type Spot } from '../support/scrubbed-pool.ts'
import { openDevice, SingleZones } from '../support/single-device.ts'
import { identity, TINY_FORMAT, TINY_TUNING, tiny } from '../support/tiny-pool.ts'

const DROPPED = 4
/** The last of its segment: they are of two blocks each, and a segment has sixteen. */
const LAST_OF_SEGMENT = 7
const RECORDS = 60

/** Bytes of the batch of record `sequence`, and where on each leg they lie. */
async function batchOf(mirror: ScrubbedPool, sequence: number): Promise<{ bytes: Buffer; legs: Spot[] }> {
  const blocks = await mirror.batchBlocks(sequence)
  const [first] = blocks
  const length = blocks.length * 512
  const legs = first!.map(({ device, offset }) => ({ device, offset, length }))
  const { device, offset } = legs[0]!
  return { bytes: Buffer.from(device.bytes.subarray(offset, offset + length)), legs }
}

/** One record with several payloads. */
async function putAll(pool: Pool, lengths: readonly number[]): Promise<void> {
  const transaction = pool.begin()
  const payloads = lengths.map(() => transaction.stage())
  for (const [i, length] of lengths.entries()) await payloads[i]!.write(pattern(length, 99))
  await transaction.commit(() => ({ records: [{ content: Buffer.from('dropped'), payloads }], releases: [] }))
}

/**
 * A mirror on which a batch of an earlier life was dropped, for it was never flushed, and that was written over since:
 * `stale` is that batch, whole, following from the one before, and of the same record.
 */
async function leftOver(at: { last: boolean; lengths?: readonly number[]; dropped?: number }) {
  const { pool, ...left } = await leftOverIn(at)
  await pool.close()
  return left
}

async function leftOverIn(at: { last: boolean; lengths?: readonly number[]; dropped?: number }) {
  const { last, lengths = [400], dropped = DROPPED } = at
  const mirror = new ScrubbedPool(ARRANGEMENTS['a mirror of two']!)
  await mirror.format()
  const first = await mirror.open()
  for (let i = 1; i < dropped; i++) await put(first, pattern(400, i))
  const kept = mirror.devices.map(({ bytes }) => Buffer.from(bytes))
  await putAll(first, lengths)
  const stale = (await batchOf(mirror, dropped)).bytes
  for (const [i, { bytes }] of mirror.devices.entries()) kept[i]!.copy(bytes)
  const pool = await mirror.open({ tuning: { ...TINY_TUNING, indexesMax: RECORDS } })
  for (let i = dropped; i <= (last ? dropped : RECORDS); i++) await put(pool, pattern(400, i))
  return { mirror, pool, stale, legs: (await batchOf(mirror, dropped)).legs }
}

/** No index stays in memory for long: every record is looked up on the medium. */
const open = (mirror: ScrubbedPool) => mirror.open({ tuning: { ...TINY_TUNING, indexesMax: 1 } })

async function firstFrom(pool: Pool, from: number): Promise<string | undefined> {
  for await (const { content } of pool.replay(from)) return Buffer.from(content).toString()
  return undefined
}

async function expectWhole(pool: Pool, last = RECORDS): Promise<void> {
  for (let i = 1; i <= last; i++) expect(await readAll(pool, i)).toEqual(pattern(400, i))
  expect((await contents(pool)).length).toBe(last)
}

describe('a batch left where a write got lost, whole and following from the one before', () => {
  test.each([
    ['as long as the right one', [400], 0],
    ['shorter than it', [10], -1],
    ['longer than it', [690, 690], 1],
  ])('%s, on one leg, gives way to the other, and is written over', async (_, lengths, difference) => {
    const { mirror, stale, legs } = await leftOver({ last: false, lengths })
    expect(Math.sign(stale.length - legs[0]!.length)).toBe(difference)
    stale.copy(legs[0]!.device.bytes, legs[0]!.offset)
    await expectWhole(await open(mirror))
    const { bytes } = await batchOf(mirror, DROPPED)
    expect(bytes.subarray(0, 128).equals(stale.subarray(0, 128))).toBe(false)
  })

  test.each([true, false])('gives way in the life that lost the write, too, the last: %s', async (last) => {
    const { pool, stale, legs } = await leftOverIn({ last })
    expect(stale.length).toBe(legs[0]!.length)
    stale.copy(legs[0]!.device.bytes, legs[0]!.offset)
    await expectWhole(pool, last ? DROPPED : RECORDS)
    for (const { device, offset } of legs) stale.copy(device.bytes, offset)
    await expect(pool.record(DROPPED)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await expect(readAll(pool, DROPPED)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await expect(contents(pool)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  })

  test.each([true, false])('gives way where a replay begins with it, the last: %s', async (last) => {
    const { pool, stale, legs } = await leftOverIn({ last })
    stale.copy(legs[0]!.device.bytes, legs[0]!.offset)
    expect(await firstFrom(pool, DROPPED)).toBe(`record ${DROPPED}`)
    for (const { device, offset } of legs) stale.copy(device.bytes, offset)
    await expect(firstFrom(pool, DROPPED)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    if (!last) expect(await firstFrom(pool, DROPPED + 1)).toBe(`record ${DROPPED + 1}`)
  })

  test('is refused where a replay begins with it, though what follows is lost', async () => {
    const { mirror, pool, stale, legs } = await leftOverIn({ last: false })
    const next = await batchOf(mirror, DROPPED + 1)
    for (const spot of next.legs) rot({ ...spot, length: 128 })
    for (const { device, offset } of legs) stale.copy(device.bytes, offset)
    await expect(firstFrom(pool, DROPPED)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  })

  test('on both legs is refused: the records concerned, and nothing of it is shown', async () => {
    const { mirror, stale, legs } = await leftOver({ last: false })
    for (const { device, offset } of legs) stale.copy(device.bytes, offset)
    const pool = await open(mirror)
    await expect(pool.record(DROPPED)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await expect(readAll(pool, DROPPED)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    for (let i = RECORDS - 20; i <= RECORDS; i++) expect(await readAll(pool, i)).toEqual(pattern(400, i))
    expect((await pool.check()).findings).not.toEqual([])
  })

  test('at the end of the checkpoint, on one leg, gives way: the superblock knows the last', async () => {
    const { mirror, stale, legs } = await leftOver({ last: true })
    stale.copy(legs[0]!.device.bytes, legs[0]!.offset)
    await expectWhole(await open(mirror), DROPPED)
    const other = await leftOver({ last: true })
    for (const { device, offset } of other.legs) stale.copy(device.bytes, offset)
    await expect(open(other.mirror)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  })

  test('at the end of a segment, on one leg, gives way: the header of the next one knows the last', async () => {
    const dropped = LAST_OF_SEGMENT
    const { mirror, stale, legs } = await leftOver({ last: false, dropped })
    const [next] = await mirror.segmentHeader(dropped + 1)
    expect(next!.offset).not.toBe((await mirror.segmentHeader(dropped))[0]!.offset)
    stale.copy(legs[0]!.device.bytes, legs[0]!.offset)
    await expectWhole(await open(mirror))
    for (const { device, offset } of legs) stale.copy(device.bytes, offset)
    await expect(readAll(await open(mirror), dropped)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  })

  test.each([0, 1])('on leg %i is neither shown nor copied when what follows is lost', async (leg) => {
    const { mirror, stale, legs } = await leftOver({ last: false })
    const next = await batchOf(mirror, DROPPED + 1)
    for (const spot of next.legs) rot({ ...spot, length: 128 })
    stale.copy(legs[leg]!.device.bytes, legs[leg]!.offset)
    const { device, offset, length } = legs[1 - leg]!
    const right = Buffer.from(device.bytes.subarray(offset, offset + length))
    const seen: string[] = []
    const replay = async (pool: Pool) => {
      for await (const { content } of pool.replay(1)) seen.push(Buffer.from(content).toString())
    }
    await expect(replay(await open(mirror))).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    expect(seen).toEqual(['record 1', 'record 2', 'record 3', 'record 4'])
    // Told which are lost, whoever asks for it goes on with the next segment.
    const lost: unknown[] = []
    const read: number[] = []
    for await (const { sequence } of (await open(mirror)).replay(3, (...what) => lost.push(what))) read.push(sequence)
    expect(lost).toEqual([[5, LAST_OF_SEGMENT, expect.objectContaining({ code: 'ERR_CORRUPT' })]])
    expect(read).toEqual([
      3,
      4,
      ...Array.from({ length: RECORDS - LAST_OF_SEGMENT }, (_, at) => LAST_OF_SEGMENT + 1 + at),
    ])
    expect(device.bytes.subarray(offset, offset + length).equals(right)).toBe(true)
  })

  test('of another record, the first of a segment, is not shown when what follows is lost', async () => {
    const mirror = new ScrubbedPool(ARRANGEMENTS['a mirror of two']!)
    await mirror.format()
    const first = await mirror.open()
    for (let i = 1; i < LAST_OF_SEGMENT; i++) await put(first, pattern(400, i))
    const kept = mirror.devices.map(({ bytes }) => Buffer.from(bytes))
    for (let i = 0; i < 2; i++) await putAll(first, [10])
    await putAll(first, [400]) // Record 9, where record 8 will be.
    const stale = (await batchOf(mirror, 9)).bytes
    for (const [i, { bytes }] of mirror.devices.entries()) kept[i]!.copy(bytes)
    const pool = await mirror.open()
    for (let i = LAST_OF_SEGMENT; i <= RECORDS; i++) await put(pool, pattern(400, i))
    await pool.close()
    const [place] = (await batchOf(mirror, 8)).legs
    for (const spot of (await batchOf(mirror, 9)).legs) rot({ ...spot, length: 128 })
    stale.copy(place!.device.bytes, place!.offset)
    const seen: string[] = []
    const replay = async () => {
      for await (const { sequence, content } of (await open(mirror)).replay(8)) seen.push(`${sequence}: ${content}`)
    }
    await expect(replay()).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    expect(seen).toEqual(['8: record 8'])
  })
})

test('a batch that was written over by a whole one of elsewhere is read from the other leg', async () => {
  const { mirror, legs } = await leftOver({ last: false })
  const other = await batchOf(mirror, DROPPED + 2)
  other.bytes.copy(legs[0]!.device.bytes, legs[0]!.offset)
  await expectWhole(await open(mirror))
})

test.each([
  ['begin with another record than the first', { firstSequence: 2, nextSequence: 4 }, []],
  ['end with another record than the last', { firstSequence: 1, nextSequence: 5 }, [1, 2]],
  ['are those of the segment', { firstSequence: 1, nextSequence: 4 }, [1, 2, 3]],
])('batches that %s, as the checkpoint tells it', async (_, sequences, whole) => {
  const device = await formatted()
  const pool = await openDevice(device, tiny())
  for (let i = 1; i <= 3; i++) await put(pool, pattern(100, i))
  const batches = batchesOn(device.bytes)
  const { segmentOffset } = batches[0]!
  const ground: WalkGround = {
    zones: new SingleZones(device.limits.size, TINY_FORMAT).data,
    pool: identity().pool,
    all: [],
    readAhead: async () => Buffer.alloc(0),
    read: async (_segment, offset, length, isRight) => {
      const bytes = device.bytes.subarray(segmentOffset + offset, segmentOffset + offset + length)
      return isRight(bytes) ? bytes : undefined
    },
  }
  const segment = { ordinal: 0, compacted: false, regions: [0], blocks: 4, ...sequences } as unknown as Segment
  const seen: number[] = []
  const walk = async () => {
    for await (const { header } of new BatchWalk(ground, segment).batches()) seen.push(header.firstSequence)
  }
  if (whole.length === 3) await walk()
  else await expect(walk()).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  expect(seen).toEqual(whole)
})
