import { describe, expect, test } from 'vitest'
import { formatDevices } from '../../pool/create.ts'
import { MemoryDevice, openDevices } from '../../pool/index.ts'
import { memberZonesOf } from '../../pool/zones.ts'
import type { FailingDevice } from '../support/failing-device.ts'
import {
  concat,
  copyOf,
  devices,
  formatted,
  mirrored,
  newestSerial,
  states,
  striped,
} from '../support/member-devices.ts'
import { contents, pattern, put, readAll } from '../support/pool-client.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

describe('a leg of a mirror', () => {
  test.each(['write', 'flush'] as const)('that fails to %s drops out, and no commit is lost', async (kind) => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(5000))
    const before = await newestSerial(one!)
    two!.fails = kind
    const sequence = await put(pool, pattern(5000, 2))
    expect(states(pool)).toEqual(['in-sync', 'stale'])
    expect(await newestSerial(one!)).toBeGreaterThan(before!)
    expect(await readAll(pool, sequence)).toEqual(pattern(5000, 2))
    expect(pool.atomicity()).toMatchObject({ state: 'degraded', redundancy: { dataCopies: 1, stale: [1] } })
    await pool.close()
    two!.fails = undefined
    const again = await openDevices([two!, one!], tiny())
    expect(states(again)).toEqual(['in-sync', 'stale'])
    expect((await contents(again)).length).toBe(2)
  })

  test('is on record as stale before the write that found it out is acknowledged', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    two!.fails = 'write'
    await put(pool, pattern(600))
    const survivor = await openDevices([copyOf(one!), copyOf(two!)], tiny())
    expect(states(survivor)).toEqual(['in-sync', 'stale'])
    expect((await contents(survivor)).length).toBe(1)
  })

  test('that is the last one halts the pool when it fails', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    two!.fails = 'flush'
    await put(pool, pattern(600))
    one!.fails = 'flush'
    await expect(put(pool, pattern(600))).rejects.toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' })
    expect(pool.status().state).toBe('halted')
  })

  test('that has rotted is mended by the one that has not', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const small = await put(pool, pattern(600))
    const large = await put(pool, pattern(9000, 3))
    const { dataOffset, dataBytes } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
    one!.bytes.fill(0x5a, dataOffset, dataOffset + dataBytes)
    expect(await readAll(pool, small)).toEqual(pattern(600))
    expect(await readAll(pool, large)).toEqual(pattern(9000, 3))
    expect(pool.status().mended).toBeGreaterThan(0)
    two!.bytes.fill(0x5a, dataOffset, dataOffset + dataBytes)
    expect(await readAll(pool, large)).toEqual(pattern(9000, 3))
  })

  test('that is missing is done without only when asked for', async () => {
    const [one, two] = await formatted(2, mirrored)
    await (await openDevices([one!, two!], tiny())).close()
    await expect(openDevices([one!], tiny())).rejects.toThrow(/is missing: the pool opens without it only when asked/)
    const pool = await openDevices([one!], tiny({ degraded: true }))
    expect(states(pool)).toEqual(['in-sync', 'missing'])
    await put(pool, pattern(600))
    await pool.close()
    const back = await openDevices([one!, two!], tiny())
    expect(states(back)).toEqual(['in-sync', 'stale'])
    expect((await contents(back)).length).toBe(1)
  })

  test('that was rolled back to an old copy is no source', async () => {
    const [one, two] = await formatted(2, mirrored)
    const old = copyOf(two!)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(600))
    await pool.close()
    await expect(openDevices([one!, old], tiny())).rejects.toThrow(/rolled back/)
    const degraded = await openDevices([old, one!], tiny({ degraded: true }))
    expect(states(degraded)).toEqual(['in-sync', 'stale'])
    expect((await contents(degraded)).length).toBe(1)
  })
})

describe('what does not belong together is refused, and left as it was', () => {
  async function refused(found: readonly MemoryDevice[], message: RegExp): Promise<void> {
    const before = found.map(({ bytes }) => Buffer.from(bytes))
    await expect(openDevices(found, tiny({ degraded: true }))).rejects.toThrow(message)
    expect(found.map(({ bytes }, i) => bytes.equals(before[i]!))).toEqual(found.map(() => true))
  }

  test('legs that went on without each other', async () => {
    const [one, two] = await formatted(2, mirrored)
    for (const leg of [one!, two!]) {
      const pool = await openDevices([leg], tiny({ degraded: true }))
      await put(pool, pattern(600))
      await pool.close()
    }
    await refused([one!, two!], /R25_FOREIGN: the pool has split/)
  })

  test.each([
    ['of one length', 600, 601],
    ['of two lengths', 20, 650],
  ])('legs to which two pools that took themselves for one have written batches %s', async (_, ...lengths) => {
    const [one, two] = await formatted(2, mirrored)
    const legs: FailingDevice[] = []
    for (const [i, length] of lengths.entries()) {
      const both = [copyOf(one!), copyOf(two!)]
      await put(await openDevices(both, tiny()), pattern(length))
      legs.push(both[i]!)
    }
    await refused(legs, /R25_FOREIGN: two copies hold different batches/)
  })

  test('members of two pools', async () => {
    const [one] = await formatted(2, mirrored)
    const other = devices(2)
    const members = [Buffer.alloc(16, 8), Buffer.alloc(16, 9)]
    await formatDevices(other, { format: TINY_FORMAT, geometry: mirrored }, { pool: Buffer.alloc(16, 7), members })
    await refused([one!, other[1]!], /R25_FOREIGN: .* belongs to another pool/)
  })

  test('a member and its copy', async () => {
    const [one] = await formatted(2, mirrored)
    await refused([one!, copyOf(one!)], /R25_FOREIGN: two devices are member/)
  })

  test.each([concat, striped])('a $layout pool without one of its members', async (geometry) => {
    const [one] = await formatted(2, geometry)
    await refused([one!], /R25_FOREIGN: member .* is missing, and nothing stands in for it/)
  })

  test('a device that shrank', async () => {
    const [one, two] = await formatted(2, mirrored)
    const shrunk = new MemoryDevice(TINY_BYTES - 4096)
    one!.bytes.copy(shrunk.bytes)
    await refused([shrunk, two!], /the device has/)
  })
})
