import { describe, expect, test, vi } from 'vitest'
import { formatDevices } from '../../pool/create.ts'
import { MemoryDevice, openDevices } from '../../pool/index.ts'
import { memberZonesOf } from '../../pool/zones.ts'
import { devices, formatted, mirrored, POOL, recorded, states, striped } from '../support/member-devices.ts'
import { contents, pattern, put, readAll } from '../support/pool-client.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

describe('a leg is replaced', () => {
  test('while commits go on, and the new one holds everything', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    const first = await put(pool, pattern(9000))
    const meanwhile: Promise<number>[] = []
    await pool.replaceMember(1, fresh!, () => meanwhile.push(put(pool, pattern(3000, meanwhile.length))))
    const sequences = await Promise.all(meanwhile)
    await pool.close()
    const alone = await openDevices([fresh!], tiny({ degraded: true }))
    expect(await readAll(alone, first)).toEqual(pattern(9000))
    for (const [i, sequence] of sequences.entries()) expect(await readAll(alone, sequence)).toEqual(pattern(3000, i))
    expect((await alone.check()).findings).toEqual([])
  })

  test('and the old one, should it return, is ignored', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await pool.replaceMember(0, fresh!)
    await put(pool, pattern(600))
    await pool.close()
    const closed = vi.spyOn(one!, 'close')
    expect(states(await openDevices([one!, fresh!, two!], tiny()))).toEqual(['in-sync', 'in-sync'])
    expect(closed).toHaveBeenCalledOnce()
  })

  test('that was stale, and the mirror is whole again', async () => {
    const [one, two] = await formatted(2, mirrored)
    const dropped: [string, unknown][] = []
    const onDropped = (device: string, cause: unknown) => dropped.push([device, cause])
    const pool = await openDevices([one!, two!], tiny({ onDropped }))
    expect(pool.status().health).toBe('ok')
    two!.fails = 'write'
    await put(pool, pattern(9000))
    expect(dropped).toEqual([['member 1', expect.objectContaining({ code: 'ERR_IO' })]])
    expect(pool.status()).toMatchObject({
      health: 'degraded',
      members: [{}, { state: 'stale', failure: expect.any(String) }],
    })
    const [fresh] = devices(1)
    await pool.replaceMember(1, fresh!)
    expect(pool.atomicity()).toMatchObject({ state: 'ok', redundancy: { dataCopies: 2, stale: [] } })
  })

  test('not, when the new device fails: nothing has changed', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(600))
    const replacing = pool.replaceMember(1, fresh!, () => {
      fresh!.fails = 'flush'
    })
    await expect(replacing).rejects.toMatchObject({ code: 'ERR_IO' })
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
    await put(pool, pattern(600))
    await pool.close()
    expect((await contents(await openDevices([one!, two!], tiny()))).length).toBe(2)
  })

  test('by a larger one, and so is the other: the mirror keeps its size, and all it holds', async () => {
    const found = await formatted(2, mirrored)
    const pool = await openDevices(found, tiny())
    const { bytes } = pool.status()
    const larger = [new MemoryDevice(2 * TINY_BYTES), new MemoryDevice(3 * TINY_BYTES)]
    const sequence = await put(pool, pattern(9000))
    for (const [index, device] of larger.entries()) await pool.replaceMember(index, device)
    await pool.close()
    const reopened = await openDevices(larger, tiny())
    expect(reopened.status().bytes).toBe(bytes)
    expect(await readAll(reopened, sequence)).toEqual(pattern(9000))
    expect((await reopened.check()).findings).toEqual([])
  })

  test('not by a device that is too small, nor where nothing stands in for it', async () => {
    const pool = await openDevices(await formatted(2, mirrored), tiny())
    await expect(pool.replaceMember(1, new MemoryDevice(TINY_BYTES / 2))).rejects.toThrow(/too small to take the place/)
    await expect(pool.replaceMember(7, new MemoryDevice(TINY_BYTES))).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    const other = await openDevices(await formatted(2, striped), tiny())
    await expect(other.replaceMember(1, new MemoryDevice(TINY_BYTES))).rejects.toThrow(/R24_RESHAPE/)
  })
})

describe('a replacement', () => {
  test('of both legs by larger devices leaves everything where it is', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [three, four] = devices(2, 2 * TINY_BYTES)
    const pool = await openDevices([one!, two!], tiny())
    const sequence = await put(pool, pattern(9000))
    await pool.replaceMember(0, three!)
    await pool.replaceMember(1, four!)
    await pool.close()
    const again = await openDevices([three!, four!], tiny())
    expect(await readAll(again, sequence)).toEqual(pattern(9000))
    expect((await again.check()).findings).toEqual([])
  })

  test('by a device of larger sectors, which still fit a block', async () => {
    const [one, two] = devices(2, 1 << 20)
    const format = { ...TINY_FORMAT, blockBytes: 1024 }
    const members = [Buffer.alloc(16, 2), Buffer.alloc(16, 3)]
    await formatDevices([one!, two!], { format, geometry: mirrored }, { pool: POOL, members })
    const pool = await openDevices([one!, two!], tiny())
    const first = await put(pool, pattern(600))
    await pool.replaceMember(1, new MemoryDevice(1 << 20, 1024))
    two!.fails = 'everything'
    const second = await put(pool, pattern(9000))
    one!.fails = 'everything'
    await put(pool, pattern(100))
    expect(states(pool)).toEqual(['stale', 'in-sync'])
    expect(await readAll(pool, first)).toEqual(pattern(600))
    expect(await readAll(pool, second)).toEqual(pattern(9000))
    expect(await contents(pool)).toEqual(['record 1', 'record 2', 'record 3'])
  })

  test('is survived when power fails at any write of it, and nobody need be asked', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    const sequence = await put(pool, pattern(9000))
    const moments = recorded([one!, two!, fresh!])
    await pool.replaceMember(1, fresh!)
    const all = moments()
    for (const [i, found] of all.entries()) {
      const again = await openDevices(found, tiny())
      expect(states(again), `moment ${i}`).toEqual(['in-sync', 'in-sync'])
      expect(await readAll(again, sequence)).toEqual(pattern(9000))
    }
    expect(all.length).toBeGreaterThan(10)
  })

  test.each(['write', 'flush'] as const)(
    'whose device fails to %s the superblock has changed nothing',
    async (kind) => {
      const [one, two] = await formatted(2, mirrored)
      const [fresh] = devices(1)
      const pool = await openDevices([one!, two!], tiny())
      const { rings } = memberZonesOf(TINY_BYTES, TINY_FORMAT)
      let done = false
      fresh!.before = (request, offset) => {
        if (done && request === kind && (kind === 'flush' || offset >= rings[1] || offset < rings[0] + 3 * 512)) {
          fresh!.fails = kind
        }
      }
      const replacing = pool.replaceMember(1, fresh!, (bytes, all) => {
        done = bytes === all
      })
      await expect(replacing).rejects.toMatchObject({ code: 'ERR_IO' })
      expect(states(pool)).toEqual(['in-sync', 'in-sync'])
      await put(pool, pattern(600))
      await pool.close()
      expect(states(await openDevices([one!, two!], tiny()))).toEqual(['in-sync', 'in-sync'])
    },
  )

  test('ends when the pool is closed, and changes nothing after that', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await put(pool, pattern(9000))
    let closing: Promise<void> | undefined
    const replacing = pool.replaceMember(1, fresh!, () => {
      closing ??= pool.close()
    })
    await expect(replacing).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await closing
    const before = Buffer.from(one!.bytes)
    for (let turns = 0; turns < 1000; turns++) await null
    expect(one!.bytes.equals(before)).toBe(true)
    expect(states(await openDevices([one!, two!, fresh!], tiny()))).toEqual(['in-sync', 'in-sync'])
  })

  test('tells the old leg, so that it does not go on alone', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [fresh] = devices(1)
    const pool = await openDevices([one!, two!], tiny())
    await pool.replaceMember(1, fresh!)
    await pool.close()
    await expect(openDevices([two!], tiny({ degraded: true }))).rejects.toThrow(/R25_FOREIGN: .*(stale|missing)/)
  })

  test('can be tried again after it failed', async () => {
    const [one, two] = await formatted(2, mirrored)
    const [bad, good] = devices(2)
    const pool = await openDevices([one!, two!], tiny())
    const sequence = await put(pool, pattern(9000))
    bad!.fails = 'write'
    await expect(pool.replaceMember(1, bad!)).rejects.toMatchObject({ code: 'ERR_IO' })
    await pool.replaceMember(1, good!)
    await pool.replaceMember(0, bad!).catch(() => {})
    expect(states(pool)).toEqual(['in-sync', 'in-sync'])
    expect(await readAll(pool, sequence)).toEqual(pattern(9000))
  })
})
