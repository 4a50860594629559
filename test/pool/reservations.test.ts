import { describe, expect, test } from 'vitest'
import {
  formatDevices,
  type Geometry,
  MemoryDevice,
  openDevices,
  type Pool,
  PoolError,
  type Sequence,
  type Transaction,
} from '../../pool/index.ts'
import { pattern, put, readAll, release } from '../support/pool-client.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

const KIB = 1024
const SEED = seedOf(8)
const full = { code: 'ERR_NO_SPACE' }

async function opened(sizes: readonly number[] = [256], runs = 1): Promise<Pool> {
  const devices = sizes.map((size) => new MemoryDevice(size * KIB))
  const geometry: Geometry = { layout: 'concat', stripeUnit: 0, legs: 1, runs }
  const identity = { pool: Buffer.alloc(16, 1), members: sizes.map((_, i) => Buffer.alloc(16, i + 2)) }
  await formatDevices(devices, { format: TINY_FORMAT, geometry }, identity)
  return await openDevices(devices, tiny())
}

async function promised(pool: Pool, bytes: number): Promise<Transaction> {
  const transaction = pool.begin()
  await transaction.reserve(bytes)
  return transaction
}

async function store(transaction: Transaction, bytes: Buffer): Promise<Sequence> {
  const payload = transaction.stage()
  await payload.write(bytes)
  return await transaction.commit(() => ({
    records: [{ content: Buffer.from('x'), payloads: [payload] }],
    releases: [],
  }))
}

/** Stores objects of `bytes` until there is no room. */
async function fill(pool: Pool, bytes: number): Promise<void> {
  const forever = async () => {
    for (;;) await put(pool, pattern(bytes))
  }
  await expect(forever()).rejects.toMatchObject(full)
}

/** The most that may be promised now. */
async function mostOf(pool: Pool): Promise<number> {
  for (let units = 256; ; units--) {
    const transaction = pool.begin()
    const kept = await transaction.reserve(units * KIB).then(
      () => true,
      () => false,
    )
    await transaction.abort()
    if (kept) return units * KIB
  }
}

describe('a transaction that was promised room', () => {
  test.each([
    ['in extents', 3000],
    ['in the journal', 600],
    ['in both', 650],
  ])('gets it, however others fill the pool meanwhile: %s', async (_, bytes) => {
    const pool = await opened()
    const wanted = 61 * KIB + 7
    const transaction = await promised(pool, wanted)
    await fill(pool, bytes)
    const sequence = await store(transaction, pattern(wanted, 9))
    expect(await readAll(pool, sequence)).toEqual(pattern(wanted, 9))
    expect((await pool.check()).findings).toEqual([])
  })

  test('gets it, however many records come and payloads are let go meanwhile', async () => {
    const pool = await opened()
    const sequences: Sequence[] = []
    for (let i = 0; i < 9; i++) sequences.push(await put(pool, pattern(0)))
    const most = await mostOf(pool)
    const transaction = await promised(pool, most)
    await fill(pool, 0)
    for (const sequence of sequences) await release(pool, { sequence, payload: 0 })
    const sequence = await store(transaction, pattern(most, 9))
    expect(await readAll(pool, sequence)).toEqual(pattern(most, 9))
  })

  test('may go beyond it as long as there is room', async () => {
    const pool = await opened()
    const sequence = await store(await promised(pool, 5 * KIB), pattern(50 * KIB))
    expect(await readAll(pool, sequence)).toEqual(pattern(50 * KIB))
    const second = await promised(pool, 5 * KIB)
    await fill(pool, 3000)
    await expect(store(second, pattern(50 * KIB))).rejects.toMatchObject(full)
  })

  test.each(['commit', 'abort'] as const)('keeps none of it after its %s', async (end) => {
    const pool = await opened()
    const most = await mostOf(pool)
    const transaction = await promised(pool, most)
    await expect(promised(pool, 2 * KIB)).rejects.toMatchObject(full)
    if (end === 'abort') await transaction.abort()
    else await store(transaction, pattern(3 * KIB))
    await promised(pool, most - 8 * KIB)
  })
})

test('what does not fit is refused before its first byte, what fits exactly is not', async () => {
  const pool = await opened()
  const most = await mostOf(pool)
  await expect(promised(pool, most + KIB)).rejects.toMatchObject({ ...full, message: /bytes do not fit/ })
  const sequence = await store(await promised(pool, most), pattern(most, 4))
  expect(await readAll(pool, sequence)).toEqual(pattern(most, 4))
})

test('what small payloads need is not promised: they travel in the journal', async () => {
  const pool = await opened()
  await fill(pool, 3000)
  await promised(pool, 700)
  await expect(promised(pool, 701)).rejects.toMatchObject(full)
})

test('what was let go is asked for first', async () => {
  const pool = await opened()
  const large = await put(pool, pattern(100 * KIB))
  await fill(pool, 3000)
  await release(pool, { sequence: large, payload: 0 })
  await promised(pool, 90 * KIB)
})

test.each<[string, number[], number]>([
  ['one device', [256], 1],
  ['two devices', [256, 300], 1],
  ['two runs', [256, 256], 2],
  ['two runs on members that are unlike', [256, 600], 2],
  ['two runs on three members', [300, 256, 270], 2],
])(`every promise is kept: %s (seed ${SEED})`, async (_, sizes, runs) => {
  const random = seededRandom(SEED)
  let kept = 0
  for (let round = 0; round < 12; round++) {
    const pool = await opened(sizes, runs)
    const clients = Array.from({ length: 6 }, async (__, client) => {
      for (let turn = 0; turn < 12; turn++) {
        const bytes = random.below(random.pick([1000, 9000, 60_000]))
        const isPromised = client % 2 === 0
        try {
          const transaction = isPromised ? await promised(pool, bytes) : pool.begin()
          const write = () => store(transaction, pattern(bytes, turn))
          if (isPromised && bytes > 700) {
            await write().catch((error: Error) => {
              throw new Error(`round ${round}: ${bytes} bytes were promised: ${error.message}`, { cause: error })
            })
            kept++
          } else await write()
        } catch (error) {
          if (!(error instanceof PoolError && error.code === 'ERR_NO_SPACE')) throw error
        }
      }
    })
    await Promise.all(clients)
    expect((await pool.check()).findings).toEqual([])
  }
  expect(kept).toBeGreaterThan(40)
})
