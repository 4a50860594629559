import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import type { Pool, Sequence } from '../../pool/index.ts'
import { CrashDevice, Medium, MediumDevice } from '../support/crash-device.ts'
import { crashStates } from '../support/crash-enumerator.ts'
import { playStory } from '../support/crash-story.ts'
import { contents, pattern, put, readAll, release } from '../support/pool-client.ts'
import { seededRandom } from '../support/random.ts'
import { formatDevice, openDevice, SingleZones } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

/* Stories of crashes that others have lost data to, each told at every moment at which power may fail. */

/** Quicker than a matcher, for what is asked a thousand times. */
async function reads(pool: Pool, sequence: Sequence, bytes: Buffer): Promise<void> {
  assert((await readAll(pool, sequence)).equals(bytes), `record ${sequence} reads differently`)
}

async function expectSound(pool: Pool, records: number): Promise<void> {
  expect((await pool.check()).findings).toEqual([])
  expect((await contents(pool)).length).toBe(records)
}

const LARGE = pattern(6000)

test('a large payload is never published without its data, whatever of the two reached the medium', async () => {
  const states = await playStory({
    during: async (pool, acknowledged) => acknowledged(await put(pool, LARGE)),
    after: async (pool, acknowledged) => {
      const { sequence } = pool.position
      expect(sequence).toBeGreaterThanOrEqual(acknowledged)
      if (sequence === 1) await reads(pool, 1, LARGE)
      await expectSound(pool, sequence)
    },
  })
  expect(states).toBeGreaterThan(50)
})

describe('the units of a payload that was let go', () => {
  const OLD = pattern(3000, 1)
  const NEW = pattern(3000, 2)

  /** Payloads until there is no room, so that what is let go is the only place for the next one. */
  async function fill(pool: Pool): Promise<Sequence> {
    for (let filled = 0; ; filled++) if (!(await put(pool, OLD).catch(() => undefined))) return filled
  }

  test('are not written to before what let them go is durable, nor before the checkpoint is that forgets them', async () => {
    let filled = 0
    let taken = 0
    const states = await playStory({
      before: async (pool) => {
        filled = await fill(pool)
      },
      during: async (pool, acknowledged) => {
        acknowledged(await release(pool, { sequence: 1, payload: 0 }))
        await pool.check() // By now it was worked through.
        acknowledged(await put(pool, NEW))
      },
      after: async (pool, acknowledged) => {
        const { sequence } = pool.position
        expect(sequence).toBeGreaterThanOrEqual(acknowledged)
        if (sequence === filled) await reads(pool, 1, OLD)
        if (sequence === filled + 2) await reads(pool, sequence, NEW)
        if (sequence === filled + 2) taken++
        await expectSound(pool, sequence)
      },
    })
    expect(states).toBeGreaterThan(30)
    expect(taken).toBeGreaterThan(0)
  })
})

test('a segment that compaction gave back is taken again, and what it held before does not come back', async () => {
  const SPARSE = 60
  const states = await playStory({
    before: async (pool) => {
      for (let record = 0; record < SPARSE; record++) {
        await release(pool, { sequence: await put(pool, pattern(600, record)), payload: 0 })
      }
    },
    during: async (pool, acknowledged) => {
      await pool.checkpoint()
      for (let record = 0; record < 24; record++) acknowledged(await put(pool, pattern(600, record)))
    },
    after: async (pool, acknowledged) => {
      const { sequence } = pool.position
      assert(sequence >= acknowledged && sequence <= acknowledged + 1, `${sequence} records came back`)
      await expectSound(pool, sequence)
    },
  })
  expect(states).toBeGreaterThan(200)
})

describe('a pool that was killed', () => {
  const PAYLOADS = [100, 600, 3000, 50, 6000].map((length) => pattern(length))

  async function killed(): Promise<Medium> {
    const medium = new Medium(TINY_BYTES)
    await formatDevice(new MediumDevice(medium), TINY_FORMAT, identity())
    const pool = await openDevice(new MediumDevice(medium), tiny())
    for (const payload of PAYLOADS) await put(pool, payload)
    return medium
  }

  async function expectWhole(pool: Pool): Promise<void> {
    for (const [i, payload] of PAYLOADS.entries()) await reads(pool, i + 1, payload)
    await expectSound(pool, PAYLOADS.length)
  }

  test('comes back after crashes in its recovery, and in the recovery from those, three deep', async () => {
    const medium = await killed()
    const random = seededRandom(1)
    let states = 0
    const crashWithin = async (depth: number): Promise<void> => {
      const start = medium.mark()
      const device = new CrashDevice(medium, { random })
      await openDevice(device, tiny())
      medium.rollback(start)
      const seen = new Set<string>()
      for (const { name } of crashStates(medium, device.trace, { random, exhaustiveMax: 6, tears: 4 })) {
        if (seen.has(name)) continue
        seen.add(name)
        const crashed = medium.mark()
        if (depth > 1) await crashWithin(depth - 1)
        await expectWhole(await openDevice(new MediumDevice(medium), tiny()))
        medium.rollback(crashed)
        states++
      }
    }
    await crashWithin(3)
    expect(states).toBeGreaterThan(100)
  })

  test('and opened twice without a write is the same to the byte but for its superblocks', async () => {
    const medium = await killed()
    const { rings, blockBytes } = new SingleZones(TINY_BYTES, TINY_FORMAT)
    const withoutRings = () => {
      const bytes = Buffer.from(medium.bytes)
      for (const ring of rings) bytes.fill(0, ring, ring + TINY_FORMAT.ringSlots * blockBytes)
      return bytes
    }
    const before = withoutRings()
    const epochs: number[] = []
    for (let life = 0; life < 5; life++) {
      const pool = await openDevice(new MediumDevice(medium), tiny())
      expect(pool.status().recovery).toEqual({
        verdict: 'complete',
        batchesReplayed: PAYLOADS.length,
        batchesDropped: 0,
        unreadable: 0,
      })
      epochs.push(pool.position.epoch)
      await expectWhole(pool)
      expect(withoutRings().equals(before)).toBe(true)
    }
    expect(epochs).toEqual([2, 3, 4, 5, 6])
  })
})
