import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { Allocator } from '../../pool/allocator.ts'
import {
  openDevices,
  type ScrubCursor,
  type ScrubFinding,
  type ScrubOptions,
  type ScrubReport,
} from '../../pool/index.ts'
import { Pace } from '../../pool/scrub-pace.ts'
import { CrashDevice, CrashRecord, Medium, MediumDevice } from '../support/crash-device.ts'
import { crashStates } from '../support/crash-enumerator.ts'
import { pattern, preparing, put, readAll, release } from '../support/pool-client.ts'
import { keyOf, Ledger } from '../support/pool-ledger.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { ARRANGEMENTS, lose, rot, ScrubbedPool } from '../support/scrubbed-pool.ts'
import { SingleZones } from '../support/single-device.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'
import { EVERYTHING, Workload } from '../support/workload.ts'

const SEED = seedOf(5)
const NAMES = Object.keys(ARRANGEMENTS)

async function lived(name: string, records = 12) {
  const devices = new ScrubbedPool(ARRANGEMENTS[name]!)
  await devices.format()
  const pool = await devices.open()
  await put(pool, pattern(9000))
  await put(pool, pattern(4000, 2))
  for (let i = 3; i <= records; i++) await put(pool, pattern(700, i))
  await pool.checkpoint()
  return { devices, pool }
}

/** What it found, in any order and told apart by where. */
const found = ({ repaired, damaged }: ScrubReport) => [...repaired, ...damaged].map((one) => JSON.stringify(one)).sort()

describe('a scrub that is stopped', () => {
  test.each(NAMES)('at any place and gone on with finds the same in all: %s', async (name) => {
    const spoil = async () => {
      const { devices, pool } = await lived(name)
      for (const spots of [
        await devices.data(1, 3),
        await devices.data(2),
        await devices.inline(5),
        await devices.batchHeader(9),
      ])
        for (const spot of spots) rot(spot)
      rot(devices.guards()[1]!)
      rot((await devices.leafPage())[0]!)
      return pool
    }
    const cursors: ScrubCursor[] = []
    const whole = await (await spoil()).scrub({ onProgress: ({ cursor }) => void cursors.push(cursor) })
    expect(whole.damaged.length).toBeGreaterThan(3)
    expect(cursors.length).toBeGreaterThan(15)
    for (let stop = 0; stop < cursors.length; stop++) {
      const pool = await spoil()
      const abort = new AbortController()
      let seen = 0
      const onProgress = () => {
        if (seen++ === stop) abort.abort()
      }
      const first = await pool.scrub({ signal: abort.signal, onProgress })
      expect(first).toMatchObject({ finished: false, cursor: cursors[stop] })
      const cursor = JSON.parse(JSON.stringify(first.cursor)) as ScrubCursor
      const second = await pool.scrub({ cursor })
      expect(second.finished).toBe(true)
      const isOfSpace = (one: string) => one.includes('"space"') // Told after a whole scrub only.
      expect([...new Set([...found(first), ...found(second)])].sort()).toEqual(
        found(whole).filter((one) => !isOfSpace(one)),
      )
    }
  })

  test('goes on from its cursor in a pool that was opened anew, and looks at nothing twice', async () => {
    const { devices, pool } = await lived('a mirror of two')
    const abort = new AbortController()
    const first = await pool.scrub({
      signal: abort.signal,
      onProgress: ({ cursor }) => {
        if (cursor.stage === 'records' && cursor.sequence === 6) abort.abort()
      },
    })
    expect(first.cursor).toEqual({ stage: 'records', sequence: 6, payload: 0, offset: 0 })
    await pool.close()
    const [before] = await devices.data(2)
    const [after] = await devices.inline(9)
    const again = await devices.open()
    for (const spot of [before!, after!]) rot(spot)
    const second = await again.scrub({ cursor: first.cursor! })
    expect(second).toMatchObject({ finished: true, damaged: [], records: 12 - 5 })
    expect(second.repaired.map(({ subject, sequence }) => [subject, sequence])).toEqual([['inline', 9]])
    expect((await again.scrub()).repaired.map(({ subject, sequence }) => [subject, sequence])).toEqual([['payload', 2]])
  })

  test('keeps nothing from being compacted, freed or closed', async () => {
    const { devices, pool } = await lived('a mirror of two')
    for (let stop = 0; ; stop++) {
      const abort = new AbortController()
      let seen = 0
      const report = await pool.scrub({
        signal: abort.signal,
        onProgress: () => {
          if (seen++ === stop) abort.abort()
        },
      })
      if (report.finished) break
    }
    for (let sequence = 1; sequence <= 12; sequence++) await release(pool, { sequence, payload: 0 })
    for (let i = 0; i < 3; i++) await pool.checkpoint()
    expect(pool.status()).toMatchObject({ extentBytes: 0, stagedBytes: 0, segments: 2 })
    await pool.close()
    await devices.open()
  })

  test('by closing the pool ends before the devices do', async () => {
    const { pool } = await lived('one device')
    const scrub = pool.scrub({ bytesPerSecond: 1 })
    await pool.close()
    expect(await scrub).toMatchObject({ finished: false })
  })

  test('refuses to go on from nonsense, and to run twice', async () => {
    const { pool } = await lived('one device')
    const cursor = { stage: 'records', sequence: -1, payload: 0, offset: 0 } as ScrubCursor
    await expect(pool.scrub({ cursor })).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    const first = pool.scrub()
    await expect(pool.scrub()).rejects.toMatchObject({ code: 'ERR_BUSY' })
    await first
  })
})

test('a scrub reads no faster than it may', async () => {
  const { pool } = await lived('a mirror of two')
  let time = 0
  const clock = {
    now: () => time,
    sleep: async (milliseconds: number) => {
      time += milliseconds
    },
  }
  const { bytesVerified } = await pool.scrub({ bytesPerSecond: 10_000, clock })
  expect(time).toBeGreaterThan((bytesVerified / 10_000) * 1000 - 100)
  expect(time).toBeLessThan((bytesVerified / 10_000) * 1000 + 1100)
})

test('a scrub that was kept waiting makes up for one second at the most', async () => {
  let time = 0
  const slept: number[] = []
  const pace = new Pace({ now: () => time, sleep: async (milliseconds) => void slept.push(milliseconds) }, 1000)
  time = 10_000
  await pace.after(1000)
  expect(slept).toEqual([])
  await pace.after(500)
  expect(slept).toEqual([500])
})

test('each of two scrubs is told what came to be owned, and what left, since it began', () => {
  const allocator = new Allocator(new SingleZones(TINY_BYTES, TINY_FORMAT).data, 1)
  const { unit } = allocator.allocate(1)
  allocator.own(unit)
  const both = [allocator.suspectAll(), allocator.suspectAll()]
  expect(both.map((suspects) => [...suspects])).toEqual([[unit], [unit]])
  allocator.disown(unit)
  expect(both.map((suspects) => [...suspects])).toEqual([[], []])
})

test('findings are bounded, and counted beyond; neighbours are one', async () => {
  const { devices, pool } = await lived('one device')
  for (let i = 0; i < 9; i++) rot((await devices.data(1, i))[0]!)
  for (let i = 5; i < 9; i++) rot((await devices.inline(i))[0]!)
  const told: ScrubFinding[] = []
  const report = await pool.scrub({ findingsMax: 3, onFinding: (_, finding) => void told.push(finding) })
  expect(report.damaged.map(({ sequence, length }) => [sequence, length])).toEqual([
    [1, 9000],
    [5, 700],
    [6, 700],
  ])
  expect(report.damagedCount).toBe(13)
  expect(told.length).toBe(13)
})

describe('what lies in the wrong place, or is from before', () => {
  const swap = (bytes: Buffer, from: number, to: number, length: number) => bytes.copy(bytes, to, from, from + length)

  test('is told apart in a guard, a ring, a segment, a page and data, and repaired', async () => {
    const { devices, pool } = await lived('a mirror of two')
    const [leg] = devices.devices
    const [data] = await devices.data(1, 2)
    const [other] = await devices.data(1, 5)
    const [batch] = await devices.batchHeader(5)
    const [later] = await devices.batchHeader(9)
    const [segment] = await devices.segmentHeader(3)
    const [last] = await devices.segmentHeader(12)
    const [leaf] = await devices.leafPage()
    const [root] = await devices.rootPage()
    const [newest] = await devices.newestSuperblocks()
    const [older] = await devices.olderSuperblocks()
    const [guard] = devices.guards()
    const before = devices.image
    swap(leg!.bytes, other!.offset, data!.offset, 1024)
    swap(leg!.bytes, later!.offset, batch!.offset, 512)
    swap(leg!.bytes, last!.offset, segment!.offset, 512)
    swap(leg!.bytes, root!.offset, leaf!.offset, 512)
    swap(leg!.bytes, older!.offset, newest!.offset, 512)
    swap(leg!.bytes, TINY_BYTES - 512 * 4, guard!.offset, 512)
    const report = await pool.scrub()
    expect(report.damaged).toEqual([])
    expect(report.repaired.map(({ subject, kind, member }) => [subject, kind, member])).toEqual([
      ['guard', 'misdirected', 0],
      ['superblock', 'misdirected', 0],
      ['page', 'misdirected', 0],
      ['segment', 'misdirected', 0],
      ['payload', 'misdirected', 0],
      ['batch', 'misdirected', 0],
      ['inline', 'misdirected', 0], // It begins in the block of the batch's header.
    ])
    expect(devices.image.equals(before)).toBe(true)
  })

  test('an older superblock that is damaged is harmless, and told', async () => {
    const { devices, pool } = await lived('one device')
    rot((await devices.olderSuperblocks())[0]!)
    const { repaired, damaged } = await pool.scrub()
    expect(damaged).toEqual([])
    expect(repaired).toEqual([
      expect.objectContaining({ subject: 'superblock', note: expect.stringContaining('older') }),
    ])
    expect((await pool.scrub()).repaired).toEqual([])
  })

  test('a batch of a dropped tail, left where a write got lost, is stale', async () => {
    const devices = new ScrubbedPool(ARRANGEMENTS['a mirror of two']!)
    await devices.format()
    const first = await devices.open()
    await put(first, pattern(300))
    const kept = devices.devices.map(({ bytes }) => Buffer.from(bytes))
    await put(first, pattern(300, 2))
    const [dropped] = await devices.batchHeader(2)
    const old = Buffer.from(dropped!.device.bytes.subarray(dropped!.offset, dropped!.offset + 512))
    for (const [i, { bytes }] of devices.devices.entries()) kept[i]!.copy(bytes) // The second was never flushed.
    const pool = await devices.open()
    await put(pool, pattern(300, 3))
    await put(pool, pattern(300, 4))
    const spots = await devices.batchHeader(2)
    expect(spots[0]!.offset).toBe(dropped!.offset)
    old.copy(spots[0]!.device.bytes, spots[0]!.offset)
    const { repaired, damaged } = await pool.scrub()
    expect(damaged).toEqual([])
    expect(repaired[0]).toMatchObject({ subject: 'batch', kind: 'stale', member: 0, sequence: 2 })
    expect(await readAll(pool, 2)).toEqual(pattern(300, 3))
    for (const { device, offset } of spots) old.copy(device.bytes, offset)
    const lost = await pool.scrub()
    expect(lost.damaged).toEqual([expect.objectContaining({ subject: 'batch', kind: 'stale' })])
  })
})

test('the last batch of all, stale in every copy, is told: the journal knows what it wrote', async () => {
  const devices = new ScrubbedPool(ARRANGEMENTS['a mirror of two']!)
  await devices.format()
  const first = await devices.open()
  await put(first, pattern(300))
  const kept = devices.devices.map(({ bytes }) => Buffer.from(bytes))
  await put(first, pattern(300, 2))
  const [dropped] = await devices.batchHeader(2)
  const old = Buffer.from(dropped!.device.bytes.subarray(dropped!.offset, dropped!.offset + 512))
  for (const [i, { bytes }] of devices.devices.entries()) kept[i]!.copy(bytes)
  const pool = await devices.open()
  await put(pool, pattern(300, 3))
  for (const { device, offset } of await devices.batchHeader(2)) old.copy(device.bytes, offset)
  const { damaged } = await pool.scrub()
  expect(damaged).toEqual([expect.objectContaining({ subject: 'batch', kind: 'stale' })])
})

test('legs that have rotted at different places of one unit, or one batch, mend each other', async () => {
  const { devices, pool } = await lived('a mirror of two')
  const before = devices.image
  const units = await devices.data(1, 2)
  const batches = await devices.batchHeader(5)
  units.forEach(({ device, offset }, leg) => {
    device.bytes[offset + leg * 512]! ^= 1
  })
  lose({ ...batches[0]!, length: 512 })
  batches[1]!.device.bytes[batches[1]!.offset + 600]! ^= 1
  const { damaged, repaired } = await pool.scrub()
  expect(damaged).toEqual([])
  expect(repaired.length).toBeGreaterThanOrEqual(4)
  expect(devices.image.equals(before)).toBe(true)
})

describe('space that a damaged manifest keeps owned', () => {
  async function stuck() {
    const { devices, pool } = await lived('one device')
    const { extentBytes } = pool.status()
    rot((await devices.manifest(1))[0]!)
    await release(pool, { sequence: 1, payload: 0 })
    await pool.checkpoint()
    expect(pool.status().extentBytes).toBe(extentBytes)
    return { devices, pool }
  }

  test('is free after a scrub that could read everything else, and stays so', async () => {
    const { devices, pool } = await stuck()
    const { repaired, damaged } = await pool.scrub()
    expect(damaged).toEqual([])
    expect(repaired).toEqual([expect.objectContaining({ subject: 'space', kind: 'unnamed' })])
    expect(pool.status().extentBytes).toBe(5120)
    await pool.checkpoint()
    expect(pool.status().stagedBytes).toBe(0)
    expect((await pool.check()).findings).toEqual([])
    await pool.close()
    const again = await devices.open()
    expect((await again.check()).findings).toEqual([])
    expect(await readAll(again, 2)).toEqual(pattern(4000, 2))
  })

  test('stays taken while damage elsewhere may hide its owner', async () => {
    const { devices, pool } = await stuck()
    rot((await devices.batchHeader(7))[0]!)
    const { extentBytes } = pool.status()
    const { damaged } = await pool.scrub()
    expect(damaged.map(({ subject }) => subject)).toEqual(['batch', 'space'])
    expect(pool.status().extentBytes).toBe(extentBytes)
  })

  test('is not mistaken for what uploads and heirs own', async () => {
    const { pool } = await stuck()
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(3000, 5))
    await transaction.prepare(preparing(payload))
    let sequence = 0
    const onProgress: ScrubOptions['onProgress'] = async ({ cursor }) => {
      if (cursor.stage !== 'records' || sequence > 0) return
      await payload.write(pattern(3000, 6))
      sequence = await transaction.commit(() => ({
        records: [{ content: Buffer.from('heir'), payloads: [payload] }],
        releases: [],
      }))
    }
    const { repaired } = await pool.scrub({ onProgress })
    expect(repaired.map(({ subject }) => subject)).toEqual(['space'])
    expect(sequence).toBeGreaterThan(0)
    expect(await readAll(pool, sequence)).toEqual(Buffer.concat([pattern(3000, 5), pattern(3000, 6)]))
    for (let i = 0; i < 3; i++) await pool.checkpoint()
    await put(pool, pattern(9000, 7))
    expect(await readAll(pool, sequence)).toEqual(Buffer.concat([pattern(3000, 5), pattern(3000, 6)]))
    expect((await pool.check()).findings).toEqual([])
  })
})

test.each(NAMES)(
  `commits, deletes and compaction underway are never taken for damage: %s (seed ${SEED})`,
  async (name) => {
    const devices = new ScrubbedPool(ARRANGEMENTS[name]!)
    await devices.format()
    const random = seededRandom(SEED)
    const pool = await devices.open({ tuning: { indexesMax: 2 } })
    const ledger = new Ledger()
    const work = new Workload({ pool, ledger, random, liveBytesMax: 40_000, mix: EVERYTHING, mark: () => {} })
    await work.run(60)
    for (let round = 0; round < 6; round++) {
      let steps = 0
      const onProgress = async () => {
        if (steps++ < 120) await work.run(1)
      }
      const both = Promise.all([pool.scrub({ onProgress }), work.run(40)])
      const [report] = await both
      expect(report).toMatchObject({ finished: true, damaged: [], repaired: [] })
    }
    for (const [key, bytes] of ledger.expect().live) {
      const [sequence, payload] = key.split('.').map(Number)
      expect(keyOf({ sequence: sequence!, payload: payload! })).toBe(key)
      assert(bytes.equals(await readAll(pool, sequence!, payload!)))
    }
    expect((await pool.check()).findings).toEqual([])
  },
)

test(`power failure in the middle of a repair makes nothing worse (seed ${SEED})`, async () => {
  const random = seededRandom(SEED)
  const { devices, pool } = await lived('a mirror of two')
  await pool.close()
  await (await devices.open()).close()
  for (const find of [
    devices.data(1, 2),
    devices.data(2),
    devices.inline(5),
    devices.batchHeader(9),
    devices.manifest(1),
  ])
    rot((await find)[0]!)
  rot((await devices.inline(6))[1]!)
  rot(devices.guards()[0]!)
  const medium = new Medium(2 * TINY_BYTES)
  devices.image.copy(medium.bytes)
  const windows = [0, TINY_BYTES].map((start) => ({ start, size: TINY_BYTES }))
  const record = new CrashRecord<never>()
  const recorded = windows.map((window) => new CrashDevice<never>(medium, { window, record, random }))
  const start = medium.mark()
  const opened = await openDevices(recorded, tiny())
  const { repaired, damaged } = await opened.scrub()
  expect(damaged).toEqual([])
  expect(repaired.length).toBeGreaterThanOrEqual(6) // Recovery itself has mended what it read.
  const image = medium.mark()
  expect(image).toBeGreaterThan(start)
  medium.rollback(start)
  let states = 0
  for (const state of crashStates(medium, record.trace, { random, exhaustiveMax: 4, tears: 3 })) {
    const before = medium.mark()
    try {
      const after = await openDevices(
        windows.map((window) => new MediumDevice(medium, window)),
        tiny(),
      )
      expect(await readAll(after, 1)).toEqual(pattern(9000))
      expect(await readAll(after, 2)).toEqual(pattern(4000, 2))
      for (let i = 3; i <= 12; i++) expect(await readAll(after, i)).toEqual(pattern(700, i))
      expect((await after.scrub()).damaged).toEqual([])
    } catch (error) {
      throw new Error(`after ${state.name}, seed ${SEED}`, { cause: error })
    }
    medium.rollback(before)
    states++
  }
  expect(states).toBeGreaterThan(30)
})
