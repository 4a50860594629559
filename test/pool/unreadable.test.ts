import { describe, expect, test } from 'vitest'
import {
  formatDevices,
  type Geometry,
  MemoryDevice,
  type OpenOptions,
  openDevices,
  type Pool,
  PoolError,
  type Sequence,
  type Unreadable,
} from '../../pool/index.ts'
import { UNREADABLE_TOLD_MAX } from '../../pool/unreadable.ts'
import { pattern, put, readAll, release } from '../support/pool-client.ts'
import { SingleZones } from '../support/single-device.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

/*
 * EIO on each read of a start in its turn. Where another copy is right the start goes on, says so, and mends what it has
 * read anew; where there is none it is refused, with the place. What was bad stays bad until it is written.
 */

const { blockBytes } = TINY_FORMAT

interface Read {
  readonly device: number
  readonly offset: number
  readonly length: number
}

class WornDevice extends MemoryDevice {
  readonly name: string
  readonly bad = new Set<number>()
  onRead: (offset: number, length: number) => void = () => {}

  constructor(name: string, bytes: Buffer) {
    super(bytes.length)
    this.name = name
    bytes.copy(this.bytes)
  }

  override async read(offset: number, target: Uint8Array): Promise<void> {
    this.onRead(offset, target.length)
    for (const block of this.bad) {
      if (block + blockBytes > offset && block < offset + target.length) throw new PoolError('ERR_IO', 'EIO')
    }
    await super.read(offset, target)
  }

  override async write(offset: number, source: Uint8Array): Promise<void> {
    for (const block of this.bad) if (block >= offset && block < offset + source.length) this.bad.delete(block)
    await super.write(offset, source)
  }
}

const LAYOUTS: Record<string, { members: number; geometry: Geometry }> = {
  'a single device': { members: 1, geometry: { layout: 'concat', stripeUnit: 0, legs: 1, runs: 1 } },
  'a mirror': { members: 2, geometry: { layout: 'mirror', stripeUnit: 0, legs: 2, runs: 1 } },
  'a concat with two runs': { members: 2, geometry: { layout: 'concat', stripeUnit: 0, legs: 1, runs: 2 } },
}

/** What a pool left that was killed: a checkpoint, segments before and after it, payloads of every kind. */
async function killed({ members, geometry }: (typeof LAYOUTS)[string]) {
  const devices = Array.from({ length: members }, (_, i) => new WornDevice(`disk ${i}`, Buffer.alloc(TINY_BYTES)))
  const uuids = devices.map((_, i) => Buffer.alloc(16, i + 2))
  await formatDevices(devices, { format: TINY_FORMAT, geometry }, { pool: Buffer.alloc(16, 1), members: uuids })
  const pool = await openDevices(devices, tiny())
  const live = new Map<Sequence, Buffer>()
  const store = async (length: number, seed: number) => {
    live.set(await put(pool, pattern(length, seed)), pattern(length, seed))
  }
  for (let seed = 0; seed < 30; seed++) await store(seed % 5 === 0 ? 9000 : 600, seed)
  await pool.checkpoint()
  for (let seed = 30; seed < 50; seed++) await store(seed % 5 === 0 ? 9000 : 600, seed)
  const [gone] = live.keys()
  await release(pool, { sequence: gone!, payload: 0 })
  live.delete(gone!)
  return { images: devices.map(({ bytes }) => Buffer.from(bytes)), live }
}

const place = (images: readonly Buffer[]) => images.map((image, i) => new WornDevice(`disk ${i}`, image))

async function open(devices: readonly WornDevice[], options: OpenOptions = {}): Promise<Pool> {
  return await openDevices(devices, { ...tiny(), ...options })
}

async function expectWhole(pool: Pool, live: ReadonlyMap<Sequence, Buffer>): Promise<void> {
  for (const [sequence, bytes] of live) expect((await readAll(pool, sequence)).equals(bytes)).toBe(true)
}

describe.each(Object.entries(LAYOUTS))('the start of a pool on %s', async (name, layout) => {
  const { images, live } = await killed(layout)
  const reads = new Map<string, Read>()
  const watched = place(images)
  for (const [device, one] of watched.entries()) {
    one.onRead = (offset, length) => reads.set(`${device} ${offset} ${length}`, { device, offset, length })
  }
  await open(watched)
  const zones = new SingleZones(TINY_BYTES, TINY_FORMAT)
  const { metadata } = zones
  const hasOneCopy = ({ offset }: Read) => offset >= metadata.start && offset < metadata.end

  /** Opens it with the first or the last block of a read unreadable. */
  async function tryWith({ device, offset, length }: Read, at: 'first' | 'last') {
    const devices = place(images)
    devices[device]!.bad.add(at === 'first' ? offset : offset + length - blockBytes)
    const told: Unreadable[] = []
    const pool = await open(devices, { onUnreadable: (place) => told.push(place) }).catch((error: unknown) => error)
    return { pool: pool as Pool | PoolError, told, devices }
  }

  test.each(['first', 'last'] as const)(
    'goes on, or is refused with the place, whichever %s block is unreadable',
    async (at) => {
      const outcomes = { opened: 0, refused: 0 }
      for (const read of reads.values()) {
        const { pool, told, devices } = await tryWith(read, at)
        const { device, offset, length } = read
        expect(told[0]).toMatchObject({ device: `disk ${device}`, cause: { code: 'ERR_IO' } })
        const bad = at === 'first' ? offset : offset + length - blockBytes
        expect([told[0]!.offset <= bad, told[0]!.offset + told[0]!.length > bad]).toEqual([true, true])
        if (pool instanceof PoolError) {
          outcomes.refused++
          expect(pool.code).toBe('ERR_IO')
          expect(pool.message).toMatch(new RegExp(`^.+ cannot be read, \\d+ bytes at \\d+ of disk ${device}: EIO$`))
          expect([read, name === 'a single device' || hasOneCopy(read) || pool.message.startsWith('manifest')]).toEqual(
            [read, true],
          )
        } else {
          outcomes.opened++
          expect(pool.status()).toMatchObject({ state: 'open', health: 'ok' })
          expect(pool.status().recovery.unreadable).toBeGreaterThanOrEqual(told.length)
          // Where the only copy of what was let go cannot be read the start goes on, and the next checkpoint halts.
          if (name === 'a mirror') expect((await pool.check()).findings).toEqual([])
          else devices[device]!.bad.clear()
          await expectWhole(pool, live)
        }
      }
      expect(outcomes.opened).toBeGreaterThan(0)
      if (name === 'a mirror') expect(outcomes.refused).toBe(0)
      else expect(outcomes.refused).toBeGreaterThan(0)
    },
  )
})

describe('a mirror of which one leg cannot be read', () => {
  test('mends what the start read, and is then read from that leg alone', async () => {
    const { images, live } = await killed(LAYOUTS['a mirror']!)
    const [worn, good] = place(images)
    const { metadata } = new SingleZones(TINY_BYTES, TINY_FORMAT)
    for (let offset = metadata.start; offset < metadata.end; offset += blockBytes) worn!.bad.add(offset)
    const told: Unreadable[] = []
    const pool = await open([worn!, good!], { onUnreadable: (one) => told.push(one) })
    const { unreadable } = pool.status().recovery
    expect(unreadable).toBeGreaterThan(0)
    expect(pool.status().mended).toBe(unreadable)
    expect(told.length).toBe(Math.min(unreadable, UNREADABLE_TOLD_MAX))
    await expectWhole(pool, live)
    expect((await pool.check()).findings).toEqual([])
  })
})

test('a start tells of UNREADABLE_TOLD_MAX places, and counts the others', async () => {
  const { images, live } = await killed(LAYOUTS['a mirror']!)
  const [worn, good] = place(images)
  const zones = new SingleZones(TINY_BYTES, TINY_FORMAT)
  for (let offset = zones.regionOffset(0); offset < zones.rings[1]; offset += blockBytes) worn!.bad.add(offset)
  const told: Unreadable[] = []
  const pool = await open([worn!, good!], { onUnreadable: (one) => told.push(one) })
  expect(told).toHaveLength(UNREADABLE_TOLD_MAX)
  expect(pool.status().recovery.unreadable).toBeGreaterThan(UNREADABLE_TOLD_MAX)
  await expectWhole(pool, live)
})

test('of two rings with a bad slot each, but not the same, the newest superblock is found, and the slots are mended', async () => {
  const { images, live } = await killed(LAYOUTS['a single device']!)
  const { rings } = new SingleZones(TINY_BYTES, TINY_FORMAT)
  const { ringSlots } = TINY_FORMAT
  for (let slot = 0; slot < ringSlots; slot++) {
    const [device] = place(images)
    const places = [rings[0] + slot * blockBytes, rings[1] + ((slot + 1) % ringSlots) * blockBytes]
    for (const bad of places) device!.bad.add(bad)
    const told: Unreadable[] = []
    const pool = await open([device!], { onUnreadable: (one) => told.push(one) })
    // Where a guard is sought in blocks of every size the ring behind it may be in the way.
    const slots = told.filter(({ offset }) => offset >= rings[0])
    expect(slots.map(({ offset, length }) => [offset, length])).toEqual(places.map((bad) => [bad, blockBytes]))
    for (let written = 1; written < ringSlots; written++) await pool.checkpoint()
    expect(device!.bad.size).toBe(0)
    await expectWhole(pool, live)
  }
})
