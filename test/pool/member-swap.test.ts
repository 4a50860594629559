import { describe, expect, test } from 'vitest'
import { openDevices, type Pool, PoolError } from '../../pool/index.ts'
import { memberZonesOf } from '../../pool/zones.ts'
import { FailingDevice } from '../support/failing-device.ts'
import { copyOf, SEED, states } from '../support/member-devices.ts'
import { pattern, put, readAll, release } from '../support/pool-client.ts'
import { seededRandom } from '../support/random.ts'
import { ARRANGEMENTS, rot, ScrubbedPool, type Spot } from '../support/scrubbed-pool.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

describe('a replacement of a leg in sync', () => {
  const RECORDS = 24

  async function lived() {
    const mirror = new ScrubbedPool(ARRANGEMENTS['a mirror of two']!)
    await mirror.format()
    const pool = await mirror.open()
    await put(pool, pattern(9000))
    await put(pool, pattern(5000, 2))
    for (let i = 3; i < RECORDS; i++) await put(pool, pattern(650, i))
    await pool.checkpoint()
    await put(pool, pattern(300, RECORDS))
    return { mirror, pool }
  }

  async function expectWhole(pool: Pool, except: readonly number[] = []): Promise<void> {
    for (let sequence = 1; sequence <= RECORDS; sequence++) {
      const length = [9000, 5000][sequence - 1] ?? (sequence === RECORDS ? 300 : 650)
      if (except.includes(sequence))
        await expect(readAll(pool, sequence)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
      else expect(await readAll(pool, sequence)).toEqual(pattern(length, sequence))
    }
  }

  /** The new leg alone, as it would be should the other be lost the moment after. */
  const alone = (fresh: FailingDevice) => openDevices([copyOf(fresh)], tiny({ degraded: true }))

  test(`loses nothing that the old leg alone had right, at whatever places the other has rotted (seed ${SEED})`, async () => {
    const random = seededRandom(SEED)
    const { dataOffset, dataBytes } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
    let repaired = 0
    for (let round = 0; round < 20; round++) {
      const { mirror, pool } = await lived()
      const [source] = mirror.devices
      for (let spots = 0; spots < 60; spots++) {
        source!.bytes[dataOffset + random.below(dataBytes)]! ^= 1 << random.below(8)
      }
      const fresh = new FailingDevice(TINY_BYTES)
      const report = await pool.replaceMember(1, fresh)
      expect(report.damaged).toEqual([])
      expect(report.repaired.every(({ member }) => member === 0)).toBe(true)
      repaired += report.repairedCount
      await expectWhole(await alone(fresh))
      await expectWhole(pool)
      expect(await pool.scrub()).toMatchObject({ repaired: [], damaged: [] })
      await pool.close()
    }
    expect(repaired).toBeGreaterThan(100)
  })

  test('names what was wrong in a payload, the journal and the checkpoint, and where it was', async () => {
    const { mirror, pool } = await lived()
    const spots = [
      (await mirror.data(1, 3))[0]!,
      (await mirror.inline(7))[0]!,
      (await mirror.batchHeader(12))[0]!,
      (await mirror.segmentHeader(3))[0]!,
      (await mirror.leafPage())[0]!,
    ]
    for (const spot of spots) rot(spot)
    const { repaired, damaged } = await pool.replaceMember(1, new FailingDevice(TINY_BYTES))
    expect(damaged).toEqual([])
    expect(repaired.map(({ subject, member }) => [subject, member]).sort()).toEqual([
      ['batch', 0],
      ['inline', 0],
      ['page', 0],
      ['payload', 0],
      ['segment', 0],
    ])
  })

  test('takes the right halves of two legs that are both wrong', async () => {
    const { mirror, pool } = await lived()
    for (const [leg, { device, offset }] of (await mirror.data(1, 2)).entries()) device.bytes[offset + leg * 512]! ^= 1
    const fresh = new FailingDevice(TINY_BYTES)
    const { damaged } = await pool.replaceMember(1, fresh)
    expect(damaged).toEqual([])
    await expectWhole(await alone(fresh))
  })

  test('takes both from a block in which each leg alone has one right, which cannot be mended where it is', async () => {
    const { mirror, pool } = await lived()
    const [[one, two]] = (await mirror.batchBlocks(9)) as [[Spot, Spot]]
    one.device.bytes[one.offset + 140]! ^= 1
    two.device.bytes[two.offset + 500]! ^= 1
    const fresh = new FailingDevice(TINY_BYTES)
    const { damaged } = await pool.replaceMember(1, fresh)
    expect(damaged.map(({ subject, member, note }) => [subject, member, note?.includes('at risk')])).toEqual([
      ['batch', 0, true],
      ['inline', 1, true],
    ])
    await expectWhole(await alone(fresh))
    expect(await pool.scrub()).toMatchObject({ repairedCount: 1, damaged: [] })
  })

  test('names what no leg has right, and is done all the same', async () => {
    const { mirror, pool } = await lived()
    for (const spot of await mirror.data(2, 1)) rot(spot)
    for (const spot of await mirror.inline(9)) rot(spot)
    const fresh = new FailingDevice(TINY_BYTES)
    const { damaged, repaired } = await pool.replaceMember(1, fresh)
    expect(repaired).toEqual([])
    expect(damaged.map(({ subject, sequence, member }) => [subject, sequence, member])).toEqual([
      ['payload', 2, 0],
      ['payload', 2, 1],
      ['inline', 9, 0],
      ['inline', 9, 1],
    ])
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
    await expectWhole(await alone(fresh), [2, 9])
  })

  test('by a device that does not keep what it is given changes nothing', async () => {
    const { mirror, pool } = await lived()
    const [data] = await mirror.data(1, 2)
    const fresh = new FailingDevice(TINY_BYTES)
    let isFilled = false
    fresh.before = (request, offset) => {
      if (request === 'write' && isFilled && offset === data!.offset) throw new PoolError('ERR_IO', 'no write')
    }
    const replacing = pool.replaceMember(1, fresh, (done, total) => {
      isFilled = done === total
      if (isFilled) fresh.bytes[data!.offset]! ^= 1
    })
    await expect(replacing).rejects.toMatchObject({ code: 'ERR_IO' })
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
    await expectWhole(pool)
    expect(await pool.scrub()).toMatchObject({ repaired: [], damaged: [] })
  })

  test('goes on beside a scrub, commits and deletes, and neither takes what comes and goes for damage', async () => {
    const { mirror, pool } = await lived()
    rot((await mirror.data(1, 3))[0]!)
    const scrub = pool.scrub({
      onProgress: async () => {
        const sequence = await put(pool, pattern(2500, 7))
        await release(pool, { sequence, payload: 0 })
      },
    })
    const fresh = new FailingDevice(TINY_BYTES)
    const [scrubbed, replaced] = await Promise.all([scrub, pool.replaceMember(1, fresh)])
    expect([scrubbed.damaged, replaced.damaged]).toEqual([[], []])
    expect(scrubbed.repairedCount + replaced.repairedCount).toBeGreaterThan(0)
    expect((await pool.check()).findings).toEqual([])
    await expectWhole(await alone(fresh))
  })
})
