import { describe, expect, test } from 'vitest'
import { openDevices, PoolError } from '../../pool/index.ts'
import { memberZonesOf } from '../../pool/zones.ts'
import {
  copyOf,
  devices,
  formatted,
  gate,
  mirrored,
  newestSerial,
  recorded,
  states,
} from '../support/member-devices.ts'
import { contents, pattern, put, readAll } from '../support/pool-client.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

describe('a leg that is lost', () => {
  test('under an upload is on record before a commit that finds it gone is acknowledged', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const { rings } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
    const ring = gate()
    const isRing = (offset: number) => rings.some((ring) => offset >= ring && offset < ring + 3 * 512)
    one!.before = (request, offset) => (request === 'write' && isRing(offset) ? ring.opened : undefined)
    two!.fails = 'write'
    const upload = put(pool, pattern(9000))
    for (let turns = 0; turns < 200; turns++) await null
    expect(states(pool)).toEqual(['in-sync', 'stale'])
    let acknowledged = false
    const commit = put(pool, pattern(600)).then(() => {
      acknowledged = true
    })
    for (let turns = 0; turns < 1000; turns++) await null
    expect(acknowledged).toBe(false)
    const crashed = await openDevices([copyOf(one!), copyOf(two!)], tiny())
    expect(await contents(crashed)).toEqual([])
    ring.open()
    await Promise.all([upload, commit])
    const after = await openDevices([copyOf(one!), copyOf(two!)], tiny())
    expect(states(after)).toEqual(['in-sync', 'stale'])
  })

  test('after a batch was written to it, and before it was flushed, is on record before that is acknowledged', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const { rings } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
    const [batch, ring] = [gate(), gate()]
    const isRing = (offset: number) => rings.some((start) => offset >= start && offset < start + 3 * 512)
    one!.before = (request, offset) => {
      if (request === 'write') return (isRing(offset) ? ring : batch).opened
    }
    let acknowledged = false
    const commit = put(pool, pattern(600)).then(() => {
      acknowledged = true
    })
    for (let turns = 0; turns < 100; turns++) await null
    two!.fails = 'write'
    const upload = put(pool, pattern(9000))
    for (let turns = 0; turns < 100; turns++) await null
    expect(states(pool)).toEqual(['in-sync', 'stale'])
    batch.open()
    for (let turns = 0; turns < 1000; turns++) await null
    expect(acknowledged).toBe(false)
    ring.open()
    await Promise.all([upload, commit])
  })

  test('while a record is read does not keep it from being read on the other', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const large = await put(pool, pattern(9000, 3))
    one!.fails = 'read'
    let commit: Promise<unknown> | undefined
    one!.before = (request) => {
      if (request !== 'read' || commit !== undefined) return
      one!.fails = 'everything'
      commit = put(pool, pattern(600))
      return commit.then(() => {})
    }
    expect(await readAll(pool, large)).toEqual(pattern(9000, 3))
    expect(states(pool)).toEqual(['stale', 'in-sync'])
    expect(pool.status().state).toBe('open')
  })

  test('and read from with another error than that of a medium is passed over', async () => {
    const [one, two] = await formatted(2, mirrored)
    const pool = await openDevices([one!, two!], tiny())
    const large = await put(pool, pattern(9000, 3))
    for (const leg of [one!, two!]) {
      const { read } = leg
      leg.read = () => Promise.reject(new PoolError('ERR_HALTED', 'a flush has failed'))
      expect(await readAll(pool, large)).toEqual(pattern(9000, 3))
      leg.read = read
    }
  })

  test('and cannot be read at all when the pool is opened is done without when asked for', async () => {
    const [one, two] = await formatted(2, mirrored)
    await (await openDevices([one!, two!], tiny())).close()
    one!.fails = 'read'
    await expect(openDevices([one!, two!], tiny())).rejects.toMatchObject({ code: 'ERR_IO' })
    const pool = await openDevices([one!, two!], tiny({ degraded: true }))
    expect(states(pool)).toEqual(['missing', 'in-sync'])
  })

  test('leaves fewer copies than the other columns have, and the pool says so', async () => {
    const found = await formatted(4, { layout: 'stripe-of-mirrors', stripeUnit: 1024, legs: 2, runs: 1 })
    const pool = await openDevices(found, tiny())
    found[2]!.fails = 'flush'
    await put(pool, pattern(600))
    expect(pool.atomicity().redundancy).toMatchObject({ dataCopies: 1, journalCopies: 1, stale: [2] })
  })
})

describe('what was torn of a change of members', () => {
  test('is passed over once the pool went on without it, though the serials are the same', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(600))
    const moments = recorded([one!, two!, fresh!])
    await pool.replaceMember(1, fresh!)
    const all = moments()
    const torn = all.at(-1)![2]!
    const serial = await newestSerial(torn)
    // The last moment before either leg of old was given the superblock that lists the new one.
    const before = await Promise.all(all.map(async ([first]) => (await newestSerial(first!)) === serial! - 1))
    const [old, other] = all[before.lastIndexOf(true)]!
    const went = await openDevices([old!, other!], tiny())
    const sequence = await put(went, pattern(600, 2))
    expect(await newestSerial(old!)).toBe(serial)
    const again = await openDevices([torn, old!, other!], tiny())
    expect(await readAll(again, sequence)).toEqual(pattern(600, 2))
    expect(states(again)).toEqual(['in-sync', 'in-sync'])
  })
})
