import { describe, expect, test } from 'vitest'
import { type Pool, PoolError, type Sequence, type Volume } from '../../pool/index.ts'
import type { MappedVolume } from '../../pool/volume.ts'
import { VOLUMES_MAX } from '../../pool/volume-directory.ts'
import { VolumeMap } from '../../pool/volume-map.ts'
import { SPARSE_PIECES_MAX, Tidy } from '../../pool/volume-tidy.ts'
import { put, readAll, settled } from '../support/pool-client.ts'
import { type Random, seededRandom, seedOf } from '../support/random.ts'
import {
  BLOCK,
  BLOCKS,
  copyOf,
  extent,
  filled,
  openQuietly,
  openVolumePool,
  randomExtents,
  VolumeModel,
  verifySpace,
  volumeDevice,
} from '../support/volume-model.ts'

const SIZE = BLOCKS * BLOCK
const refusal = (code: string, text = '') => ({ name: 'PoolError', code, message: expect.stringContaining(text) })

async function open(tuning = {}, options = {}) {
  const device = await volumeDevice()
  const pool = await openVolumePool(device, tuning)
  return { device, pool, volumes: await openQuietly(pool, options) }
}

/** Counts the records that replay() gives from now on. */
function countReplayed(pool: Pool): { records: number } {
  const seen = { records: 0 }
  const { replay } = pool
  pool.replay = async function* (from) {
    for await (const record of replay.call(pool, from)) {
      seen.records++
      yield record
    }
  }
  return seen
}

describe('volumes', () => {
  test('are several in one pool, each with blocks of its own', async () => {
    const { device, pool, volumes } = await open()
    const [one, two] = [await volumes.create('one', SIZE), await volumes.create('two', 2 * SIZE)]
    await Promise.all([one.write([extent(3, 2, 1)]), two.write([extent(3, 2, 2)]), two.write([extent(70, 1, 3)])])
    await volumes.close()
    const again = await openQuietly(await openVolumePool(copyOf(device)))
    expect(again.list()).toMatchObject([
      { name: 'one', size: SIZE, writtenBytes: 2 * BLOCK },
      { name: 'two', size: 2 * SIZE, writtenBytes: 3 * BLOCK },
    ])
    expect((await again.open('one').read(3 * BLOCK, 2 * BLOCK)).equals(filled(2, 1))).toBe(true)
    expect((await again.open('two').read(3 * BLOCK, 2 * BLOCK)).equals(filled(2, 2))).toBe(true)
    await verifySpace(pool, volumes)
  })

  test('are opened once, and not at all in a pool that is closed to them', async () => {
    const { pool, volumes } = await open()
    const volume = await volumes.create('a', SIZE)
    await expect(openQuietly(pool)).rejects.toMatchObject(refusal('ERR_BUSY'))
    await volumes.close()
    await volumes.close()
    const closed = refusal('ERR_CLOSED')
    await expect(volume.write([extent(0, 1, 1)])).rejects.toMatchObject(closed)
    await expect(volumes.create('b', SIZE)).rejects.toMatchObject(closed)
    await expect(volumes.remove('a')).rejects.toMatchObject(closed)
    expect(() => volumes.open('a')).toThrow('closed')
    expect((await openQuietly(pool)).open('a').limits.size).toBe(SIZE)
  })

  test('have names, sizes and a number within bounds', async () => {
    const { volumes } = await open()
    for (const name of ['', 'A', '-a', 'a/b', 'a'.repeat(65)])
      await expect(volumes.create(name, SIZE)).rejects.toMatchObject(refusal('ERR_LIMITS', 'the name'))
    for (const size of [0, -BLOCK, BLOCK + 1, Number.NaN, 2 ** 45])
      await expect(volumes.create('a', size)).rejects.toMatchObject(refusal('ERR_LIMITS', 'whole blocks'))
    expect(() => volumes.open('a')).toThrow(expect.objectContaining(refusal('ERR_NOT_FOUND')))
    await volumes.create('a'.repeat(64), SIZE)
    await expect(volumes.create('a'.repeat(64), SIZE)).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    const { volumes: small } = await open({ transactionBytesMax: BLOCK }, {})
    await expect(small.create('a', SIZE)).rejects.toMatchObject(refusal('ERR_LIMITS', 'too large for transactions'))
  })

  test('are 64 at the most, whose directory fits a transaction', async () => {
    const pool = await openVolumePool(await volumeDevice(64 << 20), { transactionBytesMax: 7000 })
    const volumes = await openQuietly(pool)
    const nameOf = (i: number) => `${i}-`.padEnd(64, 'x')
    for (let i = 0; i < VOLUMES_MAX; i++) await volumes.create(nameOf(i), BLOCK)
    await expect(volumes.create('one-more', BLOCK)).rejects.toMatchObject(refusal('ERR_LIMITS', '64 volumes'))
    await volumes.remove(nameOf(5))
    await volumes.create('one-more', BLOCK)
  })

  test('have maps that fit the memory given to them', async () => {
    const { device, volumes } = await open({}, { mapBytesMax: 70_000 })
    await volumes.create('a', SIZE)
    await volumes.create('b', SIZE)
    await expect(volumes.create('c', SIZE)).rejects.toMatchObject(refusal('ERR_LIMITS', 'maps of'))
    const pool = await openVolumePool(copyOf(device))
    await expect(openQuietly(pool, { mapBytesMax: 60_000 })).rejects.toMatchObject(refusal('ERR_LIMITS', 'maps of'))
    expect((await openQuietly(pool)).list()).toHaveLength(2)
  })

  test('take no more room together than the pool has to give', async () => {
    const { pool, volumes } = await open()
    const room = () => pool.status().freeBytes - pool.limits.reserveBytes - volumes.reservedBytes
    const half = Math.floor((room() - pool.limits.reserveBytes) / 2 / BLOCK) * BLOCK
    await expect(volumes.create('large', half)).rejects.toMatchObject(refusal('ERR_NO_SPACE', 'reserves'))
    await volumes.create('a', half - 40 * BLOCK)
    expect(room()).toBeGreaterThan(0)
    await expect(volumes.create('b', 60 * BLOCK)).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
    await volumes.remove('a')
    await volumes.create('b', 60 * BLOCK)
  })
})

describe('a volume that is removed', () => {
  test('gives its space back and its name away, and its handle says so', async () => {
    const { device, pool, volumes } = await open()
    await volumes.close()
    const start = pool.status()
    const again = await openQuietly(pool)
    const volume = await again.create('a', SIZE)
    const sequence = await put(pool, Buffer.from('mine'))
    for (let i = 0; i < 10; i++) await volume.write([extent(i, 20, i)])
    const late = Promise.allSettled([again.remove('a'), volume.write([extent(0, 1, 1)]), volume.read(0, SIZE)])
    const [removed] = await late // The others may have come before it, or not.
    expect(removed).toMatchObject({ status: 'fulfilled' })
    await expect(volume.write([extent(0, 1, 1)])).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    await expect(volume.read(0, 1)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    await expect(again.remove('a')).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    expect(again.list()).toEqual([])
    await verifySpace(pool, again, 4)
    await pool.checkpoint()
    const end = pool.status()
    expect(end.freeBytes + end.historyBytes).toBe(start.freeBytes + start.historyBytes)
    expect((await readAll(pool, sequence)).toString()).toBe('mine')
    expect((await (await again.create('a', SIZE)).read(0, SIZE)).equals(Buffer.alloc(SIZE))).toBe(true)
    expect((await openQuietly(await openVolumePool(copyOf(device)))).list()).toMatchObject([{ writtenBytes: 0 }])
  })

  test('is let go some pieces at a time, and by the next opening when power fails meanwhile', async () => {
    const few = { transactionBytesMax: 7000 } // Room for 17 releases beside a directory.
    const { device, pool, volumes } = await open(few)
    const volume = await volumes.create('a', SIZE)
    for (let block = 0; block < BLOCKS; block++) await volume.write([extent(block, 1, 1)])
    const before = pool.position.sequence
    const copies: ReturnType<typeof copyOf>[] = []
    const { flush } = device
    device.flush = async () => {
      copies.push(copyOf(device))
      await flush.call(device)
    }
    await volumes.remove('a')
    expect(pool.position.sequence - before).toBe(4) // Three with pieces, and the last directory.
    expect(copies.length).toBeGreaterThanOrEqual(4)
    for (const copy of copies) {
      const crashed = await openVolumePool(copy, few)
      const again = await openQuietly(crashed)
      expect(again.list()).toEqual([])
      await verifySpace(crashed, again)
    }
  })
})

describe('opening volumes', () => {
  test('reads again only what came after the maps were saved', async () => {
    const { device, volumes } = await open({}, { saveRecordsMax: 50 })
    const model = new VolumeModel()
    const random = seededRandom(3)
    const volume = await volumes.create('a', SIZE)
    const write = async (writer: Volume) => {
      const extents = [extent(random.below(BLOCKS), 1, random.below(256))]
      model.add(await writer.write(extents), extents)
    }
    for (let i = 0; i < 240; i++) await write(volume)
    await settled()
    const crashed = await openVolumePool(copyOf(device))
    const seen = countReplayed(crashed)
    const again = await openQuietly(crashed)
    expect(crashed.position.sequence).toBeGreaterThan(240)
    // Once to find the directory, in a window of 1,024 records, and once from there.
    const replayed = seen.records - crashed.position.sequence
    expect(replayed).toBeLessThanOrEqual(60)
    await model.verify(again.open('a'))
    await volumes.close()
    const closed = await openVolumePool(copyOf(device))
    const later = countReplayed(closed)
    await model.verify((await openQuietly(closed)).open('a'))
    expect(later.records - closed.position.sequence).toBe(1) // The directory itself.
  })

  test('finds them behind many records of others, whose number a timer bounds', async () => {
    const device = await volumeDevice()
    const pool = await openVolumePool(device, { queueTransactionsMax: 5000 })
    let tick = () => {}
    const timers = {
      every(_milliseconds: number, task: () => void) {
        tick = task
        return () => {}
      },
    }
    const volumes = await openQuietly(pool, { saveRecordsMax: 1000, timers })
    const volume = await volumes.create('a', SIZE)
    await volume.write([extent(5, 1, 1)])
    const record = (): Promise<Sequence> =>
      pool.begin().commit(() => ({ records: [{ content: Buffer.from('other'), payloads: [] }], releases: [] }))
    await Promise.all(Array.from({ length: 3500 }, record))
    const far = await openVolumePool(copyOf(device))
    const seen = countReplayed(far)
    expect((await (await openQuietly(far)).open('a').read(5 * BLOCK, 1))[0]).toBe(1)
    expect(seen.records).toBeLessThan(4 * 3500)
    tick()
    await volumes.close()
    const near = await openVolumePool(copyOf(device))
    const few = countReplayed(near)
    expect((await (await openQuietly(near)).open('a').read(5 * BLOCK, 1))[0]).toBe(1)
    expect(few.records).toBeLessThanOrEqual(1024 + 2)
  })

  test('tells a map or a record that is none of the volume', async () => {
    const { device, pool, volumes } = await open()
    const volume = await volumes.create('a', SIZE)
    const sequence = await volume.write([extent(0, 1, 1)])
    const { content } = await pool.record(sequence)
    const commit = (change: (copy: Buffer) => void, payload = true) => {
      const copy = Buffer.from(content)
      change(copy)
      const transaction = pool.begin()
      const payloads = payload ? [transaction.stage()] : []
      return transaction.commit(() => ({ records: [{ content: copy, payloads }], releases: [] }))
    }
    const openCopy = async () => openQuietly(await openVolumePool(copyOf(device)))
    await commit((copy) => copy.writeUInt32LE(9, 4)) // Of a volume that is gone.
    expect((await openCopy()).list()).toHaveLength(1)
    await commit((copy) => copy.writeUInt32LE(BLOCKS, 16))
    await expect(openCopy()).rejects.toMatchObject(refusal('ERR_CORRUPT', 'no write to the volume a'))
    await commit((copy) => copy.writeBigUInt64LE(BigInt(sequence), 8))
    await expect(openCopy()).rejects.toMatchObject(refusal('ERR_CORRUPT', 'no directory'))
    await commit((copy) => copy.writeUInt8(2, 1))
    await expect(openCopy()).rejects.toMatchObject(refusal('ERR_FORMAT', 'version 2'))
  })
})

describe('space', () => {
  test('that sparse pieces hold is given back by rewriting what lives of them', async () => {
    const { pool, volumes } = await open()
    const volume = await volumes.create('a', SIZE)
    const first = await volume.write([extent(0, 16, 1)])
    for (let block = 0; block < 8; block++) await volume.write([extent(block * 2, 1, 2)])
    expect(volumes.list()).toMatchObject([{ writtenBytes: 16 * BLOCK, storedBytes: 24 * BLOCK }]) // Half of it lives.
    await volume.write([extent(3, 1, 3)])
    await expect.poll(() => volumes.list()[0]?.storedBytes).toBe(16 * BLOCK)
    await expect(pool.read(first, 0)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    await verifySpace(pool, volumes)
  })

  test('is seen to when the volumes are opened', async () => {
    const { device, pool, volumes } = await open()
    const volume = await volumes.create('a', SIZE)
    const { read } = pool
    pool.read = () => {
      throw new PoolError('ERR_HALTED', 'not now')
    }
    await volume.write([extent(0, 16, 1)])
    await volume.write([extent(1, 9, 2)])
    await settled()
    expect(volumes.list()).toMatchObject([{ storedBytes: 25 * BLOCK }])
    pool.read = read
    const again = await openQuietly(await openVolumePool(copyOf(device)))
    await expect.poll(() => again.list()[0]?.storedBytes).toBe(16 * BLOCK)
  })

  const SEED = seedOf(5)

  /** Overwrites in the way that leaves most behind: whole groups, and then nearly half of each at random. */
  async function wear(volume: Volume, random: Random, rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      if (round % 40 === 0) await volume.write([extent(0, 20, round & 255)])
      await volume.write([extent(random.below(BLOCKS - 3), 1 + random.below(3), round & 255)])
    }
  }

  test(`is never more than twice what was written, and the saved map (seed ${SEED})`, async () => {
    const { pool, volumes } = await open({}, { saveRecordsMax: 100 })
    const volume = await volumes.create('a', SIZE)
    const random = seededRandom(SEED)
    let most = 0
    for (let i = 0; i < 30; i++) {
      await wear(volume, random, 40)
      await settled()
      const [{ storedBytes, writtenBytes }] = volumes.list() as [ReturnType<typeof volumes.list>[number]]
      const [map] = [33_000]
      expect(storedBytes).toBeLessThanOrEqual(2 * writtenBytes + map)
      most = Math.max(most, storedBytes)
    }
    expect(most).toBeGreaterThan(SIZE)
    await volumes.close()
    await verifySpace(pool, volumes)
  })

  test('that is reserved is enough to overwrite without end, while others fill the rest', async () => {
    const { pool, volumes } = await open()
    const volume = await volumes.create('a', 8 * SIZE)
    const random = seededRandom(7)
    const model = new VolumeModel(8 * SIZE)
    let kept = 0
    while (pool.status().freeBytes - pool.limits.reserveBytes - volumes.reservedBytes > 100_000) {
      await put(pool, random.bytes(50_000))
      kept += 50_000
    }
    const overwrite = async () => {
      const extents = randomExtents(random, 8 * BLOCKS)
      model.add(await volume.write(extents), extents)
    }
    // Several at once: the first ones of a batch may fill what was free when the last one was admitted.
    for (let i = 0; i < 400; i++) await Promise.all(Array.from({ length: 1 + random.below(5) }, overwrite))
    await model.verify(volume)
    await volumes.close()
    await verifySpace(pool, volumes, kept)
  })

  test('of a pool that others filled is missed, nothing is lost by it, and a removal makes room', async () => {
    const { pool, volumes } = await open()
    const volume = await volumes.create('a', 8 * SIZE)
    const model = new VolumeModel(8 * SIZE)
    const random = seededRandom(8)
    const write = async () => {
      const extents = randomExtents(random, 8 * BLOCKS)
      model.add(await volume.write(extents), extents)
    }
    for (let i = 0; i < 60; i++) await write()
    const fill = async () => {
      for (;;) await put(pool, random.bytes(30_000))
    }
    await expect(fill()).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
    const writing = async () => {
      for (;;) await write()
    }
    await expect(writing()).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
    await model.verify(volume)
    await volumes.remove('a')
    await pool.checkpoint()
    await put(pool, random.bytes(30_000))
  })
})

describe('mending sparse pieces', () => {
  /** A volume of many groups, each sparse, whose reads wait. */
  function sparseVolume(groups: number, readPiece: () => Promise<Buffer>) {
    const map = new VolumeMap(groups * 16)
    const commits: number[] = []
    const pieces = Array.from({ length: groups }, (_, i) => ({
      sequence: i + 1,
      payload: 0,
      block: i * 16,
      blocks: 16,
    }))
    map.assign(pieces)
    map.assign(pieces.map((piece) => ({ ...piece, sequence: 9999, payload: piece.sequence, blocks: 9 })))
    const volume = { map, readPiece, entry: { number: 1 }, commit: async () => commits.push(1) }
    return { volume: volume as unknown as MappedVolume, pieces, commits }
  }

  test('has writes wait from 1,024 on, until there are fewer', async () => {
    let go = () => {}
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    const { volume, pieces, commits } = sparseVolume(SPARSE_PIECES_MAX + 9, async () => {
      await gate
      return filled(16, 1)
    })
    const tidy = new Tidy()
    tidy.add(volume, pieces)
    await settled()
    expect(tidy.count).toBe(SPARSE_PIECES_MAX + 1) // Eight are underway.
    let isReady = false
    const ready = tidy.ready().then(() => {
      isReady = true
    })
    await settled()
    expect(isReady).toBe(false)
    go()
    await ready
    await tidy.idle()
    expect([tidy.count, commits.length]).toEqual([0, SPARSE_PIECES_MAX + 9])
  })

  test('stops when the pool is full, keeps nobody waiting, remembers so many, and goes on later', async () => {
    let full = true
    const { volume, pieces, commits } = sparseVolume(SPARSE_PIECES_MAX + 50, async () => {
      if (full) throw new PoolError('ERR_NO_SPACE', 'the pool is full')
      return filled(16, 1)
    })
    const tidy = new Tidy()
    tidy.add(volume, pieces.slice(0, SPARSE_PIECES_MAX))
    await tidy.idle()
    await tidy.ready()
    expect(tidy.count).toBe(SPARSE_PIECES_MAX)
    tidy.add(volume, pieces.slice(SPARSE_PIECES_MAX))
    expect(tidy.count).toBe(SPARSE_PIECES_MAX)
    await tidy.idle()
    full = false
    tidy.add(volume, pieces.slice(0, 1))
    await tidy.idle()
    expect([tidy.count, commits.length]).toEqual([0, SPARSE_PIECES_MAX])
  })
})
