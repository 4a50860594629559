import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { type Pool, PoolError, type Sequence, type Tuning } from '../../pool/index.ts'
import { CrashDevice, Medium, MediumDevice, type Request } from '../support/crash-device.ts'
import { codeOf, FAULT_BYTES, type Fault, FaultRun, type Outcome, warmUp } from '../support/fault-run.ts'
import { formatted, pattern, preparing, put, readAll, release } from '../support/pool-client.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { formatDevice, openDevice } from '../support/single-device.ts'
import { identity, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

const SEED = seedOf(5)
const SEEDS = 4

describe.each(Array.from({ length: SEEDS }, (_, i) => SEED + i))(
  'a pool whose medium fails once (seed %i)',
  async (seed) => {
    const start = await warmUp(seed)
    const whole = new FaultRun(start)
    await whole.play()

    async function playAll(request: Request): Promise<Set<Outcome>> {
      const outcomes = new Set<Outcome>()
      for (let number = 1; number <= whole.device.requests[request]; number++) {
        const run = new FaultRun(start, { request, number })
        try {
          outcomes.add(await run.play())
          // Whoever asked at the same instant did not know yet.
          if (request === 'flush') assert(run.device.requests.flush <= number + 1, 'a flush follows the failed one')
        } catch (error) {
          throw new Error(`when ${request} ${number} fails, seed ${seed}`, { cause: error })
        }
      }
      return outcomes
    }

    test('at any write keeps what it said', async () => {
      expect(await playAll('write')).toContain('halted') // It goes on only where the write was an upload's.
    })

    test('at any flush keeps what it said, and asks for no other', async () => {
      expect(await playAll('flush')).toEqual(new Set<Outcome>(['not opened', 'halted']))
    })

    test('at any read keeps what it said', async () => {
      expect(await playAll('read')).toContain('open')
    })

    test('does the same again when nothing fails', async () => {
      const again = new FaultRun(start)
      await again.play()
      expect(again.device.trace.length).toBeGreaterThan(30)
      assert.deepEqual(again.device.trace, whole.device.trace)
    })
  },
)

/** A pool with a few records on a medium that fails when it is told to. */
async function fragile(
  tuning: Partial<Tuning> = {},
  bytes = FAULT_BYTES,
): Promise<{ medium: Medium; device: CrashDevice; pool: Pool; failAt: Fault }> {
  const medium = new Medium(bytes)
  await formatDevice(new MediumDevice(medium), TINY_FORMAT, identity())
  const failAt: Fault = { request: 'flush', number: 0 }
  const fault = (request: string, number: number) => {
    if (request === failAt.request && number === failAt.number) throw new PoolError('ERR_IO', 'the medium fails')
  }
  const device = new CrashDevice(medium, { fault, random: seededRandom(SEED) })
  const pool = await openDevice(device, tiny({ tuning }))
  for (const length of LENGTHS) await put(pool, pattern(length))
  return { medium, device, pool, failAt }
}

const LENGTHS = [100, 600, 3000, 9000]

async function expectWhole(medium: Medium, lengths: readonly number[]): Promise<void> {
  const pool = await openDevice(new MediumDevice(medium), tiny())
  expect(pool.position.sequence).toBe(lengths.length)
  for (const [i, length] of lengths.entries()) expect(await readAll(pool, i + 1)).toEqual(pattern(length))
  expect((await pool.check()).findings).toEqual([])
}

describe('a pool that has halted', () => {
  test('does not know what it was flushing, refuses what waited, and does not flush again', async () => {
    const { medium, device, pool, failAt } = await fragile({ groupTransactionsMax: 1 })
    failAt.number = device.requests.flush + 1
    const outcomes = await Promise.allSettled([50, 60, 70].map((length) => put(pool, pattern(length))))
    expect(outcomes).toMatchObject([
      { reason: { code: 'ERR_OUTCOME_UNKNOWN' } },
      { reason: { code: 'ERR_HALTED' } },
      { reason: { code: 'ERR_HALTED' } },
    ])
    await expect(pool.checkpoint()).rejects.toMatchObject({ code: 'ERR_HALTED' })
    expect(device.requests.flush).toBe(failAt.number)
    expect(pool.status()).toMatchObject({ state: 'halted', position: { sequence: LENGTHS.length } })
    await expectWhole(medium, [...LENGTHS, 50])
  })

  test.each<Request>(['write', 'flush'])(
    'at a %s of a checkpoint writes no other, though one was waiting',
    async (request) => {
      const { medium, device, pool, failAt } = await fragile()
      Object.assign(failAt, { request, number: device.requests[request] + 1 })
      const outcomes = await Promise.allSettled([pool.checkpoint(), pool.checkpoint()])
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      expect(device.requests[request]).toBe(failAt.number)
      await expectWhole(medium, LENGTHS)
    },
  )

  test('leaves alone what a record of unknown outcome may own', async () => {
    const { medium, device, pool, failAt } = await fragile()
    const other = pool.begin()
    const transaction = pool.begin()
    const payload = transaction.stage()
    await payload.write(pattern(5000))
    const { write } = device.requests
    Object.assign(failAt, { request: 'write', number: write + 3 }) // The rest of the payload, its manifest, the batch.
    const prepared = transaction.prepare(preparing(payload))
    await expect(prepared).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' })
    await transaction.abort()
    await expect(other.stage().write(pattern(FAULT_BYTES))).rejects.toMatchObject({ code: 'ERR_HALTED' })
    await expectWhole(medium, [...LENGTHS, 5000])
  })
})

test('an upload of which any write fails is committed elsewhere, until the batch itself fails', async () => {
  const { medium, device, pool, failAt } = await fragile({}, 2 * FAULT_BYTES)
  const codes: string[] = []
  while (pool.status().state === 'open' && codes.length < 50) {
    Object.assign(failAt, { request: 'write', number: device.requests.write + codes.length + 1 })
    codes.push(
      await put(pool, pattern(9000)).then(
        () => 'committed',
        (error: unknown) => codeOf(error),
      ),
    )
    if (codes.at(-1) === 'committed') expect(pool.status().stagedBytes).toBe(0)
  }
  expect(codes.pop()).toBe('ERR_OUTCOME_UNKNOWN')
  expect(new Set(codes)).toEqual(new Set(['committed']))
  expect(codes.length).toBeGreaterThan(5)
  await expectWhole(medium, [...LENGTHS, ...codes.map(() => 9000), 9000])
})

test('a read that fails is said to have failed, and the next one is none the worse', async () => {
  const { device, pool: first, failAt } = await fragile()
  for (let i = 0; i < 40; i++) await put(first, pattern(600)) // So that the records above lie in an old segment.
  await first.close()
  for (const [i, length] of LENGTHS.entries()) {
    let told = 0
    for (let number = 1, reached = true; reached; number++) {
      const pool = await openDevice(device, tiny())
      Object.assign(failAt, { request: 'read', number: device.requests.read + number })
      const reading = await readAll(pool, i + 1).catch(codeOf)
      reached = device.requests.read >= failAt.number
      failAt.number = 0
      // What is read ahead in vain is read again, alone.
      if (reading === 'ERR_IO') told++
      else expect(reading).toEqual(pattern(length))
      expect(await readAll(pool, i + 1)).toEqual(pattern(length))
      await pool.checkpoint()
      expect((await pool.check()).findings).toEqual([])
    }
    expect(told).toBeGreaterThan(0)
  }
})

describe('a full pool', () => {
  /** Payloads of `bytes` until there is no room. */
  async function fill(pool: Pool, bytes: number): Promise<Sequence[]> {
    const sequences: Sequence[] = []
    for (;;) {
      const sequence = await put(pool, pattern(bytes)).catch((error: unknown) => {
        expect(codeOf(error)).toBe('ERR_NO_SPACE')
      })
      if (sequence === undefined) return sequences
      sequences.push(sequence)
    }
  }

  test.each([
    ['large payloads', [3000, 1024]],
    ['small payloads', [600]],
    ['payloads of every size, and then empty ones', [3000, 1024, 600, 0]],
  ])('of %s can be emptied, and filled again', async (_, sizes) => {
    const device = await formatted()
    let pool = await openDevice(device, tiny())
    const filled: number[] = []
    for (let round = 0; round < 3; round++) {
      const sequences: Sequence[] = []
      for (const bytes of sizes) sequences.push(...(await fill(pool, bytes)))
      filled.push(sequences.length)
      if (round === 1) pool = await openDevice(device, tiny())
      for (const sequence of sequences) await release(pool, { sequence, payload: 0 })
      await pool.checkpoint()
      expect(pool.status()).toMatchObject({ state: 'open', extentBytes: 0 })
      expect(await pool.check()).toMatchObject({ payloadBytes: 0, findings: [] })
    }
    expect(filled[0]).toBeGreaterThan(40)
    expect(filled[2]).toBeGreaterThan(filled[0]! / 2) // Its history has grown.
  })
})

test('position and epoch of a pool only go up', async () => {
  const device = await formatted()
  let epoch = 0
  let sequence = 0
  for (let life = 0; life < 8; life++) {
    const pool = await openDevice(device, tiny())
    expect(pool.position.epoch).toBeGreaterThan(epoch)
    expect(pool.position.sequence).toBe(sequence)
    epoch = pool.position.epoch
    for (let i = 0; i < life; i++) {
      const next = await put(pool, pattern(100 * i))
      expect([next, pool.position.sequence]).toEqual([sequence + 1, sequence + 1])
      sequence = next
      if (i === 3) await pool.checkpoint()
    }
    if (life % 2 === 0) await pool.close()
  }
})
