import { describe, expect, test } from 'vitest'
import type { Pool, Sequence } from '../../pool/index.ts'
import { readSuperblock } from '../../pool/superblock.ts'
import { CrashDevice, Medium, MediumDevice } from '../support/crash-device.ts'
import { crashStates } from '../support/crash-enumerator.ts'
import { contents, formatted, GatedDevice, pattern, put, readAll, release, settled } from '../support/pool-client.ts'
import { Ledger } from '../support/pool-ledger.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { openDevice, SingleZones } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'
import { TraceRules } from '../support/trace-rules.ts'
import { EVERYTHING, type Mark, Workload } from '../support/workload.ts'

const SEED = seedOf(1)
const zones = new SingleZones(TINY_BYTES, TINY_FORMAT)

test('I9: serial and epoch of the newest superblock only go up, over a hundred crashes anywhere', async () => {
  const medium = new Medium(TINY_BYTES)
  const random = seededRandom(SEED)
  medium.bytes.set((await formatted()).bytes)
  const newest = async () => (await readSuperblock(new MediumDevice(medium), zones.member, identity().pool))!
  let known = await newest()
  for (let life = 0; life < 100; life++) {
    const start = medium.mark()
    const device = new CrashDevice(medium, { random })
    const pool = await openDevice(device, tiny())
    expect(pool.position.epoch).toBe(known.epoch + 1)
    for (let i = random.below(4); i > 0; i--) await put(pool, pattern(random.below(900))).catch(() => {})
    if (random.chance(0.5)) await pool.checkpoint()
    await device.quiet()
    medium.rollback(start)
    for (const _ of crashStates(medium, device.trace, { random, exhaustiveMax: 2, tears: 1 })) {
      const found = await newest()
      expect(found.serial).toBeGreaterThanOrEqual(known.serial)
      expect(found.epoch).toBeGreaterThanOrEqual(known.epoch)
      if (random.chance(0.05)) break // This is the one that comes to pass.
    }
    known = await newest()
  }
  expect(known.epoch).toBeGreaterThan(50)
})

describe('I8: whatever several clients do at once', () => {
  test.each([0, 1, 2, 3])('each write waits for the flush that it needs (seed %i more)', async (more) => {
    const medium = new Medium(TINY_BYTES)
    medium.bytes.set((await formatted()).bytes)
    const random = seededRandom(SEED + more)
    const device = new CrashDevice<Mark>(medium, { random })
    const ledger = new Ledger()
    for (let life = 0; life < 3; life++) {
      const pool = await openDevice(device, tiny())
      const mark = (said: Mark) => device.mark(said)
      await new Workload({ pool, ledger, random, liveBytesMax: 40_000, mix: EVERYTHING, mark }).run(15)
      await device.quiet()
    }
    const rules = new TraceRules(zones, identity().pool)
    rules.check(device.trace)
    for (const count of Object.values(rules.counts)) expect(count).toBeGreaterThan(20)
  })
})

test('I20: a record that is not durable yet is seen by nobody', async () => {
  const device = new GatedDevice(await formatted())
  const pool = await openDevice(device, tiny())
  await put(pool, pattern(100))
  const held = device.hold((request) => request === 'flush')
  const committing = put(pool, pattern(200))
  await held
  await settled()
  expect(pool.position.sequence).toBe(1)
  expect(await contents(pool)).toEqual(['record 1'])
  for (const look of [() => pool.record(2), () => readAll(pool, 2)]) {
    await expect(look()).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  }
  device.open()
  expect(await committing).toBe(2)
  expect(await readAll(pool, 2)).toEqual(pattern(200))
})

describe('I14: a full pool', () => {
  /** Until one finds no room, which is given up. */
  async function fill(pool: Pool, bytes: number): Promise<Sequence[]> {
    for (const sequences: Sequence[] = []; ; ) {
      const transaction = pool.begin()
      const payload = transaction.stage()
      try {
        await payload.write(pattern(bytes))
        const records = [{ content: Buffer.from('full'), payloads: [payload] }]
        sequences.push(await transaction.commit(() => ({ records, releases: [] })))
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_NO_SPACE' })
        await transaction.abort()
        return sequences
      }
    }
  }

  const space = (pool: Pool): number => pool.status().freeBytes + pool.status().historyBytes

  test.each([
    ['goes on', false],
    ['is killed and opened again', true],
  ])('takes every delete, and has its space back to the unit but for history when it %s', async (_, killed) => {
    const device = await formatted()
    let pool = await openDevice(device, tiny())
    const start = space(pool)
    const sequences = [...(await fill(pool, 5000)), ...(await fill(pool, 1024)), ...(await fill(pool, 600))]
    expect(sequences.length).toBeGreaterThan(20)
    if (killed) pool = await openDevice(device, tiny())
    for (const sequence of sequences) await release(pool, { sequence, payload: 0 })
    if (killed) pool = await openDevice(device, tiny())
    await pool.checkpoint()
    expect(space(pool)).toBe(start)
    expect(pool.status()).toMatchObject({ extentBytes: 0, stagedBytes: 0 })
    expect(await pool.check()).toMatchObject({ payloadBytes: 0, findings: [] })
  })

  test('refuses what it has no room for without a trace', async () => {
    const device = await formatted()
    const pool = await openDevice(device, tiny())
    await fill(pool, 5000)
    await fill(pool, 600)
    const before = { status: pool.status(), bytes: Buffer.from(device.bytes) }
    await expect(put(pool, pattern(600))).rejects.toMatchObject({ code: 'ERR_NO_SPACE' })
    expect(pool.status()).toEqual(before.status)
    expect(device.bytes.equals(before.bytes)).toBe(true)
  })
})
