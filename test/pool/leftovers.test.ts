import { describe, expect, test } from 'vitest'
import { MemoryDevice, type Mutation, type Pool } from '../../pool/index.ts'
import { decodeSuperblock } from '../../pool/superblock.ts'
import { batchesOn, contents, formatted, pattern, put, readAll, release } from '../support/pool-client.ts'
import { openDevice, SingleZones } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

const zones = new SingleZones(TINY_BYTES, TINY_FORMAT)

function copyOf(device: MemoryDevice): MemoryDevice {
  const copy = new MemoryDevice(device.limits.size)
  copy.bytes.set(device.bytes)
  return copy
}

/** Records with payloads of 600 bytes, told apart by `seed`. */
async function puts(pool: Pool, count: number, seed: number): Promise<void> {
  for (let record = 0; record < count; record++) await put(pool, pattern(600, seed + record))
}

describe('a leftover of a life that crashed', () => {
  const OLD = 100
  const NEW = 200

  /**
   * The crashed life wrote batches N and N+1, of which power failure left N+1 alone. The next life has written its own N,
   * just as long, so that the leftover follows it to the block.
   */
  async function staleSuccessor(): Promise<MemoryDevice> {
    const device = await formatted()
    await puts(await openDevice(device, tiny()), 3, 1)
    const crashed = copyOf(device)
    await puts(await openDevice(crashed, tiny()), 2, OLD)
    const leftover = batchesOn(crashed.bytes).at(-1)!
    await openDevice(device, tiny()) // The crashed life's superblock is there: this one's epoch is another.
    await puts(await openDevice(device, tiny()), 1, NEW)
    const { offset, bytes } = batchesOn(device.bytes).at(-1)!
    expect(offset + bytes).toBe(leftover.offset)
    crashed.bytes.copy(device.bytes, leftover.offset, leftover.offset, leftover.offset + leftover.bytes)
    return device
  }

  const reopened = (device: MemoryDevice, mutations: readonly Mutation[] = []) =>
    openDevice(device, tiny({ mutations: new Set(mutations) }))

  test('the batch after the next is not resurrected, nor once the journal has gone on over it', async () => {
    const device = await staleSuccessor()
    const pool = await reopened(device)
    expect(pool.status().recovery).toMatchObject({ verdict: 'complete', batchesDropped: 0 })
    expect(pool.position.sequence).toBe(4)
    expect((await readAll(pool, 4)).equals(pattern(600, NEW))).toBe(true)
    await puts(pool, 3, NEW + 1)
    const again = await reopened(device)
    expect(again.position.sequence).toBe(7)
    for (let i = 0; i < 4; i++) expect((await readAll(again, 4 + i)).equals(pattern(600, NEW + i))).toBe(true)
  })

  test('would be resurrected by a pool that looked at neither chain nor epoch, and by no other', async () => {
    const device = await staleSuccessor()
    const sequence = async (mutations: readonly Mutation[]) =>
      (await reopened(copyOf(device), mutations)).position.sequence
    expect(await sequence(['no-chain', 'no-epoch'])).toBe(5)
    expect(await sequence(['no-chain'])).toBe(4)
    expect(await sequence(['no-epoch'])).toBe(4)
  })
})

describe('a writer of an earlier epoch that goes on after the pool was opened anew', () => {
  test('commits nothing: its batch is a leftover, and the journal goes on over it', async () => {
    const device = await formatted()
    const zombie = await openDevice(device, tiny())
    await puts(zombie, 2, 1)
    await openDevice(device, tiny())
    await puts(zombie, 1, 50)
    const pool = await openDevice(device, tiny())
    expect(await contents(pool)).toEqual(['record 1', 'record 2'])
    await puts(pool, 1, 60)
    const again = await openDevice(device, tiny())
    expect(again.position.sequence).toBe(3)
    expect((await readAll(again, 3)).equals(pattern(600, 60))).toBe(true)
    expect((await again.check()).findings).toEqual([])
  })
})

describe('superblock regression', () => {
  interface Placed {
    readonly serial: number
    readonly offset: number
  }

  function superblocksOn(device: MemoryDevice): Placed[] {
    const found: Placed[] = []
    for (const ring of zones.rings) {
      for (let slot = 0; slot < TINY_FORMAT.ringSlots; slot++) {
        const offset = ring + slot * zones.blockBytes
        const superblock = decodeSuperblock(device.bytes.subarray(offset, offset + zones.blockBytes), identity().pool)
        if (superblock) found.push({ serial: superblock.serial, offset })
      }
    }
    return found
  }

  /** Destroys the newest `count` superblocks in both rings. */
  function lose(device: MemoryDevice, count: number): void {
    const placed = superblocksOn(device)
    const newest = Math.max(...placed.map(({ serial }) => serial))
    for (const { serial, offset } of placed) if (serial > newest - count) device.bytes.fill(0xa5, offset, offset + 64)
  }

  type Ending = 'closed' | 'killed after a checkpoint' | 'killed after a commit'

  /** Without its newest superblocks the pool is refused, and left as it is. */
  async function expectRefused(device: MemoryDevice, count: number): Promise<void> {
    lose(device, count)
    const before = Buffer.from(device.bytes)
    await expect(openDevice(device, tiny())).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    expect(device.bytes.equals(before)).toBe(true)
  }

  /** Segments compacted and taken again, units freed and taken again, between each superblock and the next. */
  async function live(end: Ending): Promise<MemoryDevice> {
    const device = await formatted()
    const pool = await openDevice(device, tiny())
    for (let round = 0; round < 4; round++) {
      const first = pool.position.sequence + 1
      await puts(pool, 20, round)
      await put(pool, pattern(9000, round))
      for (let i = 0; i < 20; i++) await release(pool, { sequence: first + i, payload: 0 })
      if (round > 0) await release(pool, { sequence: first - 21, payload: 0 })
      await pool.checkpoint()
    }
    if (end === 'killed after a commit') await put(pool, pattern(5000, 9))
    if (end === 'closed') await pool.close()
    return device
  }

  test.each([1, 2])('of a pool killed after a commit is refused when the newest %i are lost', async (count) => {
    await expectRefused(await live('killed after a commit'), count)
  })

  /* Its first batch lies in the segment before, and is found there. */
  test('of a pool opened and killed after a commit is refused when its epoch is lost', async () => {
    const device = await formatted()
    await puts(await openDevice(device, tiny()), 5, 1)
    await puts(await openDevice(device, tiny()), 2, 50)
    await expectRefused(device, 1)
  })

  test('… and when the first commit of that epoch began a segment', async () => {
    const device = await formatted()
    await puts(await openDevice(device, tiny()), 7, 1)
    await puts(await openDevice(device, tiny()), 2, 50)
    await expectRefused(device, 1)
  })

  test.each([
    ['closed', 1],
    ['closed', 2],
    ['killed after a checkpoint', 1],
    ['killed after a checkpoint', 2],
  ] as const)('of a pool that was %s loses no record in silence when the newest %i are lost', async (end, count) => {
    const device = await live(end)
    const records = await contents(await openDevice(copyOf(device), tiny()))
    lose(device, count)
    const opened = await openDevice(device, tiny()).catch((error: unknown) => error)
    if (opened instanceof Error) expect(opened).toMatchObject({ code: 'ERR_CORRUPT' })
    else expect(await contents(opened as Pool)).toEqual(records)
  })
})
