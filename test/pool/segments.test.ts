import { expect, test } from 'vitest'
import { MemoryDevice, type Pool, PoolError } from '../../pool/index.ts'
import { batchesOn, contents, pattern, put } from '../support/pool-client.ts'
import { formatDevice, openDevice } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

const RECORDS = 40
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
