import { describe, expect, test } from 'vitest'
import { formatDevices } from '../../pool/create.ts'
import { type Geometry, MemoryDevice, openDevices } from '../../pool/index.ts'
import { memberZonesOf } from '../../pool/zones.ts'
import { FailingDevice } from '../support/failing-device.ts'
import {
  concat,
  copyOf,
  devices,
  formatted,
  mirrored,
  POOL,
  recorded,
  states,
  striped,
} from '../support/member-devices.ts'
import { pattern, put, readAll, release } from '../support/pool-client.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

describe('a concat pool', () => {
  test('grows by a device while it is open', async () => {
    const [one, two, three] = await formatted(3, concat)
    await formatDevices([one!], { format: TINY_FORMAT }, { pool: POOL, members: [Buffer.alloc(16, 2)] })
    const pool = await openDevices([one!], tiny())
    const before = pool.status()
    const first = await put(pool, pattern(9000))
    await pool.addMember(two!)
    await pool.addMember(three!)
    expect(pool.status().bytes).toBe(3 * before.bytes)
    const more: number[] = []
    for (let i = 0; i < 50; i++) more.push(await put(pool, pattern(9000, i)))
    const reopened = await openDevices([three!, one!, two!], tiny())
    expect(await readAll(reopened, first)).toEqual(pattern(9000))
    for (const [i, sequence] of more.entries()) expect(await readAll(reopened, sequence)).toEqual(pattern(9000, i))
    for (const sequence of [first, ...more]) await release(reopened, { sequence, payload: 0 })
    await reopened.checkpoint()
    await reopened.close()
    const last = await openDevices([one!, two!, three!], tiny())
    expect(last.status().extentBytes).toBe(0)
    expect((await last.check()).findings).toEqual([])
  })

  test('refuses a device without room for one segment, and goes on', async () => {
    const pool = await openDevices(await formatted(2, concat), tiny())
    const small = new MemoryDevice(16 * 512)
    await expect(pool.addMember(small)).rejects.toThrow(/hold no segment/)
    expect(small.bytes.every((byte) => byte === 0)).toBe(true)
    await put(pool, pattern(600))
    expect(pool.status()).toMatchObject({ state: 'open', health: 'ok' })
  })

  test('does not know a device of which no superblock tells', async () => {
    const [one, two] = await formatted(2, concat)
    await formatDevices([one!], { format: TINY_FORMAT }, { pool: POOL, members: [Buffer.alloc(16, 2)] })
    const pool = await openDevices([one!], tiny())
    const alone = copyOf(one!)
    await pool.addMember(two!)
    for (const ring of memberZonesOf(TINY_BYTES, TINY_FORMAT).rings) two!.bytes.fill(0, ring, ring + 3 * 512)
    expect(states(await openDevices([alone, two!], tiny()))).toEqual(['in-sync'])
  })

  test.each([mirrored, striped])('is the only one that grows: a $layout refuses', async (geometry) => {
    const pool = await openDevices(await formatted(2, geometry), tiny())
    const [more] = devices(1)
    await expect(pool.addMember(more!)).rejects.toThrow(/R24_RESHAPE/)
    expect(more!.bytes.every((byte) => byte === 0)).toBe(true)
  })
})

describe('two runs of the journal', () => {
  const twice: Geometry = { ...concat, runs: 2 }

  test('lie on distinct members, and either mends the other', async () => {
    const found = await formatted(2, twice)
    const pool = await openDevices(found, tiny())
    const sequences: number[] = []
    for (let i = 0; i < 40; i++) sequences.push(await put(pool, pattern(600, i)))
    expect(pool.atomicity().redundancy).toMatchObject({ dataCopies: 1, journalCopies: 2 })
    await pool.close()
    const { dataOffset } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
    // Everything but what lies behind the regions, where the pages are.
    found[0]!.bytes.fill(0x5a, dataOffset, dataOffset + 20 * TINY_FORMAT.segmentBytes)
    const reopened = await openDevices(found, tiny())
    for (const [i, sequence] of sequences.entries()) expect(await readAll(reopened, sequence)).toEqual(pattern(600, i))
    expect((await reopened.check()).findings).toEqual([])
    expect(reopened.status().mended).toBeGreaterThan(0)
  })
})

describe('a page tree that grows taller', () => {
  const alone = async () => {
    const [one] = devices(1)
    await formatDevices([one!], { format: TINY_FORMAT }, { pool: POOL, members: [Buffer.alloc(16, 2)] })
    return one!
  }

  test.each([
    ['by one level', TINY_BYTES],
    ['by two levels', 12 << 20],
  ])('%s loses nothing, though nothing was changed before the pool is closed', async (_, bytes) => {
    const one = await alone()
    const [two] = devices(1, bytes)
    const pool = await openDevices([one, two!].slice(0, 1), tiny())
    const sequence = await put(pool, pattern(9000))
    await pool.checkpoint()
    await pool.addMember(two!)
    await pool.close()
    const again = await openDevices([one, two!], tiny())
    expect(await readAll(again, sequence)).toEqual(pattern(9000))
    await again.close()
    expect((await (await openDevices([one, two!], tiny())).check()).findings).toEqual([])
  })

  test('by two levels keeps the pages of the old ones when only new ones change', async () => {
    const one = await alone()
    const [two] = devices(1, 12 << 20)
    const pool = await openDevices([one], tiny())
    const put9000 = (seed: number) => put(pool, Buffer.alloc(9000, seed))
    const sequences: number[] = []
    for (let i = 0; i < 12; i++) sequences.push(await put9000(i))
    await pool.checkpoint()
    await pool.addMember(two!)
    for (let i = 12; i < 60; i++) sequences.push(await put9000(i))
    await pool.checkpoint()
    for (let i = 60; i < 80; i++) sequences.push(await put9000(i))
    await pool.close()
    const again = await openDevices([two!, one], tiny())
    for (const [i, sequence] of sequences.entries()) {
      expect((await readAll(again, sequence)).equals(Buffer.alloc(9000, i))).toBe(true)
    }
    expect((await again.check()).findings).toEqual([])
  })

  test('survives a crash at every write while it grows', async () => {
    const one = await alone()
    const [two] = devices(1)
    const pool = await openDevices([one], tiny())
    const sequence = await put(pool, pattern(9000))
    const moments = recorded([one, two!])
    await pool.addMember(two!)
    const later = await put(pool, pattern(5000, 2))
    await pool.close()
    const all = moments()
    for (const found of all) {
      const both = await openDevices(found, tiny())
      expect(await readAll(both, sequence)).toEqual(pattern(9000))
      expect((await both.check()).findings).toEqual([])
    }
    expect(await readAll(await openDevices(all.at(-1)!, tiny()), later)).toEqual(pattern(5000, 2))
  })
})

describe('a device that cannot be added', () => {
  test.each([0.5, 1, 2])('for it has only %f segments leaves the pool as it was', async (segments) => {
    const [one] = devices(1)
    await formatDevices([one!], { format: TINY_FORMAT }, { pool: POOL, members: [Buffer.alloc(16, 2)] })
    const pool = await openDevices([one!], tiny())
    const small = new FailingDevice(Math.floor(TINY_FORMAT.segmentBytes * segments))
    await expect(pool.addMember(small)).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    expect(small.bytes.every((byte) => byte === 0)).toBe(true)
    await put(pool, pattern(600))
  })

  test('for its blocks are larger than those of the pool is refused', async () => {
    const [one] = devices(1)
    await formatDevices([one!], { format: TINY_FORMAT }, { pool: POOL, members: [Buffer.alloc(16, 2)] })
    const pool = await openDevices([one!], tiny())
    await expect(pool.addMember(new MemoryDevice(TINY_BYTES, 4096))).rejects.toThrow(/R06_LBS_MIXED/)
    await put(pool, pattern(600))
  })

  test('since it fails when the superblock comes to it leaves the pool as it was', async () => {
    const [one, two] = devices(2)
    await formatDevices([one!], { format: TINY_FORMAT }, { pool: POOL, members: [Buffer.alloc(16, 2)] })
    const pool = await openDevices([one!], tiny())
    let writes = 0
    two!.before = (request) => {
      if (request === 'write' && ++writes > 4) two!.fails = 'write'
    }
    await expect(pool.addMember(two!)).rejects.toMatchObject({ code: 'ERR_IO' })
    await put(pool, pattern(600))
    await pool.close()
    await openDevices([one!], tiny())
  })
})
