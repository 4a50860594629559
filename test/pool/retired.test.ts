import { describe, expect, test } from 'vitest'
import { type Pool, PoolError, type PoolStatus, type Staging, type Transaction, type Tuning } from '../../pool/index.ts'
import { FailingDevice } from '../support/failing-device.ts'
import { contents, pattern, preparing, put, readAll, release } from '../support/pool-client.ts'
import { formatDevice, openDevice } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, TINY_TUNING, tiny } from '../support/tiny-pool.ts'

const { unitBytes, segmentBytes } = TINY_FORMAT
const { stagingBytesMax } = TINY_TUNING

/** A pool on a device of which the next writes can be made to fail. */
async function fragile(tuning: Partial<Tuning> = {}) {
  const device = new FailingDevice(TINY_BYTES)
  await formatDevice(device, TINY_FORMAT, identity())
  const pool = await openDevice(device, tiny({ tuning }))
  const failWrites = (numbers: readonly number[]) => {
    let number = 0
    device.before = (request) => {
      if (request === 'write' && numbers.includes(++number)) throw new PoolError('ERR_IO', `write ${number} fails`)
    }
  }
  return { device, pool, failWrites, reopen: () => openDevice(device, tiny({ tuning })) }
}

const commit = (transaction: Transaction, payload: Staging) =>
  transaction.commit(() => ({ records: [{ content: Buffer.from('x'), payloads: [payload] }], releases: [] }))

/** Every byte is somebody's. */
function expectTruth({ bytes, freeBytes, historyBytes, extentBytes, stagedBytes, retiredBytes }: PoolStatus): void {
  // The region chosen for the journal's next segment is counted as history.
  expect(freeBytes + historyBytes + extentBytes + stagedBytes + retiredBytes).toBe(bytes)
}

const LENGTH = 9000

describe('a write of a payload that fails', () => {
  // Data and a manifest; the seventh write is the batch.
  test.each([1, 2, 3, 4, 5, 6])('number %i, is tried elsewhere, once', async (number) => {
    const { device, pool, failWrites, reopen } = await fragile()
    const transaction = pool.begin()
    const payload = transaction.stage()
    failWrites([number])
    await payload.write(pattern(LENGTH))
    await transaction.prepare(preparing(payload))
    device.before = () => {}
    const { retiredBytes, extentBytes } = pool.status()
    expect([unitBytes, stagingBytesMax]).toContain(retiredBytes)
    expectTruth(pool.status())
    const sequence = await commit(transaction, payload)
    await pool.checkpoint()
    expect(await readAll(pool, sequence)).toEqual(pattern(LENGTH))
    expect(pool.status()).toMatchObject({ state: 'open', stagedBytes: 0, retiredBytes })
    expectTruth(pool.status())
    expect((await pool.check()).findings).toEqual([])
    const { freeBytes } = pool.status()
    const again = await reopen()
    expect(await readAll(again, sequence)).toEqual(pattern(LENGTH))
    expect(again.status()).toMatchObject({ retiredBytes: 0, stagedBytes: 0, freeBytes: freeBytes + retiredBytes })
    expect(again.status().extentBytes).toBeLessThanOrEqual(extentBytes)
    expect((await again.check()).findings).toEqual([])
  })

  test('elsewhere, too, refuses the upload, and what it held is free or retired', async () => {
    const { device, pool, failWrites } = await fragile()
    const transaction = pool.begin()
    const payload = transaction.stage()
    failWrites([2, 3, 4, 5])
    const uploading = payload.write(pattern(LENGTH)).then(() => commit(transaction, payload))
    await expect(uploading).rejects.toMatchObject({ code: 'ERR_IO' })
    await transaction.abort()
    device.before = () => {}
    expect(pool.status()).toMatchObject({ state: 'open', extentBytes: 0, stagedBytes: 0 })
    expect(pool.status().retiredBytes).toBeGreaterThanOrEqual(2 * unitBytes)
    expectTruth(pool.status())
    expect(await readAll(pool, await put(pool, pattern(LENGTH, 2)))).toEqual(pattern(LENGTH, 2))
  })

  test('is of units that nobody is given again', async () => {
    const { device, pool } = await fragile()
    const bad = new Set<number>()
    device.before = (request, offset) => {
      if (request !== 'write') return
      if (bad.size === 0) bad.add(offset)
      else expect(bad).not.toContain(offset)
      if (bad.has(offset)) throw new PoolError('ERR_IO', 'a bad place')
    }
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(LENGTH))
    const sequences = [await commit(transaction, payload)]
    device.before = (request, offset) => {
      if (request === 'write') expect(bad).not.toContain(offset)
    }
    for (let round = 0; round < 40; round++) {
      sequences.push(await put(pool, pattern(LENGTH, round)))
      await release(pool, { sequence: sequences.shift()!, payload: 0 })
      await pool.checkpoint()
    }
    expect(pool.status()).toMatchObject({ state: 'open', retiredBytes: stagingBytesMax })
  })

  test('and another, and another, halts the pool beyond retiredBytesMax', async () => {
    const retiredBytesMax = 4 * unitBytes
    const { device, pool } = await fragile({ retiredBytesMax })
    const sequence = await put(pool, pattern(LENGTH))
    device.fails = 'write'
    const uploads: unknown[] = []
    // A payload of one unit, tried at two places.
    while (uploads.length < 4 && pool.status().state === 'open') {
      const transaction = pool.begin()
      const payload = transaction.stage()
      const uploading = payload.write(pattern(unitBytes)).then(() => commit(transaction, payload))
      const failure = await uploading.catch(({ code }: PoolError) => code)
      await transaction.abort()
      uploads.push([failure, pool.status().state, pool.status().retiredBytes / unitBytes])
    }
    expect(uploads).toEqual([
      ['ERR_IO', 'open', 2],
      ['ERR_IO', 'open', 4],
      ['ERR_HALTED', 'halted', 5],
    ])
    device.fails = undefined
    expect(await readAll(pool, sequence)).toEqual(pattern(LENGTH))
    expect(() => pool.begin()).toThrow(expect.objectContaining({ code: 'ERR_HALTED' }))
  })
})

describe('a write of compaction that fails', () => {
  /** Segments of which most is dead. */
  async function worthCompacting(pool: Pool): Promise<void> {
    for (let i = 0; i < 60; i++) {
      const sequence = await put(pool, pattern(600, i))
      if (i % 8 !== 0) await release(pool, { sequence, payload: 0 })
    }
  }

  test.each([1, 2, 3])('number %i, retires its segment, and the next checkpoint tries elsewhere', async (number) => {
    const { device, pool, failWrites, reopen } = await fragile()
    await worthCompacting(pool)
    const { segments } = pool.status()
    const records = await contents(pool)
    failWrites([number])
    await pool.checkpoint()
    device.before = () => {}
    const { retiredBytes } = pool.status()
    expect(retiredBytes).toBeGreaterThanOrEqual(segmentBytes)
    expectTruth(pool.status())
    await pool.checkpoint()
    expect(pool.status()).toMatchObject({ state: 'open', retiredBytes })
    expect(pool.status().segments).toBeLessThan(segments)
    for (const opened of [pool, await reopen()]) {
      expect(await contents(opened)).toEqual(records)
      expect((await opened.check()).findings).toEqual([])
    }
  })
})
