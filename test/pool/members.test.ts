import { describe, expect, test, vi } from 'vitest'
import { formatDevices } from '../../pool/create.ts'
import { type Geometry, MemoryDevice, openDevices, type Pool, PoolError } from '../../pool/index.ts'
import { readSuperblock } from '../../pool/superblock.ts'
import { memberZonesOf } from '../../pool/zones.ts'
import { FailingDevice } from '../support/failing-device.ts'
import { contents, pattern, put, readAll, release } from '../support/pool-client.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { ARRANGEMENTS, rot, ScrubbedPool, type Spot } from '../support/scrubbed-pool.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

const SEED = seedOf(7)
const POOL = Buffer.alloc(16, 1)
const mirrored: Geometry = { layout: 'mirror', stripeUnit: 0, legs: 2, runs: 1 }
const concat: Geometry = { layout: 'concat', stripeUnit: 0, legs: 1, runs: 1 }
const striped: Geometry = { layout: 'stripe', stripeUnit: 1024, legs: 1, runs: 1 }

function devices(count: number, bytes = TINY_BYTES): FailingDevice[] {
  return Array.from({ length: count }, () => new FailingDevice(bytes))
}

async function formatted(count: number, geometry: Geometry, bytes = TINY_BYTES): Promise<FailingDevice[]> {
  const made = devices(count, bytes)
  const members = made.map((_, i) => Buffer.alloc(16, i + 2))
  await formatDevices(made, { format: TINY_FORMAT, geometry }, { pool: POOL, members })
  return made
}

function copyOf(device: MemoryDevice): FailingDevice {
  const copy = new FailingDevice(device.limits.size)
  copy.bytes.set(device.bytes)
  return copy
}

const states = (pool: { status(): { members: readonly { state: string }[] } }) =>
  pool.status().members.map(({ state }) => state)

const newestSerial = async (device: MemoryDevice) =>
  (await readSuperblock(device, memberZonesOf(device.limits.size, TINY_FORMAT), POOL))?.serial

describe('a leg of a mirror', () => {
  test.each(['write', 'flush'] as const)('that fails to %s drops out, and no commit is lost', async (kind) => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(5000))
    const before = await newestSerial(one!)
    two!.fails = kind
    const sequence = await put(pool, pattern(5000, 2))
    expect(states(pool)).toEqual(['in-sync', 'stale'])
    expect(await newestSerial(one!)).toBeGreaterThan(before!)
    expect(await readAll(pool, sequence)).toEqual(pattern(5000, 2))
    expect(pool.atomicity()).toMatchObject({ state: 'degraded', redundancy: { dataCopies: 1, stale: [1] } })
    await pool.close()
    two!.fails = undefined
    const again = await openDevices([two!, one!], tiny())
    expect(states(again)).toEqual(['in-sync', 'stale'])
    expect((await contents(again)).length).toBe(2)
  })

  test('is on record as stale before the write that found it out is acknowledged', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    two!.fails = 'write'
    await put(pool, pattern(600))
    const survivor = await openDevices([copyOf(one!), copyOf(two!)], tiny())
    expect(states(survivor)).toEqual(['in-sync', 'stale'])
    expect((await contents(survivor)).length).toBe(1)
  })

  test('that is the last one halts the pool when it fails', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    two!.fails = 'flush'
    await put(pool, pattern(600))
    one!.fails = 'flush'
    await expect(put(pool, pattern(600))).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' })
    expect(pool.status().state).toBe('halted')
  })

  test('that has rotted is mended by the one that has not', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const small = await put(pool, pattern(600))
    const large = await put(pool, pattern(9000, 3))
    const { dataOffset, dataBytes } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
    one!.bytes.fill(0x5a, dataOffset, dataOffset + dataBytes)
    expect(await readAll(pool, small)).toEqual(pattern(600))
    expect(await readAll(pool, large)).toEqual(pattern(9000, 3))
    expect(pool.status().mended).toBeGreaterThan(0)
    two!.bytes.fill(0x5a, dataOffset, dataOffset + dataBytes)
    expect(await readAll(pool, large)).toEqual(pattern(9000, 3))
  })

  test('that is missing is done without only when asked for', async () => {
    const [one, two] = await formatted(2, mirrored)
    await (await openDevices([one!, two!], tiny())).close()
    await expect(openDevices([one!], tiny())).rejects.toThrow(/is missing: the pool opens without it only when asked/)
    const pool = await openDevices([one!], tiny({ degraded: true }))
    expect(states(pool)).toEqual(['in-sync', 'missing'])
    await put(pool, pattern(600))
    await pool.close()
    const back = await openDevices([one!, two!], tiny())
    expect(states(back)).toEqual(['in-sync', 'stale'])
    expect((await contents(back)).length).toBe(1)
  })

  test('that was rolled back to an old copy is no source', async () => {
    const [one, two] = await formatted(2, mirrored)
    const old = copyOf(two!)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(600))
    await pool.close()
    await expect(openDevices([one!, old], tiny())).rejects.toThrow(/rolled back/)
    const degraded = await openDevices([old, one!], tiny({ degraded: true }))
    expect(states(degraded)).toEqual(['in-sync', 'stale'])
    expect((await contents(degraded)).length).toBe(1)
  })
})

describe('what does not belong together is refused, and left as it was', () => {
  async function refused(found: readonly MemoryDevice[], message: RegExp): Promise<void> {
    const before = found.map(({ bytes }) => Buffer.from(bytes))
    await expect(openDevices(found, tiny({ degraded: true }))).rejects.toThrow(message)
    expect(found.map(({ bytes }, i) => bytes.equals(before[i]!))).toEqual(found.map(() => true))
  }

  test('legs that went on without each other', async () => {
    const [one, two] = await formatted(2, mirrored)
    for (const leg of [one!, two!]) {
      const pool = await openDevices([leg], tiny({ degraded: true }))
      await put(pool, pattern(600))
      await pool.close()
    }
    await refused([one!, two!], /R25_FOREIGN: the pool has split/)
  })

  test.each([
    ['of one length', 600, 601],
    ['of two lengths', 20, 650],
  ])('legs to which two pools that took themselves for one have written batches %s', async (_, ...lengths) => {
    const [one, two] = await formatted(2, mirrored)
    const legs: FailingDevice[] = []
    for (const [i, length] of lengths.entries()) {
      const both = [copyOf(one!), copyOf(two!)]
      await put(await openDevices(both, tiny()), pattern(length))
      legs.push(both[i]!)
    }
    await refused(legs, /R25_FOREIGN: two copies hold different batches/)
  })

  test('members of two pools', async () => {
    const [one] = await formatted(2, mirrored)
    const other = devices(2)
    const members = [Buffer.alloc(16, 8), Buffer.alloc(16, 9)]
    await formatDevices(other, { format: TINY_FORMAT, geometry: mirrored }, { pool: Buffer.alloc(16, 7), members })
    await refused([one!, other[1]!], /R25_FOREIGN: .* belongs to another pool/)
  })

  test('a member and its copy', async () => {
    const [one] = await formatted(2, mirrored)
    await refused([one!, copyOf(one!)], /R25_FOREIGN: two devices are member/)
  })

  test.each([concat, striped])('a $layout pool without one of its members', async (geometry) => {
    const [one] = await formatted(2, geometry)
    await refused([one!], /R25_FOREIGN: member .* is missing, and nothing stands in for it/)
  })

  test('a device that shrank', async () => {
    const [one, two] = await formatted(2, mirrored)
    const shrunk = new MemoryDevice(TINY_BYTES - 4096)
    one!.bytes.copy(shrunk.bytes)
    await refused([shrunk, two!], /the device has/)
  })
})

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

describe('a leg is replaced', () => {
  test('while commits go on, and the new one holds everything', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    const first = await put(pool, pattern(9000))
    const meanwhile: Promise<number>[] = []
    await pool.replaceMember(1, fresh!, () => meanwhile.push(put(pool, pattern(3000, meanwhile.length))))
    const sequences = await Promise.all(meanwhile)
    await pool.close()
    const alone = await openDevices([fresh!], tiny({ degraded: true }))
    expect(await readAll(alone, first)).toEqual(pattern(9000))
    for (const [i, sequence] of sequences.entries()) expect(await readAll(alone, sequence)).toEqual(pattern(3000, i))
    expect((await alone.check()).findings).toEqual([])
  })

  test('and the old one, should it return, is ignored', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await pool.replaceMember(0, fresh!)
    await put(pool, pattern(600))
    await pool.close()
    const closed = vi.spyOn(one!, 'close')
    expect(states(await openDevices([one!, fresh!, two!], tiny()))).toEqual(['in-sync', 'in-sync'])
    expect(closed).toHaveBeenCalledOnce()
  })

  test('that was stale, and the mirror is whole again', async () => {
    const [one, two] = await formatted(2, mirrored)
    const dropped: [string, unknown][] = []
    const onDropped = (device: string, cause: unknown) => dropped.push([device, cause])
    const pool = await openDevices([one!, two!], tiny({ onDropped }))
    expect(pool.status().health).toBe('ok')
    two!.fails = 'write'
    await put(pool, pattern(9000))
    expect(dropped).toEqual([['member 1', expect.objectContaining({ code: 'ERR_IO' })]])
    expect(pool.status()).toMatchObject({
      health: 'degraded',
      members: [{}, { state: 'stale', failure: expect.any(String) }],
    })
    const [fresh] = devices(1)
    await pool.replaceMember(1, fresh!)
    expect(pool.atomicity()).toMatchObject({ state: 'ok', redundancy: { dataCopies: 2, stale: [] } })
  })

  test('not, when the new device fails: nothing has changed', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(600))
    const replacing = pool.replaceMember(1, fresh!, () => {
      fresh!.fails = 'flush'
    })
    await expect(replacing).rejects.toMatchObject({ code: 'ERR_IO' })
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
    await put(pool, pattern(600))
    await pool.close()
    expect((await contents(await openDevices([one!, two!], tiny()))).length).toBe(2)
  })

  test('by a larger one, and so is the other: the mirror keeps its size, and all it holds', async () => {
    const found = await formatted(2, mirrored)
    const pool = await openDevices(found, tiny())
    const { bytes } = pool.status()
    const larger = [new MemoryDevice(2 * TINY_BYTES), new MemoryDevice(3 * TINY_BYTES)]
    const sequence = await put(pool, pattern(9000))
    for (const [index, device] of larger.entries()) await pool.replaceMember(index, device)
    await pool.close()
    const reopened = await openDevices(larger, tiny())
    expect(reopened.status().bytes).toBe(bytes)
    expect(await readAll(reopened, sequence)).toEqual(pattern(9000))
    expect((await reopened.check()).findings).toEqual([])
  })

  test('not by a device that is too small, nor where nothing stands in for it', async () => {
    const pool = await openDevices(await formatted(2, mirrored), tiny())
    await expect(pool.replaceMember(1, new MemoryDevice(TINY_BYTES / 2))).rejects.toThrow(/too small to take the place/)
    await expect(pool.replaceMember(7, new MemoryDevice(TINY_BYTES))).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    const other = await openDevices(await formatted(2, striped), tiny())
    await expect(other.replaceMember(1, new MemoryDevice(TINY_BYTES))).rejects.toThrow(/R24_RESHAPE/)
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

/** Devices as they were before each request that changes one of them, and in the end; a new one, once it has guards. */
function recorded(found: readonly FailingDevice[]): () => FailingDevice[][] {
  const moments: FailingDevice[][] = []
  const hasGuards = ({ bytes }: FailingDevice) => bytes.subarray(0, 8).toString() === 'CENOTEPL'
  const record = () => void moments.push(found.filter(hasGuards).map(copyOf))
  for (const device of found) {
    device.before = (request) => {
      if (request !== 'read') record()
    }
  }
  return () => {
    record()
    for (const device of found) device.before = () => {}
    return moments
  }
}

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

/** What waits for it goes on once it is open. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

describe('a leg that is lost', () => {
  test('under an upload is on record before a commit that finds it gone is acknowledged', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const { rings } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
    const ring = gate()
    const isRing = (offset: number) => rings.some((ring) => offset >= ring && offset < ring + 3 * 512)
    one!.before = (request, offset) => (request === 'write' && isRing(offset) ? ring.opened : undefined)
    two!.fails = 'write'
    const upload = put(pool, pattern(9000))
    for (let turns = 0; turns < 200; turns++) await null
    expect(states(pool)).toEqual(['in-sync', 'stale'])
    let acknowledged = false
    const commit = put(pool, pattern(600)).then(() => {
      acknowledged = true
    })
    for (let turns = 0; turns < 1000; turns++) await null
    expect(acknowledged).toBe(false)
    const crashed = await openDevices([copyOf(one!), copyOf(two!)], tiny())
    expect(await contents(crashed)).toEqual([])
    ring.open()
    await Promise.all([upload, commit])
    const after = await openDevices([copyOf(one!), copyOf(two!)], tiny())
    expect(states(after)).toEqual(['in-sync', 'stale'])
  })

  test('after a batch was written to it, and before it was flushed, is on record before that is acknowledged', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const { rings } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
    const [batch, ring] = [gate(), gate()]
    const isRing = (offset: number) => rings.some((start) => offset >= start && offset < start + 3 * 512)
    one!.before = (request, offset) => {
      if (request === 'write') return (isRing(offset) ? ring : batch).opened
    }
    let acknowledged = false
    const commit = put(pool, pattern(600)).then(() => {
      acknowledged = true
    })
    for (let turns = 0; turns < 100; turns++) await null
    two!.fails = 'write'
    const upload = put(pool, pattern(9000))
    for (let turns = 0; turns < 100; turns++) await null
    expect(states(pool)).toEqual(['in-sync', 'stale'])
    batch.open()
    for (let turns = 0; turns < 1000; turns++) await null
    expect(acknowledged).toBe(false)
    ring.open()
    await Promise.all([upload, commit])
  })

  test('while a record is read does not keep it from being read on the other', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const large = await put(pool, pattern(9000, 3))
    one!.fails = 'read'
    let commit: Promise<unknown> | undefined
    one!.before = (request) => {
      if (request !== 'read' || commit !== undefined) return
      one!.fails = 'everything'
      commit = put(pool, pattern(600))
      return commit.then(() => {})
    }
    expect(await readAll(pool, large)).toEqual(pattern(9000, 3))
    expect(states(pool)).toEqual(['stale', 'in-sync'])
    expect(pool.status().state).toBe('open')
  })

  test('and read from with another error than that of a medium is passed over', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const large = await put(pool, pattern(9000, 3))
    for (const leg of [one!, two!]) {
      const { read } = leg
      leg.read = () => Promise.reject(new PoolError('ERR_HALTED', 'a flush has failed'))
      expect(await readAll(pool, large)).toEqual(pattern(9000, 3))
      leg.read = read
    }
  })

  test('and cannot be read at all when the pool is opened is done without when asked for', async () => {
    const [one, two] = await formatted(2, mirrored)
    await (await openDevices([one!, two!], tiny())).close()
    one!.fails = 'read'
    await expect(openDevices([one!, two!], tiny())).rejects.toMatchObject({ code: 'ERR_IO' })
    const pool = await openDevices([one!, two!], tiny({ degraded: true }))
    expect(states(pool)).toEqual(['missing', 'in-sync'])
  })

  test('leaves fewer copies than the other columns have, and the pool says so', async () => {
    const found = await formatted(4, { layout: 'stripe-of-mirrors', stripeUnit: 1024, legs: 2, runs: 1 })
    const pool = await openDevices(found, tiny())
    found[2]!.fails = 'flush'
    await put(pool, pattern(600))
    expect(pool.atomicity().redundancy).toMatchObject({ dataCopies: 1, journalCopies: 1, stale: [2] })
  })
})

describe('a replacement', () => {
  test('of both legs by larger devices leaves everything where it is', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [three, four] = devices(2, 2 * TINY_BYTES)
    const pool = await openDevices([one!, two!], tiny())
    const sequence = await put(pool, pattern(9000))
    await pool.replaceMember(0, three!)
    await pool.replaceMember(1, four!)
    await pool.close()
    const again = await openDevices([three!, four!], tiny())
    expect(await readAll(again, sequence)).toEqual(pattern(9000))
    expect((await again.check()).findings).toEqual([])
  })

  test('by a device of larger sectors, which still fit a block', async () => {
    const [one, two] = devices(2, 1 << 20)
    const format = { ...TINY_FORMAT, blockBytes: 1024 }
    const members = [Buffer.alloc(16, 2), Buffer.alloc(16, 3)]
    await formatDevices([one!, two!], { format, geometry: mirrored }, { pool: POOL, members })
    const pool = await openDevices([one!, two!], tiny())
    const first = await put(pool, pattern(600))
    await pool.replaceMember(1, new MemoryDevice(1 << 20, 1024))
    two!.fails = 'everything'
    const second = await put(pool, pattern(9000))
    one!.fails = 'everything'
    await put(pool, pattern(100))
    expect(states(pool)).toEqual(['stale', 'in-sync'])
    expect(await readAll(pool, first)).toEqual(pattern(600))
    expect(await readAll(pool, second)).toEqual(pattern(9000))
    expect(await contents(pool)).toEqual(['record 1', 'record 2', 'record 3'])
  })

  test('is survived when power fails at any write of it, and nobody need be asked', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    const sequence = await put(pool, pattern(9000))
    const moments = recorded([one!, two!, fresh!])
    await pool.replaceMember(1, fresh!)
    const all = moments()
    for (const [i, found] of all.entries()) {
      const again = await openDevices(found, tiny())
      expect(states(again), `moment ${i}`).toEqual(['in-sync', 'in-sync'])
      expect(await readAll(again, sequence)).toEqual(pattern(9000))
    }
    expect(all.length).toBeGreaterThan(10)
  })

  test.each(['write', 'flush'] as const)(
    'whose device fails to %s the superblock has changed nothing',
    async (kind) => {
      const [one, two] = await formatted(2, mirrored)
      const [fresh] = devices(1)
      const pool = await openDevices([one!, two!], tiny())
      const { rings } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
      let done = false
      fresh!.before = (request, offset) => {
        if (done && request === kind && (kind === 'flush' || offset >= rings[1] || offset < rings[0] + 3 * 512)) {
          fresh!.fails = kind
        }
      }
      const replacing = pool.replaceMember(1, fresh!, (bytes, all) => {
        done = bytes === all
      })
      await expect(replacing).rejects.toMatchObject({ code: 'ERR_IO' })
      expect(states(pool)).toEqual(['in-sync', 'in-sync'])
      await put(pool, pattern(600))
      await pool.close()
      expect(states(await openDevices([one!, two!], tiny()))).toEqual(['in-sync', 'in-sync'])
    },
  )

  test('ends when the pool is closed, and changes nothing after that', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(9000))
    let closing: Promise<void> | undefined
    const replacing = pool.replaceMember(1, fresh!, () => {
      closing ??= pool.close()
    })
    await expect(replacing).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await closing
    const before = Buffer.from(one!.bytes)
    for (let turns = 0; turns < 1000; turns++) await null
    expect(one!.bytes.equals(before)).toBe(true)
    expect(states(await openDevices([one!, two!, fresh!], tiny()))).toEqual(['in-sync', 'in-sync'])
  })

  test('tells the old leg, so that it does not go on alone', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await pool.replaceMember(1, fresh!)
    await pool.close()
    await expect(openDevices([two!], tiny({ degraded: true }))).rejects.toThrow(/R25_FOREIGN: .*(stale|missing)/)
  })

  test('can be tried again after it failed', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [bad, good] = devices(2)
    const pool = await openDevices([one!, two!], tiny())
    const sequence = await put(pool, pattern(9000))
    bad!.fails = 'write'
    await expect(pool.replaceMember(1, bad!)).rejects.toMatchObject({ code: 'ERR_IO' })
    await pool.replaceMember(1, good!)
    await pool.replaceMember(0, bad!).catch(() => {})
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
    expect(await readAll(pool, sequence)).toEqual(pattern(9000))
  })
})

describe('what was torn of a change of members', () => {
  test('is passed over once the pool went on without it, though the serials are the same', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(600))
    const moments = recorded([one!, two!, fresh!])
    await pool.replaceMember(1, fresh!)
    const all = moments()
    const torn = all.at(-1)![2]!
    const serial = await newestSerial(torn)
    // The last moment before either leg of old was given the superblock that lists the new one.
    const before = await Promise.all(all.map(async ([first]) => (await newestSerial(first!)) === serial! - 1))
    const [old, other] = all[before.lastIndexOf(true)]!
    const went = await openDevices([old!, other!], tiny())
    const sequence = await put(went, pattern(600, 2))
    expect(await newestSerial(old!)).toBe(serial)
    const again = await openDevices([torn, old!, other!], tiny())
    expect(await readAll(again, sequence)).toEqual(pattern(600, 2))
    expect(states(again)).toEqual(['in-sync', 'in-sync'])
  })
})

describe('a replacement of a leg in sync', () => {
  const RECORDS = 24

  async function lived() {
    const mirror = new ScrubbedPool(ARRANGEMENTS['a mirror of two']!)
    await mirror.format()
    const pool = await mirror.open()
    await put(pool, pattern(9000))
    await put(pool, pattern(5000, 2))
    for (let i = 3; i < RECORDS; i++) await put(pool, pattern(650, i))
    await pool.checkpoint()
    await put(pool, pattern(300, RECORDS))
    return { mirror, pool }
  }

  async function expectWhole(pool: Pool, except: readonly number[] = []): Promise<void> {
    for (let sequence = 1; sequence <= RECORDS; sequence++) {
      const length = [9000, 5000][sequence - 1] ?? (sequence === RECORDS ? 300 : 650)
      if (except.includes(sequence))
        await expect(readAll(pool, sequence)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
      else expect(await readAll(pool, sequence)).toEqual(pattern(length, sequence))
    }
  }

  /** The new leg alone, as it would be should the other be lost the moment after. */
  const alone = (fresh: FailingDevice) => openDevices([copyOf(fresh)], tiny({ degraded: true }))

  test(`loses nothing that the old leg alone had right, at whatever places the other has rotted (seed ${SEED})`, async () => {
    const random = seededRandom(SEED)
    const { dataOffset, dataBytes } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
    let repaired = 0
    for (let round = 0; round < 20; round++) {
      const { mirror, pool } = await lived()
      const [source] = mirror.devices
      for (let spots = 0; spots < 60; spots++) {
        source!.bytes[dataOffset + random.below(dataBytes)]! ^= 1 << random.below(8)
      }
      const fresh = new FailingDevice(TINY_BYTES)
      const report = await pool.replaceMember(1, fresh)
      expect(report.damaged).toEqual([])
      expect(report.repaired.every(({ member }) => member === 0)).toBe(true)
      repaired += report.repairedCount
      await expectWhole(await alone(fresh))
      await expectWhole(pool)
      expect(await pool.scrub()).toMatchObject({ repaired: [], damaged: [] })
      await pool.close()
    }
    expect(repaired).toBeGreaterThan(100)
  })

  test('names what was wrong in a payload, the journal and the checkpoint, and where it was', async () => {
    const { mirror, pool } = await lived()
    const spots = [
      (await mirror.data(1, 3))[0]!,
      (await mirror.inline(7))[0]!,
      (await mirror.batchHeader(12))[0]!,
      (await mirror.segmentHeader(3))[0]!,
      (await mirror.leafPage())[0]!,
    ]
    for (const spot of spots) rot(spot)
    const { repaired, damaged } = await pool.replaceMember(1, new FailingDevice(TINY_BYTES))
    expect(damaged).toEqual([])
    expect(repaired.map(({ subject, member }) => [subject, member]).sort()).toEqual([
      ['batch', 0],
      ['inline', 0],
      ['page', 0],
      ['payload', 0],
      ['segment', 0],
    ])
  })

  test('takes the right halves of two legs that are both wrong', async () => {
    const { mirror, pool } = await lived()
    for (const [leg, { device, offset }] of (await mirror.data(1, 2)).entries()) device.bytes[offset + leg * 512]! ^= 1
    const fresh = new FailingDevice(TINY_BYTES)
    const { damaged } = await pool.replaceMember(1, fresh)
    expect(damaged).toEqual([])
    await expectWhole(await alone(fresh))
  })

  test('takes both from a block in which each leg alone has one right, which cannot be mended where it is', async () => {
    const { mirror, pool } = await lived()
    const [[one, two]] = (await mirror.batchBlocks(9)) as [[Spot, Spot]]
    one.device.bytes[one.offset + 140]! ^= 1
    two.device.bytes[two.offset + 500]! ^= 1
    const fresh = new FailingDevice(TINY_BYTES)
    const { damaged } = await pool.replaceMember(1, fresh)
    expect(damaged.map(({ subject, member, note }) => [subject, member, note?.includes('at risk')])).toEqual([
      ['batch', 0, true],
      ['inline', 1, true],
    ])
    await expectWhole(await alone(fresh))
    expect(await pool.scrub()).toMatchObject({ repairedCount: 1, damaged: [] })
  })

  test('names what no leg has right, and is done all the same', async () => {
    const { mirror, pool } = await lived()
    for (const spot of await mirror.data(2, 1)) rot(spot)
    for (const spot of await mirror.inline(9)) rot(spot)
    const fresh = new FailingDevice(TINY_BYTES)
    const { damaged, repaired } = await pool.replaceMember(1, fresh)
    expect(repaired).toEqual([])
    expect(damaged.map(({ subject, sequence, member }) => [subject, sequence, member])).toEqual([
      ['payload', 2, 0],
      ['payload', 2, 1],
      ['inline', 9, 0],
      ['inline', 9, 1],
    ])
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
    await expectWhole(await alone(fresh), [2, 9])
  })

  test('by a device that does not keep what it is given changes nothing', async () => {
    const { mirror, pool } = await lived()
    const [data] = await mirror.data(1, 2)
    const fresh = new FailingDevice(TINY_BYTES)
    let isFilled = false
    fresh.before = (request, offset) => {
      if (request === 'write' && isFilled && offset === data!.offset) throw new PoolError('ERR_IO', 'no write')
    }
    const replacing = pool.replaceMember(1, fresh, (done, total) => {
      isFilled = done === total
      if (isFilled) fresh.bytes[data!.offset]! ^= 1
    })
    await expect(replacing).rejects.toMatchObject({ code: 'ERR_IO' })
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
    await expectWhole(pool)
    expect(await pool.scrub()).toMatchObject({ repaired: [], damaged: [] })
  })

  test('goes on beside a scrub, commits and deletes, and neither takes what comes and goes for damage', async () => {
    const { mirror, pool } = await lived()
    rot((await mirror.data(1, 3))[0]!)
    const scrub = pool.scrub({
      onProgress: async () => {
        const sequence = await put(pool, pattern(2500, 7))
        await release(pool, { sequence, payload: 0 })
      },
    })
    const fresh = new FailingDevice(TINY_BYTES)
    const [scrubbed, replaced] = await Promise.all([scrub, pool.replaceMember(1, fresh)])
    expect([scrubbed.damaged, replaced.damaged]).toEqual([[], []])
    expect(scrubbed.repairedCount + replaced.repairedCount).toBeGreaterThan(0)
    expect((await pool.check()).findings).toEqual([])
    await expectWhole(await alone(fresh))
  })
})
