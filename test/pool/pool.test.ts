import { describe, expect, test } from 'vitest'
import { MemoryDevice, type Pool } from '../../pool/index.ts'
import { formatDevice, openDevice } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

async function fresh(bytes = TINY_BYTES): Promise<MemoryDevice> {
  const device = new MemoryDevice(bytes)
  await formatDevice(device, TINY_FORMAT, identity())
  return device
}

async function put(pool: Pool, bytes: Uint8Array, releases: { sequence: number; payload: number }[] = []) {
  const transaction = pool.begin()
  const payload = transaction.stage()
  for (let offset = 0; offset < bytes.length; offset += 300) await payload.write(bytes.subarray(offset, offset + 300))
  return await transaction.commit((first) => ({
    records: [{ content: Buffer.from(`record ${first}`), payloads: [payload] }],
    releases,
  }))
}

async function remove(pool: Pool, sequence: number) {
  return await pool.begin().commit(() => ({
    records: [{ content: Buffer.from('gone'), payloads: [] }],
    releases: [{ sequence, payload: 0 }],
  }))
}

async function read(pool: Pool, sequence: number, range?: { offset: number; length: number }): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of pool.read(sequence, 0, range)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const pattern = (length: number, seed = 1) =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i >> 8)) & 255))

describe('a pool', () => {
  test.each([0, 1, 700, 701, 1024, 5000, 40_000, 120_000])(
    'keeps a payload of %i bytes across a restart',
    async (length) => {
      const device = await fresh()
      const first = await openDevice(device, tiny())
      const bytes = pattern(length)
      const sequence = await put(first, bytes)
      expect(await read(first, sequence)).toEqual(bytes)
      const second = await openDevice(device, tiny())
      expect(await read(second, sequence)).toEqual(bytes)
      expect(await read(second, sequence, { offset: 333, length: 1500 })).toEqual(bytes.subarray(333, 1833))
      expect((await second.check()).findings).toEqual([])
      await second.close()
      const third = await openDevice(device, tiny())
      expect(third.status().recovery.verdict).toBe('clean')
      expect(await read(third, sequence)).toEqual(bytes)
    },
  )

  test('gives all space back but its history', async () => {
    const device = await fresh()
    let pool = await openDevice(device, tiny())
    const start = pool.status()
    for (let round = 0; round < 30; round++) {
      const live: number[] = []
      for (let i = 0; i < 12; i++) live.push(await put(pool, pattern((i * 997 + round * 131) % 9000, i)))
      for (const sequence of live) await remove(pool, sequence)
      if (round % 7 === 6) {
        await pool.close()
        pool = await openDevice(device, tiny())
      }
    }
    for (let i = 0; i < 20; i++) await pool.checkpoint()
    const end = pool.status()
    expect(end.extentBytes).toBe(0)
    expect(end.stagedBytes).toBe(0)
    expect(end.freeBytes + end.historyBytes).toBe(start.freeBytes + start.historyBytes)
    expect((await pool.check()).findings).toEqual([])
  })
})
