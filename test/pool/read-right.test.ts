import { describe, expect, test } from 'vitest'
import { ConcatDevice, type Leg, MirrorDevice, StripeDevice } from '../../pool/layout.ts'
import { MOSAIC_TRIALS_MAX } from '../../pool/mosaic.ts'
import { readRight } from '../../pool/read-right.ts'
import { pattern, readAll } from '../support/pool-client.ts'
import { ARRANGEMENTS, lose, RottingDevice, ScrubbedPool } from '../support/scrubbed-pool.ts'

const BYTES = 64 * 1024
const BLOCK = 512

const legOf = (device: RottingDevice): Leg => ({ device, isInSync: true, drop: (cause) => Promise.reject(cause) })
const legs = () => [new RottingDevice(BYTES), new RottingDevice(BYTES)] as const
const mirrorOf = (devices: readonly RottingDevice[]) => new MirrorDevice(devices.map(legOf))
const garble = (device: RottingDevice, offset: number, length: number) =>
  device.bytes.fill(0x5a, offset, offset + length)

describe('what is right in no copy as a whole', () => {
  const LENGTH = 32 * BLOCK
  const right = pattern(LENGTH)
  const isRight = (bytes: Buffer) => bytes.equals(right)

  test('is put together of the columns of a stripe, however much of each is wrong, and both are mended', async () => {
    const [one, two] = [legs(), legs()]
    const stripe = new StripeDevice([mirrorOf(one), mirrorOf(two)], 1024)
    await stripe.write(2048, right)
    const before = [...one, ...two].map(({ bytes }) => Buffer.from(bytes))
    garble(one[0], 1024, LENGTH / 2)
    garble(two[1], 1024, LENGTH / 2)
    expect(await readRight(stripe, [2048], LENGTH, isRight)).toEqual(right)
    expect([...one, ...two].every(({ bytes }, i) => bytes.equals(before[i]!))).toBe(true)
  })

  test('is put together of blocks, those that cannot be read too, and begins and ends within a block', async () => {
    const devices = legs()
    const mirror = mirrorOf(devices)
    await mirror.write(0, pattern(LENGTH, 9))
    const wanted = pattern(LENGTH, 9).subarray(100, 3000)
    const before = devices.map(({ bytes }) => Buffer.from(bytes))
    devices[0].unreadable.add(0).add(5)
    garble(devices[1], 2 * BLOCK, 700)
    expect(await readRight(mirror, [100], wanted.length, (bytes) => bytes.equals(wanted))).toEqual(wanted)
    expect(devices.map(({ unreadable }) => unreadable.size)).toEqual([0, 0])
    expect(devices.every(({ bytes }, i) => bytes.equals(before[i]!))).toBe(true)
  })

  test('is written to where it is wrong only: power failure on the way tears no copy that another needs', async () => {
    const devices = legs()
    const mirror = mirrorOf(devices)
    await mirror.write(0, right)
    garble(devices[0], 3 * BLOCK, 10)
    garble(devices[1], 7 * BLOCK, 10)
    const written: [number, number][] = []
    for (const [leg, device] of devices.entries()) {
      const write = device.write.bind(device)
      device.write = async (offset, source) => {
        for (let at = 0; at < source.length; at += BLOCK) written.push([leg, (offset + at) / BLOCK])
        await write(offset, source)
      }
    }
    expect(await readRight(mirror, [0], LENGTH, isRight)).toEqual(right)
    expect(written).toEqual([
      [0, 3],
      [1, 7],
    ])
  })

  test('is given up when there are more ways to put it together than may be tried', async () => {
    const devices = legs()
    const mirror = mirrorOf(devices)
    await mirror.write(0, right)
    const most = Math.log2(MOSAIC_TRIALS_MAX)
    let trials = 0
    const counted = (bytes: Buffer) => {
      trials++
      return isRight(bytes)
    }
    for (let block = 0; block < most; block++) garble(devices[block % 2]!, block * BLOCK, BLOCK)
    expect(await readRight(mirror, [0], LENGTH, counted)).toEqual(right)
    expect(trials).toBeLessThan(MOSAIC_TRIALS_MAX * 3)
    for (let block = 0; block <= most; block++) garble(devices[block % 2]!, block * BLOCK, BLOCK)
    expect(await readRight(mirror, [0], LENGTH, isRight)).toBeUndefined()
  })

  test('and unreadable in every copy throws what the medium said', async () => {
    const devices = legs()
    for (const { unreadable } of devices) unreadable.add(1)
    await expect(readRight(mirrorOf(devices), [0], LENGTH, isRight)).rejects.toMatchObject({ code: 'ERR_IO' })
  })
})

test('a run that cannot be read is mended from the other, the rest of its blocks too', async () => {
  const devices = legs()
  const concat = new ConcatDevice(devices)
  const all = pattern(4 * BLOCK, 3)
  for (const device of devices) await device.write(1024, all)
  devices[0].unreadable.add(2).add(4)
  const wanted = all.subarray(300, 1300)
  expect(await readRight(concat, [1324, BYTES + 1324], 1000, (bytes) => bytes.equals(wanted))).toEqual(wanted)
  expect(devices[0].unreadable.size).toBe(0)
  expect(devices[0].bytes.equals(devices[1].bytes)).toBe(true)
})

/** One record with three payloads, in a batch of more than one stripe unit. */
async function wide(name: string) {
  const devices = new ScrubbedPool(ARRANGEMENTS[name]!)
  await devices.format()
  const pool = await devices.open()
  const transaction = pool.begin()
  const payloads = [1, 2, 3].map((seed) => ({ staging: transaction.stage(), bytes: pattern(650, seed) }))
  for (const { staging, bytes } of payloads) await staging.write(bytes)
  const sequence = await transaction.commit(() => ({
    records: [{ content: Buffer.from('wide'), payloads: payloads.map(({ staging }) => staging) }],
    releases: [],
  }))
  return { devices, pool, sequence, payloads }
}

describe('a batch that is rotten on one leg in one column and on the other leg in the next', () => {
  test.each(['recovered', 'read'])('is %s, and mended', async (when) => {
    const { devices, pool, sequence, payloads } = await wide('a stripe of mirrors')
    const before = devices.image
    for (const spots of await devices.batchBlocks(sequence)) {
      const [first, second] = spots
      const isFirstColumn = first!.device === devices.devices[0]
      const { device, offset, length } = isFirstColumn ? first! : second!
      garble(device, offset, length)
    }
    const spoiled = devices.devices.filter(
      ({ bytes }, i) =>
        !before
          .subarray(i * bytes.length)
          .subarray(0, bytes.length)
          .equals(bytes),
    )
    expect(spoiled).toEqual([devices.devices[0], devices.devices[3]])
    const opened = when === 'recovered' ? await devices.open() : pool
    for (const [i, { bytes }] of payloads.entries()) expect(await readAll(opened, sequence, i)).toEqual(bytes)
    expect((await opened.check()).findings).toEqual([])
    expect(await opened.scrub()).toMatchObject({ repaired: [], damaged: [] })
  })
})

test('an entry that one run of two does not give is read from the other and written anew', async () => {
  const { devices, pool, sequence } = await wide('a concatenation with two runs')
  const before = devices.image
  const [first] = await devices.batchHeader(sequence)
  lose(first!)
  expect((await pool.record(sequence)).content).toEqual(Buffer.from('wide'))
  expect(first!.device.unreadable.size).toBe(0)
  expect(devices.image.equals(before)).toBe(true)
})
