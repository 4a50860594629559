import { describe, expect, test } from 'vitest'
import { Allocator } from '../../pool/allocator.ts'
import { formatDevices } from '../../pool/create.ts'
import { chooseFormat } from '../../pool/format.ts'
import { checkGeometry, columnOf, columnsOf, type Geometry, regionClass, turnBytes } from '../../pool/geometry.ts'
import { MemoryDevice, openDevices, type Pool } from '../../pool/index.ts'
import { StripeDevice } from '../../pool/layout.ts'
import { Pages } from '../../pool/pages.ts'
import { memberZonesOf, Zones } from '../../pool/zones.ts'
import { FailingDevice } from '../support/failing-device.ts'
import { release } from '../support/pool-client.ts'
import { TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

const KIB = 1024
const TIB = 2 ** 40
const POOL = Buffer.alloc(16, 1)
const geometryOf = (more: Partial<Geometry>): Geometry => ({
  layout: 'concat',
  stripeUnit: 0,
  legs: 1,
  runs: 1,
  ...more,
})

test('the column of a member is all legs of its mirror, and of no other', () => {
  const mirrors = geometryOf({ layout: 'stripe-of-mirrors', stripeUnit: KIB, legs: 2 })
  expect(['a', 'b', 'c', 'd'].map((member) => columnOf(mirrors, ['a', 'b', 'c', 'd'], member).join(''))).toEqual([
    'ab',
    'ab',
    'cd',
    'cd',
  ])
  expect(columnOf(geometryOf({ layout: 'mirror', legs: 3 }), ['a', 'b', 'c'], 'c')).toEqual(['a', 'b', 'c'])
  expect(columnOf(geometryOf({}), ['a', 'b'], 'b')).toEqual(['b'])
})

describe('a geometry', () => {
  test.each<[what: string, geometry: Geometry]>([
    ['a layout that is unknown', geometryOf({ layout: undefined as never })],
    ['a stripe without a unit', geometryOf({ layout: 'stripe' })],
    ['a stripe unit below the allocation unit', geometryOf({ layout: 'stripe', stripeUnit: 512 })],
    ['a stripe unit that is no power of two', geometryOf({ layout: 'stripe', stripeUnit: 3 * KIB })],
    ['a concatenation with a stripe unit', geometryOf({ stripeUnit: 1024 })],
    ['a mirror of one leg', geometryOf({ layout: 'mirror' })],
    ['a concatenation with legs', geometryOf({ legs: 2 })],
    ['a mirror whose journal has runs', geometryOf({ layout: 'mirror', legs: 2, runs: 2 })],
    ['no run', geometryOf({ runs: 0 })],
    ['more runs than a header names', geometryOf({ runs: 5 })],
  ])('is refused: %s', (_, geometry) => {
    expect(() => checkGeometry(geometry, TINY_FORMAT)).toThrow(/impossible geometry/)
  })

  test.each<[geometry: Geometry, columns: number[][]]>([
    [geometryOf({}), [[0], [1], [2], [3]]],
    [geometryOf({ layout: 'mirror', legs: 2 }), [[0, 1, 2, 3]]],
    [
      geometryOf({ layout: 'stripe-of-mirrors', stripeUnit: 1024, legs: 2 }),
      [
        [0, 1],
        [2, 3],
      ],
    ],
  ])('has columns: %o', (geometry, columns) => {
    expect(columnsOf(geometry, [0, 1, 2, 3])).toEqual(columns)
  })
})

describe('the regions of a stripe', () => {
  /** Which column each block of a region lies on. */
  async function columnsOfRegion(stripe: StripeDevice, members: readonly FailingDevice[], region: number) {
    const { blockBytes, segmentBytes } = TINY_FORMAT
    const columns: number[] = []
    for (const [i, member] of members.entries()) member.before = () => void columns.push(i)
    for (let offset = 0; offset < segmentBytes; offset += blockBytes) {
      await stripe.read(region * segmentBytes + offset, Buffer.alloc(blockBytes))
    }
    return columns
  }

  const shapes = [2, 3, 4, 5, 6, 8].flatMap((columns) =>
    [1, 2, 4, 8, 16, 32].map((units) => [columns, units * TINY_FORMAT.unitBytes] as const),
  )

  test.each(shapes)(
    'on %i columns in units of %i bytes share no member when their classes differ',
    async (...shape) => {
      const [columns, stripeUnit] = shape
      const { segmentBytes } = TINY_FORMAT
      const geometry = geometryOf({ layout: 'stripe', stripeUnit })
      const members = Array.from({ length: columns }, () => new FailingDevice(16 * segmentBytes))
      const stripe = new StripeDevice(members, stripeUnit, turnBytes(geometry, segmentBytes, columns))
      const classOf = regionClass(geometry, segmentBytes, columns)!
      const regions = Math.min(24, Math.floor(stripe.limits.size / segmentBytes))
      const placed: { of: number; columns: number[] }[] = []
      for (let region = 0; region < regions; region++) {
        placed.push({ of: classOf(region), columns: await columnsOfRegion(stripe, members, region) })
      }
      expect(new Set(placed.map(({ of }) => of)).size, 'two runs must be possible').toBeGreaterThan(1)
      for (const one of placed) {
        for (const other of placed.filter(({ of }) => of !== one.of)) {
          expect(one.columns.some((column, block) => column === other.columns[block])).toBe(false)
        }
      }
    },
  )
})

describe('zones', () => {
  test('of 10 TiB are counted without loss, and their trees are deep enough', () => {
    const format = chooseFormat(10 * TIB)
    const { dataBytes } = memberZonesOf(10 * TIB, format)
    const zones = new Zones(format, [dataBytes])
    zones.add(dataBytes)
    const { regions, unitsPerRegion } = zones
    expect(regions).toBeGreaterThan(2 * 655_000)
    const last = regions * unitsPerRegion - 1
    expect(last).toBeGreaterThan(2 ** 28)
    expect(zones.unitOffset(last)).toBe(zones.regionOffset(regions - 1) + format.segmentBytes - format.unitBytes)
    expect(zones.unitOffset(last)).toBeGreaterThan(19 * TIB)
    expect(zones.regionPage(regions - 1)).toBe(zones.pages - 1)
    expect(zones.pageSubject(zones.pages - 1)).toEqual({ region: regions - 1 })
    for (const unit of [0, last, zones.spans[1]!.firstRegion * unitsPerRegion]) {
      const subject = zones.pageSubject(zones.bitmapPage(unit)) as { unit: number; units: number }
      expect(unit - subject.unit).toBeGreaterThanOrEqual(0)
      expect(unit - subject.unit).toBeLessThan(subject.units)
    }
  })

  test.each([2, 3, 4])('an allocator of 10 TiB beside 1 TiB answers at once, with %i runs', (runs) => {
    const format = chooseFormat(10 * TIB)
    const spans = [10 * TIB, ...Array<number>(runs - 1).fill(TIB)].map((size) => memberZonesOf(size, format).dataBytes)
    const zones = new Zones(format, spans)
    const allocator = new Allocator(zones, 8, runs)
    const start = performance.now()
    for (let i = 0; i < 1000; i++) expect(allocator.freeSegments).toBe(zones.spans[1]!.regions)
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('of sizes that are multiples of a block only lie where their members do, and overlap nowhere', () => {
    const { blockBytes, segmentBytes } = TINY_FORMAT
    const sizes = [17, 20, 33, 18].map((segments, i) => segments * segmentBytes + (5 + 3 * i) * blockBytes)
    const zones = new Zones(TINY_FORMAT, sizes)
    let start = 0
    let pages = 0
    for (const [i, span] of zones.spans.entries()) {
      const end = start + sizes[i]!
      expect(span).toMatchObject({ offset: start, firstPage: pages })
      expect(span.metadataBlock * blockBytes).toBe(start + span.regions * segmentBytes)
      expect((span.metadataBlock + span.metadataBlocks) * blockBytes).toBe(end)
      const regions = Array.from({ length: span.regions }, (_, region) => span.firstRegion + region)
      expect(regions.map((region) => zones.classOf(region))).toEqual(regions.map(() => i))
      for (const region of regions) expect(zones.pageSubject(zones.regionPage(region))).toEqual({ region })
      start = end
      pages += span.bitmapPages + span.regions
    }
    expect(zones.pages).toBe(pages)
  })
})

describe('the page tree', () => {
  test('that grows taller by two levels names what it held, though only what is new has changed', async () => {
    const device = new MemoryDevice(16 << 20)
    const zones = new Zones(TINY_FORMAT, [256 * KIB])
    const pages = new Pages(device, zones)
    const old = Buffer.alloc(512, 1)
    await pages.write(new Map([[zones.regionPage(3), old]]))
    zones.add(14 << 20)
    pages.grow()
    const last = zones.regionPage(zones.regions - 1)
    const root = await pages.write(new Map([[last, Buffer.alloc(512, 2)]]))
    const loaded = new Map<number, Buffer>()
    await new Pages(device, zones).load(root, (index, page) => void loaded.set(index, page))
    expect([...loaded.keys()]).toEqual([zones.regionPage(3), last])
    expect(loaded.get(zones.regionPage(3))).toEqual(old)
  })
})

describe('the bitmap of owned units', () => {
  test('is saved and loaded where a span begins in the middle of a byte', () => {
    const format = { ...TINY_FORMAT, segmentBytes: 4 * TINY_FORMAT.unitBytes }
    const zones = new Zones(
      format,
      [17, 19, 21].map((segments) => segments * 5120),
    )
    expect(zones.spans.some(({ firstRegion }) => (firstRegion * zones.unitsPerRegion) % 8 !== 0)).toBe(true)
    const allocator = new Allocator(zones, 0)
    const owned: number[] = []
    while (allocator.hasRoom()) {
      const { unit } = allocator.allocate(1)
      if (unit % 3 === 0) owned.push(unit)
    }
    for (const unit of owned) allocator.own(unit)
    const loaded = new Allocator(zones, 0)
    for (const [index, page] of allocator.takeDirtyPages()) {
      const subject = zones.pageSubject(index) as { unit: number }
      loaded.loadPage(subject.unit, page)
    }
    const units = Array.from({ length: zones.regions * zones.unitsPerRegion }, (_, unit) => unit)
    expect(units.filter((unit) => loaded.isOwned(unit))).toEqual(owned)
  })
})

describe('two runs of the journal', () => {
  const geometry = geometryOf({ runs: 2 })

  test.each<[what: string, sizes: number[], runs: number]>([
    ['on one member', [256], 2],
    ['on more runs than members', [256, 256], 3],
    ['on a member that holds few of them', [64, 512], 2],
  ])('are refused %s, before anything is written', async (_, sizes, runs) => {
    const devices = sizes.map((size) => new MemoryDevice(size * KIB))
    const members = sizes.map((__, i) => Buffer.alloc(16, i + 2))
    const made = formatDevices(
      devices,
      { format: TINY_FORMAT, geometry: geometryOf({ runs }) },
      { pool: POOL, members },
    )
    await expect(made).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    expect(devices.every(({ bytes }) => bytes.every((byte) => byte === 0))).toBe(true)
  })

  /** Undefined when the pool is full. */
  async function putIfRoom(pool: Pool, bytes: Buffer): Promise<number | undefined> {
    const transaction = pool.begin()
    try {
      const payload = transaction.stage()
      await payload.write(bytes)
      return await transaction.commit(() => ({
        records: [{ content: Buffer.alloc(9), payloads: [payload] }],
        releases: [],
      }))
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_NO_SPACE' })
      await transaction.abort()
      return undefined
    }
  }

  async function filled(sizes: readonly number[]) {
    const devices = sizes.map((size) => new MemoryDevice(size * KIB))
    const members = sizes.map((_, i) => Buffer.alloc(16, i + 2))
    await formatDevices(devices, { format: TINY_FORMAT, geometry }, { pool: POOL, members })
    const pool = await openDevices(devices, tiny())
    const sequences: number[] = []
    for (let sequence: number | undefined = 0; sequence !== undefined; ) {
      sequence = await putIfRoom(pool, Buffer.alloc(9000, sequences.length))
      if (sequence !== undefined) sequences.push(sequence)
    }
    return { devices, pool, sequences }
  }

  test.each([[[256, 256]], [[256, 600]], [[300, 256, 270]]])(
    'on members of %o KiB: a full pool is emptied',
    async (sizes) => {
      const { devices, pool, sequences } = await filled(sizes)
      await pool.checkpoint()
      for (const sequence of sequences) await release(pool, { sequence, payload: 0 })
      await pool.checkpoint()
      expect(pool.status()).toMatchObject({ extentBytes: 0, stagedBytes: 0, state: 'open' })
      const { bytes, freeBytes, historyBytes } = pool.status()
      expect(freeBytes + historyBytes).toBe(bytes)
      await pool.close()
      const again = await openDevices(devices, tiny())
      expect((await again.check()).findings).toEqual([])
      expect(again.status().extentBytes).toBe(0)
    },
  )

  test('leave what the journal cannot use of a larger member to payloads', () => {
    const reserve = 4
    const zones = new Zones(TINY_FORMAT, [256 * KIB, 1024 * KIB])
    const [smaller, larger] = zones.spans
    const allocator = new Allocator(zones, reserve, 2)
    while (allocator.freeSegments > reserve) allocator.takeSegment()
    let units = 0
    while (allocator.hasRoom()) units += allocator.allocate(1).units
    expect(units).toBe((larger!.regions - smaller!.regions) * zones.unitsPerRegion)
    expect(allocator.freeSegments).toBe(reserve)
  })
})
