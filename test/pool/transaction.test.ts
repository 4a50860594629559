import { describe, expect, test } from 'vitest'
import { type Pool, PoolError } from '../../pool/index.ts'
import { formatted, GatedDevice, pattern, put, readAll, release, settled } from '../support/pool-client.ts'
import { openDevice } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

const one = (payload: import('../../pool/index.ts').Staging) => () => ({
  records: [{ content: Buffer.from('one'), payloads: [payload] }],
  releases: [],
})

describe('a transaction', () => {
  test('that was refused to prepare goes on and owns nothing that no record names', async () => {
    const device = await formatted()
    const pool = await openDevice(device, tiny())
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(5000))
    const refused = transaction.prepare(() => {
      throw new Error('refused')
    })
    await expect(refused).rejects.toThrow('refused')
    const sequence = await transaction.commit(one(payload))
    expect((await pool.check()).findings).toEqual([])
    expect(await readAll(pool, sequence)).toEqual(pattern(5000))
    await release(pool, { sequence, payload: 0 })
    await pool.checkpoint()
    expect(pool.status()).toMatchObject({ extentBytes: 0, stagedBytes: 0 })
  })

  test('whose write found no space is not committed', async () => {
    const pool = await openDevice(await formatted(), tiny())
    const transaction = pool.begin()
    const payload = transaction.stage()
    await expect(payload.write(pattern(TINY_BYTES))).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    await expect(transaction.commit(one(payload))).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    expect(pool.position.sequence).toBe(0)
    expect(pool.status().stagedBytes).toBe(0)
  })

  test('that is aborted while it is being prepared leaves the prepared record whole', async () => {
    const device = new GatedDevice(await formatted())
    const pool = await openDevice(device, tiny())
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(5000))
    const held = device.hold((request) => request === 'flush')
    const prepared = transaction.prepare(one(payload))
    await held
    const aborted = transaction.abort()
    await settled()
    device.open()
    await aborted
    const sequence = await prepared
    await put(pool, pattern(5000, 2))
    expect((await pool.check()).findings).toEqual([])
    expect(await readAll(pool, sequence)).toEqual(pattern(5000))
  })

  test('that is committed while it is being prepared owns each unit once', async () => {
    const device = new GatedDevice(await formatted())
    const pool = await openDevice(device, tiny())
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(5000))
    const outcomes = await Promise.allSettled([transaction.prepare(one(payload)), transaction.commit(one(payload))])
    expect(outcomes.map(({ status }) => status)).toContain('fulfilled')
    expect((await pool.check()).findings).toEqual([])
    const again = await openDevice(device, tiny())
    expect((await again.check()).findings).toEqual([])
  })

  test('takes bytes in the order of the calls, however slow the device', async () => {
    const device = new GatedDevice(await formatted())
    const pool = await openDevice(device, tiny())
    const transaction = pool.begin()
    const payload = transaction.stage()
    const chunks = Array.from({ length: 9 }, (_, i) => pattern(1700, i))
    const held = device.hold((request) => request === 'write')
    const written = Promise.all(chunks.map((chunk) => payload.write(chunk)))
    await held
    await settled()
    device.open()
    await written
    const sequence = await transaction.commit(one(payload))
    expect(await readAll(pool, sequence)).toEqual(Buffer.concat(chunks))
  })

  test('takes no bytes once it has ended', async () => {
    const pool = await openDevice(await formatted(), tiny())
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(3000))
    await transaction.abort()
    await expect(payload.write(pattern(3000))).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect(pool.status().stagedBytes).toBe(0)
  })

  test('a write that lost its race against a full pool never lands in another upload', async () => {
    const device = new GatedDevice(await formatted())
    const pool = await openDevice(device, tiny())
    await fill(pool)
    const transaction = pool.begin()
    const payload = transaction.stage()
    await pool.checkpoint()
    const first = device.hold((request) => request === 'write')
    const failing = payload.write(pattern(20_000, 3)).catch((error: unknown) => error)
    await first
    await settled()
    const aborted = transaction.abort()
    await settled()
    const staged = pool.status().stagedBytes
    expect(staged).toBeGreaterThan(0) // Its units are not given to anyone while a write to them may still land.
    device.open()
    await failing
    await aborted
    expect(pool.status().stagedBytes).toBe(0)
  })
})

/** Until large payloads find no room, then makes room for one and a half units of them in two places. */
async function fill(pool: import('../../pool/index.ts').Pool): Promise<void> {
  const sequences: number[] = []
  for (;;) {
    try {
      sequences.push(await put(pool, pattern(1024)))
    } catch {
      break
    }
  }
  await release(pool, { sequence: sequences[3]!, payload: 0 })
  await pool.checkpoint()
}

describe('a release', () => {
  test.each([
    ['a payload number that no record can have', { sequence: 1, payload: 70_000 }],
    ['a negative payload number', { sequence: 1, payload: -1 }],
    ['a record that does not exist yet', { sequence: 99, payload: 0 }],
    ['no sequence at all', { sequence: Number.NaN, payload: 0 }],
    ['a payload that its record does not have', { sequence: 1, payload: 1 }],
  ])('of %s does not harm the pool', async (_, wrong) => {
    const device = await formatted()
    const pool = await openDevice(device, tiny())
    await put(pool, pattern(2000))
    await release(pool, wrong).catch(() => {})
    await put(pool, pattern(10))
    await pool.checkpoint()
    await pool.close()
    const again = await openDevice(device, tiny())
    expect(await readAll(again, 1)).toEqual(pattern(2000))
    expect((await again.check()).findings).toEqual([])
  })

  test('of the same payload twice does not harm the pool', async () => {
    const device = await formatted()
    const pool = await openDevice(device, tiny())
    const kept = await put(pool, pattern(2000, 1))
    const sequence = await put(pool, pattern(2000, 2))
    await release(pool, { sequence, payload: 0 })
    await release(pool, { sequence, payload: 0 }).catch(() => {})
    const other = await put(pool, pattern(2000, 3))
    await pool.checkpoint()
    const again = await openDevice(device, tiny())
    expect(await readAll(again, kept)).toEqual(pattern(2000, 1))
    expect(await readAll(again, other)).toEqual(pattern(2000, 3))
    expect((await again.check()).findings).toEqual([])
  })
})

describe('an upload that was prepared', () => {
  test('is resumed by one at a time', async () => {
    const device = await formatted()
    const pool = await openDevice(device, tiny())
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(5000))
    const sequence = await transaction.prepare(one(payload))
    await expect(pool.resume(sequence)).rejects.toMatchObject({ code: 'ERR_BUSY' })
    await transaction.abort()
    const resumed = await pool.resume(sequence)
    await expect(pool.resume(sequence)).rejects.toMatchObject({ code: 'ERR_BUSY' })
    const committed = await resumed.transaction.commit(one(resumed.payloads[0]!))
    await expect(pool.resume(sequence)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    expect(await readAll(pool, committed)).toEqual(pattern(5000))
    expect((await pool.check()).findings).toEqual([])
  })
})

void identity
void TINY_FORMAT

test.each([1, 2])(
  'what a reader of a prepared payload is at stays as it is when %i heirs were let go',
  async (heirs) => {
    const pool = await openDevice(await formatted(), tiny())
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(9000))
    const prepared = await transaction.prepare(one(payload))
    const reader = pool.read(prepared, 0)[Symbol.asyncIterator]()
    const chunks = [(await reader.next()).value as Uint8Array]
    if (heirs === 2) await transaction.prepare(one(payload))
    const sequence = await transaction.commit(() => ({
      records: [{ content: Buffer.from('heir'), payloads: [payload] }],
      releases: [],
    }))
    await release(pool, { sequence, payload: 0 })
    for (let i = 0; i < 2; i++) await pool.checkpoint()
    expect(pool.status()).toMatchObject({ extentBytes: 0 })
    await fillUp(pool)
    for (let next = await reader.next(); !next.done; next = await reader.next()) chunks.push(next.value)
    expect(Buffer.concat(chunks).equals(pattern(9000))).toBe(true)
    expect(pool.status().stagedBytes).toBe(0)
  },
)

/** Payloads of other bytes, until there is no room for more. */
async function fillUp(pool: Pool): Promise<void> {
  for (let i = 2; ; i++) {
    try {
      await put(pool, pattern(5000, i))
    } catch (error) {
      if (error instanceof PoolError && error.code === 'ERR_NO_SPACE') return
      throw error
    }
  }
}
