import { describe, expect, test } from 'vitest'
import type { Drafting, Pool, VolumeExtent, Volumes } from '../../pool/index.ts'
import { PoolError } from '../../pool/index.ts'
import { GatedDevice, settled } from '../support/pool-client.ts'
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

async function openVolume(device: Parameters<typeof openVolumePool>[0] | undefined = undefined) {
  const pool = await openVolumePool(device ?? (await volumeDevice()))
  const volumes = await openQuietly(pool)
  const volume = await volumes.create('a', SIZE)
  return { pool, volumes, volume }
}

const refusal = (code: string, text = '') => ({ name: 'PoolError', code, message: expect.stringContaining(text) })

/** The number of each block's byte, for volumes of blocks of one byte each. */
async function blocksOf(
  volume: { read(offset: number, length: number): Promise<Buffer> },
  first: number,
  last: number,
) {
  const bytes = await volume.read(first * BLOCK, (last - first + 1) * BLOCK)
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const block = bytes.subarray(i * BLOCK, (i + 1) * BLOCK)
    expect(block.every((byte) => byte === block[0])).toBe(true)
    return block[0]
  })
}

describe('a volume', () => {
  test('reads zeros where nothing was written, and what was written elsewhere, at any offset', async () => {
    const { volume } = await openVolume()
    expect((await volume.read(0, SIZE)).equals(Buffer.alloc(SIZE))).toBe(true)
    const bytes = Buffer.from(Array.from({ length: 3 * BLOCK }, (_, i) => (i * 7) >> 3))
    await volume.write([{ offset: 2 * BLOCK, bytes }])
    expect(await volume.read(2 * BLOCK, 3 * BLOCK)).toEqual(bytes)
    expect(await volume.read(3 * BLOCK - 5, 9)).toEqual(bytes.subarray(BLOCK - 5, BLOCK + 4))
    expect(await volume.read(2 * BLOCK - 2, 3)).toEqual(Buffer.from([0, 0, bytes[0]!]))
    expect(await volume.read(SIZE, 0)).toHaveLength(0)
  })

  test('writes several extents as one record of the pool, and the parts that they overwrite only', async () => {
    const { pool, volume } = await openVolume()
    await volume.write([extent(0, BLOCKS - 20, 1)])
    const { sequence } = pool.position
    expect(await volume.write([extent(18, 1, 3), extent(2, 2, 2), extent(30, 9, 4)])).toBe(sequence + 1)
    expect(pool.position.sequence).toBe(sequence + 1)
    expect(await blocksOf(volume, 1, 5)).toEqual([1, 2, 2, 1, 1])
    expect(await blocksOf(volume, 17, 20)).toEqual([1, 3, 1, 0])
    expect(await blocksOf(volume, 29, 39)).toEqual([0, ...Array(9).fill(4), 0])
  })

  test('is there again when it is opened, closed or not', async () => {
    const device = await volumeDevice()
    const { volumes, volume } = await openVolume(device)
    await volume.write([extent(0, 20, 1)])
    const crashed = await openQuietly(await openVolumePool(copyOf(device)))
    expect(await blocksOf(crashed.open('a'), 19, 20)).toEqual([1, 0])
    await volume.write([extent(19, 1, 2)])
    await volumes.close()
    const closed = await openQuietly(await openVolumePool(copyOf(device)))
    expect(await blocksOf(closed.open('a'), 18, 20)).toEqual([1, 2, 0])
  })

  test('lets what is overwritten go with the write itself', async () => {
    const { pool, volumes, volume } = await openVolume()
    const first = await volume.write([extent(0, 1, 1), extent(5, 1, 1)])
    await volume.write([extent(5, 1, 2)])
    await expect(pool.read(first, 1)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    expect(await blocksOf(volume, 0, 0)).toEqual([1])
    await verifySpace(pool, volumes)
    expect(volumes.list()).toMatchObject([{ writtenBytes: 2 * BLOCK, storedBytes: 2 * BLOCK }])
  })

  test('orders writes as they are committed', async () => {
    const { volume } = await openVolume()
    const sequences = await Promise.all(Array.from({ length: 9 }, (_, i) => volume.write([extent(i % 2, 2, i)])))
    const last = sequences.indexOf(Math.max(...sequences))
    expect(await blocksOf(volume, last % 2, (last % 2) + 1)).toEqual([last, last])
    expect(volume.sequence).toBe(sequences[last])
  })

  test('refuses a write when what it goes on from has changed', async () => {
    const { volume } = await openVolume()
    await volume.write([extent(0, 2, 1)])
    const { sequence } = volume
    await volume.write([extent(1, 1, 2)])
    const late = volume.write([extent(1, 3, 3)], { unchangedSince: sequence })
    await expect(late).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    await volume.write([extent(0, 1, 4), extent(2, 9, 4)], { unchangedSince: sequence })
    expect(await blocksOf(volume, 0, 3)).toEqual([4, 2, 4, 4])
  })

  test('lets one of several at once win', async () => {
    const { volume } = await openVolume()
    const unchangedSince = volume.sequence
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => volume.write([extent(7, 1, n)], { unchangedSince })))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    expect(await blocksOf(volume, 7, 7)).toEqual([1])
  })
})

describe('a request of another shape', () => {
  const bad: readonly (readonly [string, readonly VolumeExtent[]])[] = [
    ['without an extent', []],
    ['of no bytes', [extent(0, 0, 1)]],
    ['of half a block', [{ offset: 0, bytes: Buffer.alloc(BLOCK / 2) }]],
    ['between blocks', [{ offset: 512, bytes: filled(1, 1) }]],
    ['beyond the end', [extent(BLOCKS - 1, 2, 1)]],
    ['before the beginning', [extent(-1, 1, 1)]],
    ['at no offset', [{ offset: Number.NaN, bytes: filled(1, 1) }]],
    ['with extents that overlap', [extent(3, 2, 1), extent(9, 1, 1), extent(4, 1, 1)]],
    ['with an extent twice', [extent(3, 1, 1), extent(3, 1, 2)]],
    ['that is larger than a transaction', [extent(0, 20, 1), extent(30, 5, 1)]],
    ['with too many extents', Array.from({ length: 25 }, (_, i) => extent(i, 1, 1))],
  ]

  test.each(bad)('%s is refused and changes nothing', async (_name, extents) => {
    const { pool, volume } = await openVolume()
    const { sequence } = pool.position
    await expect(volume.write(extents)).rejects.toMatchObject({
      code: 'ERR_LIMITS',
      message: expect.stringMatching(/^R22_REQ_SHAPE: /),
    })
    expect(pool.position.sequence).toBe(sequence)
    expect(pool.status().stagedBytes).toBe(0)
    expect((await volume.read(0, SIZE)).equals(Buffer.alloc(SIZE))).toBe(true)
  })

  test.each([
    [-1, 1],
    [0, -1],
    [1, SIZE],
    [0.5, 1],
    [0, Number.NaN],
  ])('read at %d, %d bytes, is refused', async (offset, length) => {
    const { volume } = await openVolume()
    await expect(volume.read(offset, length)).rejects.toMatchObject(refusal('ERR_LIMITS', 'R22_REQ_SHAPE'))
  })

  test('the largest writes are taken: one run, single blocks, and all of these overwritten', async () => {
    const { pool, volumes, volume } = await openVolume()
    const { extentsMax, transactionBytesMax, blockBytes, alignment, size } = volume.limits
    expect([extentsMax * BLOCK, blockBytes, alignment, size]).toEqual([transactionBytesMax, BLOCK, BLOCK, SIZE])
    const apart = Array.from({ length: extentsMax }, (_, i) => extent((i * 3) % BLOCKS, 1, i + 1))
    await volume.write(apart)
    await volume.write([extent(0, extentsMax, 9)])
    await volume.write(apart)
    await verifySpace(pool, volumes)
  })

  test('a read of more than 64 MiB is refused', async () => {
    const pool = await openVolumePool(await volumeDevice(500 << 20), { reserveSegments: 4 })
    const volume = await (await openQuietly(pool)).create('large', 100 << 20)
    expect(volume.limits.readBytesMax).toBe(64 << 20)
    await expect(volume.read(0, (64 << 20) + 1)).rejects.toMatchObject(refusal('ERR_LIMITS', 'R22_REQ_SHAPE'))
    expect(await volume.read(1, 64 << 20)).toHaveLength(64 << 20)
  })
})

describe('a read beside writes', () => {
  test('shows what is durable, and waits for it', async () => {
    const device = new GatedDevice(await volumeDevice())
    const { volume } = await openVolume(device)
    await volume.write([extent(0, 2, 1)])
    const held = device.hold((request) => request === 'flush')
    const writing = volume.write([extent(1, 2, 2)])
    await held
    const said: string[] = []
    const before = blocksOf(volume, 0, 0).then((blocks) => said.push(`before ${blocks}`))
    await before
    void blocksOf(volume, 0, 2).then((blocks) => said.push(`read ${blocks}`))
    void volume.flush().then(() => said.push('flushed'))
    void writing.then(() => said.push('written'))
    await settled()
    expect(said).toEqual(['before 1'])
    device.open()
    await writing
    await volume.flush()
    await settled()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(said).toContain('read 1,2,2')
    expect(said.indexOf('written')).toBeLessThan(said.indexOf('flushed'))
  })

  test('never mixes two of them, and has them wait when it is overtaken again and again', async () => {
    const device = new GatedDevice(await volumeDevice())
    const { pool, volumes, volume } = await openVolume(device)
    await volume.write([extent(0, 4, 1)])
    let overtaken = 0
    let byte = 1
    let ended = false
    const { read } = pool
    pool.read = async function* (...request) {
      // Between the map's answer and the pool's, somebody overwrites, unless writes are kept back.
      overtaken++
      const overwriting = volume.write([extent(0, 2, byte + 1), extent(2, 2, byte + 1)])
      await Promise.race([overwriting.then(() => byte++), new Promise((resolve) => setTimeout(resolve, 30))])
      yield* read.call(pool, ...request)
    }
    const [first, ...others] = await blocksOf(volume, 0, 3).finally(() => {
      ended = true
    })
    expect(ended).toBe(true)
    expect(others).toEqual([first, first, first])
    expect(overtaken).toBeGreaterThan(4)
    pool.read = read
    await volume.flush()
    await verifySpace(pool, volumes)
  })

  test('says that a payload is damaged or gone, and nothing else of it', async () => {
    const device = await volumeDevice()
    const { pool, volume } = await openVolume(device)
    const sequence = await volume.write([extent(1, 1, 0xab), extent(3, 1, 1)])
    const place = device.bytes.indexOf(filled(1, 0xab))
    device.bytes[place + 100] = 0
    await expect(volume.read(0, SIZE)).rejects.toMatchObject(refusal('ERR_CORRUPT'))
    expect(await blocksOf(volume, 3, 3)).toEqual([1])
    const release = { sequence, payload: 1 }
    await pool.begin().commit(() => ({ records: [{ content: Buffer.from('x'), payloads: [] }], releases: [release] }))
    await expect(volume.read(3 * BLOCK, 1)).rejects.toMatchObject(refusal('ERR_CORRUPT', 'block 3'))
  })
})

describe('a write that fails', () => {
  /** Refuses what `refuses` picks after it was drafted, as a pool may. */
  function refuse(pool: Pool, refuses: () => boolean): void {
    const begin = pool.begin.bind(pool)
    pool.begin = () => {
      const transaction = begin()
      const commit = transaction.commit.bind(transaction)
      transaction.commit = (drafting: Drafting) =>
        commit((first) => {
          const draft = drafting(first)
          if (!refuses()) return draft
          draft.refused?.()
          throw new PoolError('ERR_LIMITS', 'refused after all')
        })
      return transaction
    }
  }

  test('leaves no trace in those drafted after it, in the same batch', async () => {
    const { pool, volumes, volume } = await openVolume()
    await volume.write([extent(0, 20, 1)])
    let drafts = 0
    refuse(pool, () => drafts++ === 0)
    const { sequence } = volume
    const outcomes = await Promise.allSettled([
      volume.write([extent(0, 1, 2), extent(16, 4, 2)]),
      volume.write([extent(0, 1, 3)]),
    ])
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: refusal('ERR_LIMITS', 'refused after all') },
      { status: 'fulfilled', value: sequence + 1 },
    ])
    expect(await blocksOf(volume, 0, 19)).toEqual([3, ...Array(19).fill(1)])
    await verifySpace(pool, volumes)
  })

  test('with the device leaves its outcome unknown, and what was durable readable', async () => {
    const device = await volumeDevice()
    const { volume } = await openVolume(device)
    await volume.write([extent(0, 2, 1)])
    device.flush = () => Promise.reject(new PoolError('ERR_IO', 'gone'))
    const outcomes = await Promise.allSettled([volume.write([extent(0, 1, 2)]), volume.write([extent(0, 2, 3)])])
    const unknown = { status: 'rejected', reason: refusal('ERR_OUTCOME_UNKNOWN') }
    expect(outcomes).toMatchObject([unknown, unknown])
    expect(await blocksOf(volume, 0, 2)).toEqual([1, 1, 0])
    await expect(volume.write([extent(0, 1, 4)])).rejects.toMatchObject(refusal('ERR_HALTED'))
  })
})

const SEED = seedOf(Date.now() % 1_000_000)

/** Runs random writes, reads, reopenings and crashes against a plain buffer. */
async function compare(random: Random, steps: number): Promise<void> {
  let device = await volumeDevice()
  let pool = await openVolumePool(device)
  let volumes = await openQuietly(pool, { saveRecordsMax: 20 })
  let volume = await volumes.create('a', SIZE)
  const model = new VolumeModel()
  const overwrite = async () => {
    const extents = randomExtents(random)
    model.add(await volume.write(extents), extents)
  }
  const read = async () => {
    const offset = random.below(SIZE)
    const length = random.below(SIZE - offset)
    const [sequence, reading] = [volume.sequence, volume.read(offset, length)]
    const bytes = await reading
    return { offset, length, bytes, sequence }
  }
  const reopen = async (opened: Volumes) => {
    if (random.chance(0.5)) await opened.close()
    if (random.chance(0.3)) await pool.close()
    device = copyOf(device)
    pool = await openVolumePool(device)
    volumes = await openQuietly(pool, { saveRecordsMax: 20 })
    volume = volumes.open('a')
  }
  for (let step = 0; step < steps; step++) {
    const reads = Array.from({ length: random.below(3) }, read)
    const writes = Array.from({ length: random.below(6) }, overwrite)
    const later = Array.from({ length: random.below(3) }, read)
    await Promise.all(writes)
    for (const { offset, length, bytes, sequence } of await Promise.all([...reads, ...later])) {
      // A read that was overtaken shows a later moment, but always a whole one.
      const moments = [sequence, ...model.sequencesAfter(sequence)]
      const expected = moments.map((moment) => model.at(moment).subarray(offset, offset + length))
      expect(expected.some((whole) => whole.equals(bytes))).toBe(true)
    }
    if (random.chance(0.1)) await pool.checkpoint()
    await model.verify(volume)
    if (random.chance(0.05)) await reopen(volumes)
  }
  await volumes.close()
  await verifySpace(pool, volumes)
}

test(`a volume is a buffer, whatever is done to it (seed ${SEED})`, { timeout: 60_000 }, async () => {
  await compare(seededRandom(SEED), 250)
})
