import { describe, expect, test } from 'vitest'
import type { WriteOptions } from '../../pool/device.ts'
import { MemoryDevice, PoolError } from '../../pool/index.ts'
import { ConcatDevice, type Leg, MirrorDevice, RangeDevice, StripeDevice } from '../../pool/layout.ts'
import { readRight } from '../../pool/read-right.ts'
import { FailingDevice } from '../support/failing-device.ts'
import { pattern, settled } from '../support/pool-client.ts'
import { seededRandom, seedOf } from '../support/random.ts'

const BLOCK = 512

/** A device that notes each request that reaches it. */
class NotingDevice extends MemoryDevice {
  readonly requests: { readonly offset: number; readonly length: number; readonly options: WriteOptions }[] = []

  override async write(offset: number, source: Uint8Array, options: WriteOptions = {}): Promise<void> {
    this.requests.push({ offset, length: source.length, options })
    await super.write(offset, source, options)
  }
}

interface TestLeg extends Leg {
  readonly device: FailingDevice
  isInSync: boolean
}

function legOf(device: FailingDevice): TestLeg {
  return {
    device,
    isInSync: true,
    async drop() {
      this.isInSync = false
    },
  }
}

function mirrorOf(legs: number, bytes = 8 * BLOCK): { mirror: MirrorDevice; legs: TestLeg[] } {
  const made = Array.from({ length: legs }, () => legOf(new FailingDevice(bytes)))
  return { mirror: new MirrorDevice(made), legs: made }
}

/** Turns of a stripe as geometry.ts makes them, and columns whose sizes are no multiple of anything. */
function* stripes(): Generator<[columns: number, unitBlocks: number, turnBlocks: number | undefined]> {
  for (const columns of [2, 3, 4, 5]) {
    for (const unitBlocks of [1, 2, 4]) {
      yield [columns, unitBlocks, undefined]
      yield [columns, unitBlocks, columns * unitBlocks]
      yield [columns, unitBlocks, 4 * columns * unitBlocks]
    }
  }
}

describe('a stripe', () => {
  test.each([...stripes()])('of %i columns, units of %i blocks, turning after %s, is a bijection', async (...shape) => {
    const [columns, unitBlocks, turnBlocks] = shape
    const members = Array.from({ length: columns }, (_, i) => new MemoryDevice((37 + i) * BLOCK))
    const stripe = new StripeDevice(members, unitBlocks * BLOCK, turnBlocks && turnBlocks * BLOCK)
    const blocks = stripe.limits.size / BLOCK
    expect(blocks).toBe(Math.floor(37 / unitBlocks) * unitBlocks * columns)
    for (let block = 0; block < blocks; block++) await stripe.write(block * BLOCK, Buffer.alloc(BLOCK, block + 1))
    const seen = members.flatMap(({ bytes }) => [...bytes].filter((_, i) => i % BLOCK === 0))
    // Block numbers are told apart by their low byte, and there are fewer of them than that tells apart.
    expect(blocks).toBeLessThan(256)
    expect(seen.filter((byte) => byte > 0).sort((a, b) => a - b)).toEqual([...Array(blocks).keys()].map((i) => i + 1))
    const whole = Buffer.alloc(stripe.limits.size)
    await stripe.read(0, whole)
    for (let block = 0; block < blocks; block++) expect(whole[block * BLOCK]).toBe(block + 1)
  })

  test('turns so that regions with a multiple of its columns begin on different ones', async () => {
    const members = Array.from({ length: 3 }, () => new NotingDevice(64 * BLOCK))
    const stripe = new StripeDevice(members, BLOCK, 6 * BLOCK)
    const columnOf = async (block: number) => {
      for (const { requests } of members) requests.length = 0
      await stripe.write(block * BLOCK, Buffer.alloc(BLOCK))
      return members.findIndex(({ requests }) => requests.length > 0)
    }
    expect([await columnOf(0), await columnOf(6), await columnOf(12), await columnOf(18)]).toEqual([0, 1, 2, 0])
  })

  test('says that no request is larger than its unit, and refuses to split one that must stay whole', async () => {
    const members = Array.from({ length: 2 }, () => new NotingDevice(64 * BLOCK))
    const stripe = new StripeDevice(members, 4 * BLOCK)
    expect(stripe.limits.requestBytesMax).toBe(4 * BLOCK)
    await stripe.write(4 * BLOCK, Buffer.alloc(4 * BLOCK), { unsplit: true })
    expect(members[1]!.requests).toMatchObject([{ offset: 0, length: 4 * BLOCK, options: { unsplit: true } }])
    const across = stripe.write(2 * BLOCK, Buffer.alloc(4 * BLOCK), { unsplit: true })
    await expect(across).rejects.toThrow(/R22_REQ_SHAPE/)
    expect(members[0]!.requests).toEqual([])
  })
})

describe('a concatenation', () => {
  const seed = seedOf(1)

  test(`reads back what was written across its joins (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    const concat = new ConcatDevice([3, 1, 5].map((blocks) => new MemoryDevice(blocks * BLOCK)))
    const model = Buffer.alloc(16 * BLOCK)
    for (let step = 0; step < 400; step++) {
      if (step === 200) concat.add(new MemoryDevice(7 * BLOCK))
      const blocks = concat.limits.size / BLOCK
      const block = random.below(blocks)
      const bytes = random.bytes((1 + random.below(blocks - block)) * BLOCK)
      await concat.write(block * BLOCK, bytes)
      model.set(bytes, block * BLOCK)
      const whole = Buffer.alloc(concat.limits.size)
      await concat.read(0, whole)
      expect(whole.equals(model.subarray(0, whole.length))).toBe(true)
    }
  })

  test('hands an unsplit request down as it is, and refuses one across a join', async () => {
    const members = [new NotingDevice(4 * BLOCK), new NotingDevice(4 * BLOCK)]
    const concat = new ConcatDevice(members)
    await concat.write(4 * BLOCK, Buffer.alloc(BLOCK), { unsplit: true })
    expect(members[1]!.requests).toMatchObject([{ offset: 0, options: { unsplit: true } }])
    await expect(concat.write(3 * BLOCK, Buffer.alloc(2 * BLOCK), { unsplit: true })).rejects.toThrow(/R22_REQ_SHAPE/)
  })
})

describe('a part of a device', () => {
  test('has blocks of its own, and refuses what lies outside or is not whole ones', async () => {
    const device = new NotingDevice(16 * BLOCK)
    const part = new RangeDevice(device, 4 * BLOCK, 8 * BLOCK, 2 * BLOCK)
    expect(part.limits).toMatchObject({ size: 8 * BLOCK, logicalBlockSize: 2 * BLOCK })
    await part.write(6 * BLOCK, Buffer.alloc(2 * BLOCK), { unsplit: true })
    expect(device.requests).toMatchObject([{ offset: 10 * BLOCK, options: { unsplit: true } }])
    await expect(part.write(8 * BLOCK, Buffer.alloc(2 * BLOCK))).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    await expect(part.read(BLOCK, Buffer.alloc(2 * BLOCK))).rejects.toMatchObject({ code: 'ERR_LIMITS' })
  })
})

describe('a mend', () => {
  const old = pattern(BLOCK, 1)
  const fresh = pattern(BLOCK, 2)
  const isOld = (bytes: Buffer) => bytes.equals(old)

  test('never overwrites what was written to its place since', async () => {
    const { mirror, legs } = mirrorOf(2)
    await mirror.write(0, old)
    legs[0]!.device.bytes.fill(0x5a, 0, BLOCK)
    let writing: Promise<void> | undefined
    const read = readRight(mirror, [0], BLOCK, (bytes) => {
      // The place is given out again while the old bytes are still looked at.
      if (isOld(bytes)) writing ??= mirror.write(0, fresh)
      return isOld(bytes)
    })
    expect(await read).toEqual(old)
    await writing
    await settled()
    for (const { device } of legs) expect(device.bytes.subarray(0, BLOCK).equals(fresh)).toBe(true)
  })

  test('goes to the copy that is wrong, and to no other', async () => {
    const { mirror, legs } = mirrorOf(3)
    await mirror.write(0, old)
    legs[1]!.device.bytes.fill(0x5a, 0, BLOCK)
    await readRight(mirror, [0], BLOCK, isOld, { every: true })
    for (const { device } of legs) expect(device.bytes.subarray(0, BLOCK).equals(old)).toBe(true)
  })

  test('finds the last right copy though a leg is lost while it looks', async () => {
    const { mirror, legs } = mirrorOf(3)
    await mirror.write(0, old)
    legs[0]!.device.bytes.fill(0x5a, 0, BLOCK)
    legs[2]!.device.bytes.fill(0x5a, 0, BLOCK)
    legs[0]!.device.before = (request) => {
      if (request === 'read') legs[0]!.isInSync = false
    }
    expect(await readRight(mirror, [0], BLOCK, isOld)).toEqual(old)
  })
})

describe('a mirror', () => {
  test('whose legs all fail tells of it, and one leg that fails is dropped', async () => {
    const { mirror, legs } = mirrorOf(2)
    legs[0]!.device.fails = 'write'
    await mirror.write(0, Buffer.alloc(BLOCK))
    expect(legs.map(({ isInSync }) => isInSync)).toEqual([false, true])
    legs[1]!.device.fails = 'write'
    legs[1]!.drop = (cause) => Promise.reject(cause)
    await expect(mirror.write(0, Buffer.alloc(BLOCK))).rejects.toMatchObject({ code: 'ERR_IO' })
  })

  test('drops no leg for a request that breaks the limits', async () => {
    const { mirror, legs } = mirrorOf(2)
    await expect(mirror.write(0, Buffer.alloc(BLOCK + 1))).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    legs[1]!.device.before = () => {
      throw new PoolError('ERR_LIMITS', 'too large')
    }
    await expect(mirror.write(0, Buffer.alloc(BLOCK))).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    expect(legs.map(({ isInSync }) => isInSync)).toEqual([true, true])
  })

  const seed = seedOf(1)

  test(`fills a leg with what it holds while it is written to, whatever the order (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    const blocks = (3 << 20) / BLOCK
    const { mirror, legs } = mirrorOf(2, blocks * BLOCK)
    for (const { device } of legs) {
      device.before = async () => {
        for (let turns = random.below(30); turns > 0; turns--) await null
      }
    }
    const leg = { ...legOf(new FailingDevice(blocks * BLOCK)), isInSync: false, isFilling: true }
    mirror.add(leg)
    let filling = true
    const writes: Promise<void>[] = []
    const filled = mirror
      .fill(leg, () => {})
      .finally(() => {
        filling = false
      })
    while (filling) {
      const block = random.below(blocks - 4)
      writes.push(mirror.write(block * BLOCK, random.bytes((1 + random.below(4)) * BLOCK)))
      if (writes.length % 5 === 0) await Promise.race([writes.at(-1), filled])
    }
    await filled
    await Promise.all(writes)
    expect(writes.length).toBeGreaterThan(10)
    for (const { device } of legs) expect(device.bytes.equals(leg.device.bytes)).toBe(true)
  })
})
