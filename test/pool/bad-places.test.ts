import { expect, test } from 'vitest'
import { MemoryDevice, type Pool, PoolError, type Sequence } from '../../pool/index.ts'
import { batchesOn, pattern, put, readAll, release } from '../support/pool-client.ts'
import { formatDevice, openDevice } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

/*
 * One place of the only device that cannot be read any more, as disks come to have them. It costs what lies there, and
 * nothing else: not the life of the pool, and not the life after it.
 */

const { blockBytes, unitBytes } = TINY_FORMAT

class WornDevice extends MemoryDevice {
  readonly bad = new Set<number>()
  /** A block of which so many reads fail. */
  badFor = { block: -1, reads: 0 }

  override async read(offset: number, target: Uint8Array): Promise<void> {
    const touches = (block: number) => block + blockBytes > offset && block < offset + target.length
    if ([...this.bad].some(touches)) throw new PoolError('ERR_IO', 'EIO')
    if (this.badFor.reads > 0 && touches(this.badFor.block)) {
      this.badFor.reads--
      throw new PoolError('ERR_IO', 'EIO')
    }
    await super.read(offset, target)
  }
}

async function worn() {
  const device = new WornDevice(TINY_BYTES)
  await formatDevice(device, TINY_FORMAT, identity())
  const open = () => openDevice(device, tiny())
  /** Where the batch that holds `sequence` begins. */
  const batchOf = (sequence: Sequence) =>
    batchesOn(device.bytes).find(({ header: { firstSequence, entries } }) => sequence < firstSequence + entries)!.offset
  return { device, open, batchOf, pool: await open() }
}

/** Stores, lets go, and saves: what an open pool does all the time. */
async function goesOn(pool: Pool): Promise<void> {
  const { extentBytes } = pool.status()
  const sequence = await put(pool, pattern(5000))
  await release(pool, { sequence, payload: 0 })
  await pool.checkpoint()
  expect(pool.status()).toMatchObject({ state: 'open', extentBytes })
  expect(await readAll(pool, await put(pool, pattern(5000, 2)))).toEqual(pattern(5000, 2))
}

test('in a segment that would be compacted leaves it as it is, and its neighbours are compacted', async () => {
  const { device, open, batchOf, pool } = await worn()
  const live = new Map<Sequence, Buffer>()
  for (let i = 0; i < 60; i++) {
    const sequence = await put(pool, pattern(600, i))
    if (i % 8 === 0) live.set(sequence, pattern(600, i))
    else await release(pool, { sequence, payload: 0 })
  }
  const { segments } = pool.status()
  device.bad.add(batchOf(20))
  await pool.checkpoint()
  await goesOn(pool)
  expect(pool.status().segments).toBeLessThan(segments)
  const again = await open()
  await again.checkpoint()
  await goesOn(again)
  await again.close()
  device.bad.clear()
  const whole = await open()
  for (const [sequence, bytes] of live) expect(await readAll(whole, sequence)).toEqual(bytes)
})

/** A pool with a large payload among the first of its records, opened again. */
async function openedAgain() {
  const { device, open, batchOf, pool } = await worn()
  const sequence = await put(pool, pattern(9000))
  for (let i = 0; i < 30; i++) await put(pool, pattern(600, i))
  await pool.checkpoint()
  return { device, open, batchOf, sequence, again: await open() }
}

test.each(['record', 'manifest'])(
  'in the %s of a payload that is let go keeps its units, and nothing else',
  async (what) => {
    const { device, open, batchOf, sequence, again } = await openedAgain()
    const { extentBytes } = again.status()
    if (what === 'record') device.bad.add(batchOf(sequence))
    else for (const offset of manifestsOn(device.bytes)) device.bad.add(offset)
    await release(again, { sequence, payload: 0 })
    await again.checkpoint()
    expect(again.status()).toMatchObject({ state: 'open', extentBytes })
    await goesOn(again)
    await again.close()
    await goesOn(await open())
  },
)

test.each(['record', 'manifest'])(
  'in the %s of a payload that is let go, which can be read the next time, keeps nothing',
  async (what) => {
    const { device, open, batchOf, sequence, again } = await openedAgain()
    // The batch is looked for ahead of the walk, and then alone.
    if (what === 'record') device.badFor = { block: batchOf(sequence), reads: 2 }
    else device.badFor = { block: manifestsOn(device.bytes)[0]!, reads: 1 }
    await release(again, { sequence, payload: 0 })
    await again.checkpoint()
    expect(device.badFor.reads).toBe(0)
    expect(again.status()).toMatchObject({ state: 'open', extentBytes: 0 })
    await expect(readAll(await open(), sequence)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  },
)

/** Units that hold a manifest of nine full units' extents. */
function manifestsOn(bytes: Buffer): number[] {
  const offsets: number[] = []
  for (let offset = 0; offset < bytes.length; offset += blockBytes) {
    const lengths = Array.from({ length: 8 }, (_, i) => bytes.readUInt32LE(offset + i * 16))
    const uppers = Array.from({ length: 8 }, (_, i) => bytes.readUInt32LE(offset + i * 16 + 4))
    if (lengths.every((length) => length === unitBytes) && uppers.every((upper) => upper === 0)) offsets.push(offset)
  }
  return offsets
}
