import { expect, test } from 'vitest'
import { MemoryDevice, type Pool, PoolError } from '../../pool/index.ts'
import { batchesOn, contents, pattern, put } from '../support/pool-client.ts'
import { formatDevice, openDevice } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

const RECORDS = 40
/** How often a segment is read at the most, in pages of two records: four batches are read ahead, and its table once. */
const PAGES_READ_MAX = 5
/** What a segment is read in: eight blocks. */
const AHEAD_BYTES = 8 * TINY_FORMAT.blockBytes

/** A device that counts what is read, and has one bad block. */
class ReadDevice extends MemoryDevice {
  readonly lengths: number[] = []
  bad = -1

  override async read(offset: number, target: Uint8Array): Promise<void> {
    this.lengths.push(target.length)
    if (this.bad >= offset && this.bad < offset + target.length) throw new PoolError('ERR_IO', 'a bad block')
    await super.read(offset, target)
  }
}

/** A pool of small records, of which segments are full; and its device. */
async function filled(): Promise<{ device: ReadDevice; pool: Pool }> {
  const device = new ReadDevice(TINY_BYTES)
  await formatDevice(device, TINY_FORMAT, identity())
  const pool = await openDevice(device, tiny())
  for (let i = 0; i < RECORDS; i++) await put(pool, pattern(100, i))
  device.lengths.length = 0
  return { device, pool }
}

test('a check reads eight blocks of a segment at once, and never more', async () => {
  const { device, pool } = await filled()
  expect(await pool.check()).toMatchObject({ records: RECORDS, findings: [] })
  expect(Math.max(...device.lengths)).toBe(AHEAD_BYTES)
  expect(device.lengths.length).toBeLessThan(RECORDS / 4)
})

test('a block that cannot be read hides only the batch in it from who reads ahead', async () => {
  const { device, pool } = await filled()
  const before = 5
  device.bad = batchesOn(device.bytes)[before]!.offset
  const shown: string[] = []
  const reading = (async () => {
    for await (const { content } of pool.replay(1)) shown.push(Buffer.from(content).toString())
  })()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_IO' })
  expect(shown).toEqual(Array.from({ length: before }, (_, i) => `record ${i + 1}`))
  device.bad = -1
  expect(await contents(pool)).toHaveLength(RECORDS)
})

test('a replay reads no more of a segment than what it asks for, page after page', async () => {
  const { device, pool } = await filled()
  await contents(pool)
  const whole = device.lengths.splice(0).reduce((sum, length) => sum + length)
  const shown: string[] = []
  for (let from = 1; from <= RECORDS; from += 2) {
    for await (const { sequence, content } of pool.replay(from)) {
      shown.push(Buffer.from(content).toString())
      if (sequence > from) break
    }
  }
  expect(shown).toEqual(Array.from({ length: RECORDS }, (_, i) => `record ${i + 1}`))
  const pages = device.lengths.reduce((sum, length) => sum + length)
  expect(pages).toBeLessThan(PAGES_READ_MAX * whole)
})

test('a replay begins with any record of a batch of several', async () => {
  const device = new MemoryDevice(TINY_BYTES)
  await formatDevice(device, TINY_FORMAT, identity())
  const pool = await openDevice(device, tiny())
  for (let first = 1; first < RECORDS; first += 4) {
    const records = [0, 1, 2, 3].map((at) => ({ content: Buffer.from(`record ${first + at}`), payloads: [] }))
    await pool.begin().commit(() => ({ records, releases: [] }))
  }
  const all = await contents(pool)
  expect(all).toHaveLength(RECORDS)
  for (let from = 1; from <= RECORDS; from += 1) {
    const shown: string[] = []
    for await (const { content } of pool.replay(from)) shown.push(Buffer.from(content).toString())
    expect(shown).toEqual(all.slice(from - 1))
  }
})
