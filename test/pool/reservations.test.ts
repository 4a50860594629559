import { describe, expect, test } from 'vitest'
import {
  formatDevices,
  type Geometry,
  MemoryDevice,
  type OpenOptions,
  openDevices,
  type Pool,
  PoolError,
  type Sequence,
  type Transaction,
} from '../../pool/index.ts'
import { PROMISE_MS_MIN } from '../../pool/reservations.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { pattern, put, readAll, release } from '../support/pool-client.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { TINY_FORMAT, TINY_TUNING, tiny } from '../support/tiny-pool.ts'

const KIB = 1024
const SEED = seedOf(8)
const full = { code: 'ERR_NO_SPACE' }

async function opened(sizes: readonly number[] = [256], runs = 1, options: OpenOptions = {}): Promise<Pool> {
  const devices = sizes.map((size) => new MemoryDevice(size * KIB))
  const geometry: Geometry = { layout: 'concat', stripeUnit: 0, legs: 1, runs }
  const identity = { pool: Buffer.alloc(16, 1), members: sizes.map((_, i) => Buffer.alloc(16, i + 2)) }
  await formatDevices(devices, { format: TINY_FORMAT, geometry }, identity)
  return await openDevices(devices, tiny(options))
}

async function promised(pool: Pool, bytes: number): Promise<Transaction> {
  const transaction = pool.begin()
  await transaction.reserve(bytes)
  return transaction
}

async function store(transaction: Transaction, bytes: Buffer, content = Buffer.from('x')): Promise<Sequence> {
  const payload = transaction.stage()
  await payload.write(bytes)
  return await transaction.commit(() => ({
    records: [{ content, payloads: [payload] }],
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

  test('leaves the journal what deletes need, however many of its kind come', async () => {
    const pool = await opened()
    const small: Sequence[] = []
    for (let i = 0; i < 96; i++) small.push(await put(pool, pattern(KIB)))
    await fill(pool, 3000)
    // Room, but in regions that are in use: no free one comes of it.
    for (const sequence of small.filter((_, i) => i % 2 === 0)) await release(pool, { sequence, payload: 0 })
    await pool.checkpoint()
    const greedy = async () => {
      for (;;) await store(await promised(pool, KIB), pattern(KIB), Buffer.alloc(2000))
    }
    await expect(greedy()).rejects.toMatchObject({ ...full, message: /for deletes/ })
    for (const sequence of small.filter((_, i) => i % 2 === 1)) await release(pool, { sequence, payload: 0 })
    await pool.checkpoint()
    expect(await mostOf(pool)).toBeGreaterThan(40 * KIB)
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

describe('a promise that is used too slowly to be used up in promiseMsMax', () => {
  const { promiseMsMax } = TINY_TUNING

  async function allPromised() {
    const clock = new ManualClock()
    const pool = await opened([256], 1, { clock })
    const most = await mostOf(pool)
    const slow = await promised(pool, most)
    return { clock, pool, most, slow }
  }

  test.each<[string, (pool: Pool) => Promise<unknown>]>([
    ['a promise', (pool) => promised(pool, 20 * KIB)],
    ['units', (pool) => put(pool, pattern(20 * KIB))],
    ['the journal', (pool) => put(pool, pattern(600))],
  ])('ends once somebody else lacks room: for %s', async (_, other) => {
    const { clock, pool, slow } = await allPromised()
    clock.run(PROMISE_MS_MIN)
    await expect(other(pool)).rejects.toMatchObject(full)
    clock.run(promiseMsMax / 10)
    await other(pool)
    expect(await readAll(pool, await store(slow, pattern(10 * KIB)))).toEqual(pattern(10 * KIB))
    expect((await pool.check()).findings).toEqual([])
  })

  test('is kept while nobody lacks it', async () => {
    const { clock, pool, most, slow } = await allPromised()
    clock.run(2 * promiseMsMax)
    expect(await readAll(pool, await store(slow, pattern(most)))).toEqual(pattern(most))
  })

  test("is nobody's who keeps the pace", async () => {
    const { clock, pool, most, slow } = await allPromised()
    const payload = slow.stage()
    for (let tenth = 1; tenth <= 10; tenth++) {
      await payload.write(pattern(Math.floor(most / 10)))
      clock.run(promiseMsMax / 11)
      if (tenth < 10) await expect(promised(pool, 20 * KIB)).rejects.toMatchObject(full)
    }
    const content = Buffer.from('steady')
    await slow.commit(() => ({ records: [{ content, payloads: [payload] }], releases: [] }))
  })

  test('may be followed by another', async () => {
    const { clock, pool, most, slow } = await allPromised()
    clock.run(promiseMsMax)
    await (await promised(pool, 20 * KIB)).abort()
    await slow.reserve(most)
    await expect(promised(pool, 20 * KIB)).rejects.toMatchObject(full)
  })
})

test('what fits only a pool that has grown is let in where it grows by itself, and promised nothing', async () => {
  let growableBytes = 0
  const pool = await opened([256], 1, { growableBytes: () => growableBytes })
  const most = await mostOf(pool)
  growableBytes = 100 * KIB
  await promised(pool, most + 90 * KIB)
  await expect(promised(pool, most + 110 * KIB)).rejects.toMatchObject(full)
  expect(pool.status().promisedBytes).toBe(0)
  growableBytes = 0
  await expect(promised(pool, most + KIB)).rejects.toMatchObject(full)
})

test('what is promised is shown, until it is used', async () => {
  const pool = await opened()
  const transaction = await promised(pool, 20 * KIB)
  // With the manifest that names its twenty units.
  expect(pool.status().promisedBytes).toBe(21 * KIB)
  await transaction.stage().write(pattern(4 * KIB))
  expect(pool.status().promisedBytes).toBe(17 * KIB)
  await transaction.abort()
  expect(pool.status().promisedBytes).toBe(0)
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
