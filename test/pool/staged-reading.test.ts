import { crc32c } from '@node-rs/crc32'
import { describe, expect, test } from 'vitest'
import type { MemoryDevice, Pool, Staging } from '../../pool/index.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { formatted, GatedDevice, pattern, preparing, settled } from '../support/pool-client.ts'
import { openDevice } from '../support/single-device.ts'
import { tiny } from '../support/tiny-pool.ts'

/* What is staged is read before it is committed: whole, verified, and only as long as it stays what it was. */

const closed = { name: 'PoolError', code: 'ERR_CLOSED' }

const sum = (bytes: Uint8Array) => [bytes.length, crc32c(bytes)]

async function all(staging: Staging): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of staging.read()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function staged(pool: Pool, bytes: Buffer, pieceBytes = 1700) {
  const transaction = pool.begin()
  const staging = transaction.stage()
  for (let at = 0; at < bytes.length; at += pieceBytes) await staging.write(bytes.subarray(at, at + pieceBytes))
  return { transaction, staging }
}

describe.each([
  ['in memory', async () => memoryPool({ bytesMax: 512 << 10 })],
  ['on blocks', async () => openDevice(await formatted(512 << 10), tiny())],
])('in a pool %s', (_where, open) => {
  // Inline; units and what is not written yet; a tree of two levels, and manifests beside leaves.
  test.each([0, 10, 700, 701, 5000, 65_536, 150_000])(
    '%d bytes are read, and then stored as they are',
    async (length) => {
      const pool = await open()
      const { transaction, staging } = await staged(pool, pattern(length))
      expect(sum(await all(staging))).toEqual(sum(pattern(length)))
      await staging.write(pattern(1100, 2))
      const whole = Buffer.concat([pattern(length), pattern(1100, 2)])
      expect(sum(await all(staging))).toEqual(sum(whole))
      const prepared = await transaction.prepare(preparing(staging))
      expect(sum(await all(staging))).toEqual(sum(whole))
      await transaction.abort()
      const resumed = await pool.resume(prepared)
      expect(sum(await all(resumed.payloads[0]!))).toEqual(sum(whole))
      await resumed.payloads[0]!.write(Buffer.of(7))
      expect(sum(await all(resumed.payloads[0]!))).toEqual(sum(Buffer.concat([whole, Buffer.of(7)])))
      await resumed.transaction.abort()
      expect(pool.status().stagedBytes).toBe(0)
      expect((await pool.check()).findings).toEqual([])
    },
  )

  const changes: readonly [string, (them: Awaited<ReturnType<typeof staged>>) => Promise<unknown>][] = [
    ['a write', ({ staging }) => staging.write(Buffer.of(1))],
    ['a prepare', ({ transaction, staging }) => transaction.prepare(preparing(staging))],
    ['a commit', ({ transaction, staging }) => transaction.commit(preparing(staging))],
    ['an abort', ({ transaction }) => transaction.abort()],
  ]
  describe.each([10, 5000])('reading %d bytes', (length) => {
    test.each(changes)('ends with %s', async (_what, change) => {
      const pool = await open()
      const them = await staged(pool, pattern(length))
      const reading = them.staging.read()[Symbol.asyncIterator]()
      await reading.next()
      await change(them)
      await expect(reading.next()).rejects.toMatchObject(closed)
      expect((await pool.check()).findings).toEqual([])
    })
  })

  test('may stop early, and is nothing once the transaction has ended', async () => {
    const pool = await open()
    const { transaction, staging } = await staged(pool, pattern(5000))
    for await (const _ of staging.read()) break
    await transaction.commit(preparing(staging))
    await expect(all(staging)).rejects.toMatchObject(closed)
  })
})

test.each(['abort', 'commit'] as const)('units stay taken while they are read, and %s waits for it', async (verb) => {
  const device = new GatedDevice(await formatted())
  const pool = await openDevice(device, tiny())
  const { transaction, staging } = await staged(pool, pattern(5000))
  const held = device.hold((request) => request === 'read')
  const reading = all(staging)
  const refused = expect(reading).rejects.toMatchObject(closed)
  await held
  let hasEnded = false
  const ended = transaction[verb](preparing(staging)).then(() => {
    hasEnded = true
  })
  await settled()
  expect(hasEnded).toBe(false)
  if (verb === 'abort') expect(pool.status().stagedBytes).toBeGreaterThan(0)
  device.open()
  await ended
  await refused
  expect((await pool.check()).findings).toEqual([])
})

test('a prepared record that is read still is let go of by nobody', async () => {
  const device = new GatedDevice(await formatted())
  const pool = await openDevice(device, tiny())
  const { transaction, staging } = await staged(pool, pattern(5000))
  const sequence = await transaction.prepare(preparing(staging))
  const held = device.hold((request) => request === 'read')
  const refused = expect(all(staging)).rejects.toMatchObject(closed)
  await held
  const aborted = transaction.abort()
  await settled()
  const draft = () => ({ records: [{ content: Buffer.of(1), payloads: [] }], releases: [{ sequence, payload: 0 }] })
  await expect(pool.begin().commit(draft)).rejects.toMatchObject({ code: 'ERR_BUSY' })
  device.open()
  await Promise.all([aborted, refused])
  await pool.begin().commit(draft)
})

test('bytes that are not those that were written are neither read nor committed', async () => {
  const device: MemoryDevice = await formatted()
  const pool = await openDevice(device, tiny())
  const { transaction, staging } = await staged(pool, pattern(5000))
  device.bytes[device.bytes.indexOf(pattern(512))]! ^= 1
  await expect(all(staging)).rejects.toMatchObject({
    code: 'ERR_CORRUPT',
    message: expect.stringContaining('an upload'),
  })
  await expect(transaction.commit(preparing(staging))).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  expect(pool.status().stagedBytes).toBe(0)
})
