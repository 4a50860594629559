import { describe, expect, test } from 'vitest'
import type { Device, MemoryDevice, Pool, Release, Sequence, Timers, Tuning } from '../../pool/index.ts'
import {
  batchesOn,
  formatted,
  GatedDevice,
  pattern,
  preparing,
  put,
  readAll,
  release,
  settled,
} from '../support/pool-client.ts'
import { seededRandom } from '../support/random.ts'
import { openDevice } from '../support/single-device.ts'
import { TINY_FORMAT, TINY_TUNING, tiny } from '../support/tiny-pool.ts'

const { segmentBytes, unitBytes } = TINY_FORMAT

async function open(tuning: Partial<Tuning>): Promise<{ device: MemoryDevice; pool: Pool }> {
  const device = await formatted()
  return { device, pool: await openDevice(device, tiny({ tuning })) }
}

/** Commits a record of so many bytes in all, its header's 32 included. */
const record = (pool: Pool, bytes: number): Promise<Sequence> =>
  pool.begin().commit(() => ({ records: [{ content: Buffer.alloc(bytes - 32), payloads: [] }], releases: [] }))

const limits = { code: 'ERR_LIMITS' }
const busy = { code: 'ERR_BUSY' }

describe('a transaction', () => {
  test('keeps payloads in the journal up to inlineBytesMax', async () => {
    const { pool } = await open({ inlineBytesMax: 600 })
    await put(pool, pattern(600))
    expect(pool.status().extentBytes).toBe(0)
    await put(pool, pattern(601))
    expect(pool.status().extentBytes).toBe(unitBytes)
  })

  test('of transactionBytesMax is taken, and none that is larger, which leaves no trace', async () => {
    const { pool } = await open({ transactionBytesMax: 2000 })
    expect(await record(pool, 2000)).toBe(1)
    await expect(record(pool, 2001)).rejects.toMatchObject(limits)
    const transaction = pool.begin()
    const payloads = [transaction.stage(), transaction.stage(), transaction.stage()]
    for (const payload of payloads) await payload.write(pattern(650))
    const content = Buffer.from('three of 650')
    await expect(transaction.commit(() => ({ records: [{ content, payloads }], releases: [] }))).rejects.toMatchObject(
      limits,
    )
    expect(await put(pool, pattern(650))).toBe(2)
    expect(await pool.check()).toMatchObject({ records: 2, payloadBytes: 650, findings: [] })
  })

  test('that was too large to prepare goes on', async () => {
    const { pool } = await open({ transactionBytesMax: 2000 })
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(5000))
    await expect(transaction.prepare(preparing(payload, Buffer.alloc(2000)))).rejects.toMatchObject(limits)
    const content = Buffer.from('smaller')
    const sequence = await transaction.commit(() => ({ records: [{ content, payloads: [payload] }], releases: [] }))
    expect(await readAll(pool, sequence)).toEqual(pattern(5000))
    expect((await pool.check()).findings).toEqual([])
  })
})

describe('a batch', () => {
  test('takes no transaction more once it holds groupBytesMax', async () => {
    const { device, pool } = await open({ groupBytesMax: 1000 })
    await Promise.all([400, 400, 400, 1000, 96, 904, 504, 488, 40].map((bytes) => record(pool, bytes)))
    const batches = batchesOn(device.bytes)
    expect(batches.map(({ header }) => header.entries)).toEqual([3, 1, 2, 3])
    expect(batches.map(({ header }) => header.entryBytes)).toEqual([1200, 1000, 1000, 1032])
  })

  test('takes groupTransactionsMax transactions', async () => {
    const { device, pool } = await open({ groupTransactionsMax: 5 })
    await Promise.all(Array.from({ length: 13 }, () => record(pool, 40)))
    expect(batchesOn(device.bytes).map(({ header }) => header.entries)).toEqual([5, 5, 3])
  })
})

describe('the queue of transactions', () => {
  async function refusedOf(commits: readonly Promise<Sequence>[]): Promise<unknown[]> {
    const outcomes = await Promise.allSettled(commits)
    return outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.code))
  }

  test('holds queueTransactionsMax', async () => {
    const { pool } = await open({ queueTransactionsMax: 3 })
    const outcomes = await refusedOf(Array.from({ length: 5 }, () => record(pool, 40)))
    expect(outcomes).toEqual([1, 2, 3, 'ERR_BUSY', 'ERR_BUSY'])
    expect(await record(pool, 40)).toBe(4)
  })

  test('holds queueBytesMax of payloads', async () => {
    const { pool } = await open({ queueBytesMax: 1500 })
    const outcomes = await refusedOf([put(pool, pattern(700)), put(pool, pattern(700)), put(pool, pattern(101))])
    expect(outcomes).toEqual([1, 2, 'ERR_BUSY'])
    expect(await refusedOf([put(pool, pattern(700)), put(pool, pattern(700)), put(pool, pattern(100))])).toEqual([
      3, 4, 5,
    ])
    expect(await pool.check()).toMatchObject({ records: 5, findings: [] })
  })

  test('counts what waits, not what is being written', async () => {
    const memory = await formatted()
    const device = new GatedDevice(memory)
    const pool = await openDevice(device, tiny({ tuning: { queueTransactionsMax: 2, groupTransactionsMax: 1 } }))
    const held = device.hold((request) => request === 'flush')
    const first = record(pool, 40)
    await held
    const waiting = [record(pool, 40), record(pool, 40)]
    await settled()
    await expect(record(pool, 40)).rejects.toMatchObject(busy)
    device.open()
    expect(await Promise.all([first, ...waiting])).toEqual([1, 2, 3])
  })
})

describe('the reserve', () => {
  test('of reserveSegments is left alone by payloads', async () => {
    for (const bytes of [600, 3000]) {
      const { pool } = await open({ reserveSegments: 6 })
      await expect(forever(() => put(pool, pattern(bytes)))).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
      const { freeBytes } = pool.status()
      expect(freeBytes).toBeGreaterThanOrEqual(6 * segmentBytes)
      expect(freeBytes).toBeLessThan(7 * segmentBytes)
    }
  })

  test('is half for records without payload bytes, and half for those that let something go', async () => {
    const { pool } = await open({ reserveSegments: 6 })
    await expect(forever(() => put(pool, pattern(3000)))).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    await expect(forever(() => record(pool, 40))).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    await expect(forever(() => put(pool, pattern(0)))).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    expect(pool.status().freeBytes).toBeGreaterThanOrEqual(3 * segmentBytes)
    await release(pool, { sequence: 1, payload: 0 })
  })

  async function forever(commit: () => Promise<Sequence>): Promise<never> {
    for (;;) await commit()
  }
})

describe('a checkpoint is written', () => {
  test('after checkpointBytesMax of journal', async () => {
    const { pool } = await open({ checkpointBytesMax: 4096 })
    for (let i = 0; i < 7; i++) await record(pool, 40)
    await settled()
    expect(pool.status().checkpoints).toBe(0)
    await record(pool, 40)
    await settled()
    expect(pool.status().checkpoints).toBe(1)
  })

  test('after checkpointBytesMax of journal, of which the last opening replayed some', async () => {
    const { device, pool } = await open({ checkpointBytesMax: 4096 })
    for (let i = 0; i < 7; i++) await record(pool, 40)
    const again = await openDevice(device, tiny({ tuning: { checkpointBytesMax: 4096 } }))
    await record(again, 40)
    await settled()
    expect(again.status().checkpoints).toBe(1)
  })

  test('after checkpointRecordsMax of records, however small they are', async () => {
    const { pool } = await open({ checkpointRecordsMax: 4 })
    for (let i = 0; i < 3; i++) await record(pool, 40)
    await settled()
    expect(pool.status().checkpoints).toBe(0)
    await record(pool, 40)
    await settled()
    expect(pool.status().checkpoints).toBe(1)
  })

  test('after releasesMax released payloads', async () => {
    const { pool } = await open({ releasesMax: 3 })
    for (let i = 0; i < 4; i++) await put(pool, pattern(1024))
    await release(pool, { sequence: 1, payload: 0 }, { sequence: 2, payload: 0 })
    await settled()
    expect(pool.status()).toMatchObject({ checkpoints: 0, extentBytes: 2 * unitBytes, stagedBytes: 2 * unitBytes })
    await release(pool, { sequence: 3, payload: 0 })
    await settled()
    expect(pool.status()).toMatchObject({ checkpoints: 1, extentBytes: unitBytes, stagedBytes: 0 })
  })

  test('every checkpointMsMax while there is something to save', async () => {
    const ticks: (() => void)[] = []
    const timers: Timers = {
      every: (milliseconds, task) => {
        expect(milliseconds).toBe(30_000)
        ticks.push(task)
        return () => {}
      },
    }
    const pool = await openDevice(await formatted(), tiny({ timers, tuning: { checkpointMsMax: 30_000 } }))
    const tick = async () => {
      for (const task of ticks) task()
      await settled()
      return pool.status().checkpoints
    }
    expect(await tick()).toBe(0)
    await record(pool, 40)
    expect(await tick()).toBe(1)
    expect(await tick()).toBe(1)
  })
})

/** A device that counts, and that finishes a write only when it is told to. */
class MeteredDevice implements Device {
  readonly copies = 1
  readonly limits
  readonly #device: Device
  readonly #waiting: (() => void)[] = []
  slow = false
  reads = 0
  readBytes = 0
  writtenBytes = 0
  outstandingBytes = 0
  largestWrite = 0

  constructor(device: Device) {
    this.#device = device
    this.limits = device.limits
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    this.reads++
    this.readBytes += target.length
    await this.#device.read(offset, target)
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    this.largestWrite = Math.max(this.largestWrite, source.length)
    this.outstandingBytes += source.length
    if (this.slow) await new Promise<void>((go) => this.#waiting.push(go))
    await this.#device.write(offset, source)
    this.outstandingBytes -= source.length
    this.writtenBytes += source.length
  }

  /** Finishes the oldest write underway. */
  finish(): void {
    this.#waiting.shift()?.()
  }

  flush(): Promise<void> {
    return this.#device.flush()
  }

  close(): Promise<void> {
    return this.#device.close()
  }
}

describe('memory', () => {
  const { stagingBytesMax } = TINY_TUNING
  const PAYLOAD_BYTES = 50 * stagingBytesMax

  test('of a payload on its way in is three buffers of stagingBytesMax, however slow the device', async () => {
    const device = new MeteredDevice(await formatted())
    const pool = await openDevice(device, tiny())
    const transaction = pool.begin()
    const payload = transaction.stage()
    const bytes = pattern(PAYLOAD_BYTES)
    const before = device.writtenBytes
    device.slow = true
    device.largestWrite = 0
    let held = 0
    let waits = 0
    for (let offset = 0; offset < bytes.length; offset += 300) {
      let taken = false
      const writing = payload.write(bytes.subarray(offset, offset + 300)).then(() => {
        taken = true
      })
      await settled()
      held = Math.max(held, payload.length - (device.writtenBytes - before))
      for (; !taken; await settled()) {
        waits++
        device.finish()
      }
      await writing
      expect(device.outstandingBytes).toBeLessThanOrEqual(2 * stagingBytesMax)
    }
    expect(held).toBeGreaterThan(2 * stagingBytesMax)
    expect(held).toBeLessThanOrEqual(3 * stagingBytesMax)
    expect(device.largestWrite).toBe(stagingBytesMax)
    expect(waits).toBeGreaterThan(40)
    device.slow = false
    for (let i = 0; i < 3; i++) device.finish()
    const content = Buffer.from('large')
    const sequence = await transaction.commit(() => ({ records: [{ content, payloads: [payload] }], releases: [] }))
    expect(await readAll(pool, sequence)).toEqual(bytes)
  })

  test('of a payload on its way out is two buffers of stagingBytesMax, however slow its reader', async () => {
    const device = new MeteredDevice(await formatted())
    const pool = await openDevice(device, tiny())
    const sequence = await put(pool, pattern(PAYLOAD_BYTES))
    const otherBytes = 2 * unitBytes + 1024 // Its two manifests and its entry.
    const before = device.readBytes
    let taken = 0
    for await (const chunk of pool.read(sequence, 0)) {
      await settled()
      expect(device.readBytes - before - taken).toBeLessThanOrEqual(2 * stagingBytesMax + otherBytes)
      taken += chunk.length
    }
    expect(taken).toBe(PAYLOAD_BYTES)
  })

  test('of offset tables is indexesMax segments', async () => {
    const memory = await formatted()
    const first = await openDevice(memory, tiny())
    const sequences: Sequence[] = []
    for (let segments = 0; first.status().segments < 6; ) {
      const sequence = await put(first, pattern(300))
      if (first.status().segments > segments) sequences.push(sequence)
      segments = first.status().segments
    }
    await first.close()
    const device = new MeteredDevice(memory)
    const pool = await openDevice(device, tiny({ tuning: { indexesMax: 3 } }))
    const cost = async (segment: number) => {
      const { reads } = device
      await pool.record(sequences[segment]!)
      return device.reads - reads > 1 ? 'loads' : 'knows'
    }
    const costs: string[] = []
    for (const segment of [0, 0, 1, 2, 0, 3, 0, 2, 1]) costs.push(await cost(segment))
    expect(costs).toEqual(['loads', 'knows', 'loads', 'loads', 'knows', 'loads', 'knows', 'knows', 'loads'])
  })
})

describe('a pool of which a good part lives', () => {
  test.each([1, 16])('takes overwrites in any order, %i at a time, and loses nothing', async (inFlight) => {
    const random = seededRandom(7)
    const device = await formatted(1 << 20)
    const pool = await openDevice(device, tiny())
    const alive: { sequence: Sequence; seed: number }[] = []
    const store = async (seed: number, releases: readonly Release[] = []) => {
      alive.push({ sequence: await put(pool, pattern(640, seed), releases), seed })
    }
    const parallel = async (count: number, task: (i: number) => Promise<void>) => {
      for (let i = 0; i < count; i += inFlight) {
        await Promise.all(Array.from({ length: inFlight }, (_, lane) => task(i + lane)))
      }
    }
    const { bytes } = pool.status()
    await parallel(Math.floor((0.55 * bytes) / 1024), (i) => store(i))
    await parallel(1200, (i) => {
      const [old] = alive.splice(random.below(alive.length), 1)
      return store(i, [{ sequence: old!.sequence, payload: 0 }])
    })
    expect(pool.status().freeBytes).toBeLessThan(12 * segmentBytes)
    for (const opened of [pool, await openDevice(device, tiny())]) {
      for (const { sequence, seed } of alive) {
        expect((await readAll(opened, sequence)).equals(pattern(640, seed))).toBe(true)
      }
      expect((await opened.check()).findings).toEqual([])
    }
  })
})
