import { describe, expect, test } from 'vitest'
import { type BatchHeader, encodeBatchHeader } from '../../pool/batch.ts'
import { type Device, MemoryDevice, type Pool, PoolError, type RecoverySummary, type Timers } from '../../pool/index.ts'
import type { JournalEnd } from '../../pool/journal-scan.ts'
import { readGuard } from '../../pool/look.ts'
import { decodeSuperblock, type Superblock } from '../../pool/superblock.ts'
import { verdict } from '../../pool/verdict.ts'
import { batchesOn, contents, formatted, GatedDevice, pattern, put, readAll, settled } from '../support/pool-client.ts'
import { openDevice, SingleZones } from '../support/single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'

/** A superblock that knows nothing but what is given. */
const superblock = (known: Partial<Superblock>): Superblock => ({
  serial: 7,
  epoch: 3,
  epochStartLsn: 1,
  checkpointLsn: 1,
  checkpointRegion: 0,
  chain: Buffer.alloc(32),
  knownDurableLsn: 1,
  cleanEndLsn: 0,
  nextSequence: 1,
  pages: { block: 0, checksum: 0, pages: 0 },
  members: [],
  ...known,
})

const later = (durableLsn: number): BatchHeader => ({
  digest: Buffer.alloc(32),
  previous: Buffer.alloc(32),
  lsn: 30,
  epoch: 3,
  superblockSerial: 7,
  durableLsn,
  firstSequence: 9,
  blocks: 1,
  entryBytes: 0,
  entries: 0,
  seal: false,
})

/** A journal of which everything before position 20 was whole. */
const end = (found: Partial<JournalEnd>): JournalEnd => ({
  lsn: 20,
  segment: { regions: [1], ordinal: 1, successor: [2] },
  chain: Buffer.alloc(32),
  torn: false,
  sealed: false,
  later: [],
  ...found,
})

describe('the verdict on a journal whose first batch that is not whole would be at position 20', () => {
  test.each<[string, Partial<Superblock>, Partial<JournalEnd>, RecoverySummary['verdict'] | 'corrupt']>([
    ['a: all before it is whole, and nothing follows', {}, {}, 'complete'],
    ['a: it is the clean end', { cleanEndLsn: 20 }, {}, 'clean'],
    ['c: the epoch began after it', { epochStartLsn: 21 }, {}, 'corrupt'],
    ['c: the clean end lay after it', { cleanEndLsn: 21 }, {}, 'corrupt'],
    ['c: the superblock knew it durable', { knownDurableLsn: 21 }, {}, 'corrupt'],
    ['c: … though it begins like a batch', { knownDurableLsn: 21 }, { torn: true }, 'corrupt'],
    ['c: … though a later one did not know it', { epochStartLsn: 21 }, { later: [later(20)] }, 'corrupt'],
    ['c: all of these lay before it', { epochStartLsn: 20, knownDurableLsn: 20 }, {}, 'complete'],
    ['d: a later batch knew it durable', {}, { later: [later(21)] }, 'corrupt'],
    ['d: one of several later batches did', {}, { later: [later(20), later(29), later(20)] }, 'corrupt'],
    ['d: … and it begins like a batch', {}, { later: [later(21)], torn: true }, 'corrupt'],
    ['e: later batches were written before it was durable', {}, { later: [later(20), later(19)] }, 'reordered-tail'],
    ['f: it begins like a batch, and nothing follows', {}, { torn: true }, 'torn-tail'],
  ])('%s', (_, known, found, expected) => {
    const judge = () => verdict(end(found), superblock(known))
    if (expected === 'corrupt') expect(judge).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }))
    else expect(judge()).toBe(expected)
  })
})

/** Records with a payload inline, one in units, and a small one that is the last: each a batch of its own. */
async function fill(pool: Pool): Promise<void> {
  for (const length of [100, 600, 3000, 50, 600]) await put(pool, pattern(length))
}

const RECORDS = 5
const expectation = (count: number) => Array.from({ length: count }, (_, i) => `record ${i + 1}`)

/** A pool that was killed after five batches. */
async function killed(): Promise<MemoryDevice> {
  const device = await formatted()
  await fill(await openDevice(device, tiny()))
  return device
}

const zones: SingleZones = new SingleZones(TINY_BYTES, TINY_FORMAT)

function flip(device: MemoryDevice, offset: number): void {
  device.bytes[offset]! ^= 1
}

/** The device is refused, and left as it is. */
async function expectRefused(device: MemoryDevice, code: string, message = /./): Promise<void> {
  const before = Buffer.from(device.bytes)
  await expect(openDevice(device, tiny())).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  expect(device.bytes.equals(before)).toBe(true)
}

/** The pool opens with `count` records, goes on, and comes back with one more. */
async function expectCut(device: MemoryDevice, count: number, recovery: Partial<RecoverySummary>): Promise<void> {
  const pool = await openDevice(device, tiny())
  expect(pool.status().recovery).toMatchObject(recovery)
  expect(await contents(pool)).toEqual(expectation(count))
  await put(pool, pattern(700, 9))
  expect((await pool.check()).findings).toEqual([])
  const again = await openDevice(device, tiny())
  expect(await contents(again)).toEqual(expectation(count + 1))
  expect(await readAll(again, count + 1)).toEqual(pattern(700, 9))
  expect((await again.check()).findings).toEqual([])
}

const PARTS: [string, (batch: { offset: number; bytes: number }) => number][] = [
  ['its header', ({ offset }) => offset + 72],
  ['its digest', ({ offset }) => offset + 20],
  ['its entry', ({ offset }) => offset + 128 + 12],
  ['its payload', ({ offset, bytes }) => offset + bytes - 400],
]

describe('a pool that was killed', () => {
  test('a: is complete', async () => {
    await expectCut(await killed(), RECORDS, { verdict: 'complete', batchesReplayed: RECORDS, batchesDropped: 0 })
  })

  test.each(PARTS)('d: whose batch in the middle has rotted in %s is refused', async (_, place) => {
    const device = await killed()
    flip(device, place(batchesOn(device.bytes)[1]!))
    await expectRefused(device, 'ERR_CORRUPT', /acknowledged records are damaged/)
  })

  test.each([
    ['f: in its header is cut', 0, 'complete'],
    ['g: in its entry is cut and reported', 2, 'torn-tail'],
    ['g: in its payload is cut and reported', 3, 'torn-tail'],
  ] as const)('whose last batch is torn %s', async (_, part, expected) => {
    const device = await killed()
    flip(device, PARTS[part]![1](batchesOn(device.bytes).at(-1)!))
    await expectCut(device, RECORDS - 1, { verdict: expected, batchesDropped: 0 })
  })

  test('d: and whose last batch was sealed before is refused when that has rotted', async () => {
    const ticks: (() => void)[] = []
    const timers: Timers = {
      every: (_, task) => {
        ticks.push(task)
        return () => {}
      },
    }
    const device = await formatted()
    const pool = await openDevice(device, tiny({ timers, tuning: { sealIdleMs: 1 } }))
    await fill(pool)
    for (const tick of [...ticks, ...ticks]) tick()
    await settled()
    const [last, seal] = batchesOn(device.bytes).slice(-2)
    expect([last!.header.seal, seal!.header.seal]).toEqual([false, true])
    flip(device, last!.offset)
    await expectRefused(device, 'ERR_CORRUPT')
    flip(device, last!.offset)
    flip(device, seal!.offset)
    await expectCut(device, RECORDS, { verdict: 'complete' })
  })

  test('c: and opened since is refused when its last batch has rotted', async () => {
    const device = await killed()
    await openDevice(device, tiny())
    flip(device, batchesOn(device.bytes).at(-1)!.offset)
    await expectRefused(device, 'ERR_CORRUPT', /was durable up to/)
  })

  test('c: is refused when a batch has rotted that became durable during the last checkpoint', async () => {
    const device = await formatted()
    const gated = new GatedDevice(device)
    const pool = await openDevice(gated, tiny())
    await fill(pool)
    const isPage = (offset: number) => offset >= zones.metadata.start && offset < zones.metadata.end
    const held = gated.hold((request, offset) => request === 'write' && isPage(offset))
    const checkpoint = pool.checkpoint()
    await held
    await put(pool, pattern(600))
    gated.open()
    await checkpoint
    flip(device, batchesOn(device.bytes).at(-1)!.offset)
    await expectRefused(device, 'ERR_CORRUPT', /was durable up to/)
  })

  test('i: is refused when its newest superblock is lost in both rings', async () => {
    const device = await killed()
    for (const { offset } of superblocksOn(device).filter(({ serial }) => serial === 2)) flip(device, offset + 40)
    await expectRefused(device, 'ERR_CORRUPT', /superblock 2 is lost/)
  })

  test.each([
    ['front', 0],
    ['rear', 1],
  ])('opens when the whole %s ring is lost', async (_, ring) => {
    const device = await killed()
    const offset = zones.rings[ring]!
    device.bytes.fill(0xa5, offset, offset + TINY_FORMAT.ringSlots * zones.blockBytes)
    await expectCut(device, RECORDS, { verdict: 'complete' })
  })

  test.each([
    ['front ring', zones.rings[0]],
    ['rear ring', zones.rings[1]],
    ['front guard', zones.guards[0]],
    ['rear guard', zones.guards[1]],
  ])('opens when its %s cannot be read', async (_, unreadable) => {
    const device = await killed()
    const read: Device['read'] = async (offset, target) => {
      const touches = offset <= unreadable && offset + target.length > unreadable
      if (touches) throw new PoolError('ERR_IO', 'a sector cannot be read')
      await device.read(offset, target)
    }
    const failing: Device = {
      copies: 1,
      limits: device.limits,
      read,
      write: (offset, source) => device.write(offset, source),
      flush: () => device.flush(),
      close: () => device.close(),
    }
    expect(await contents(await openDevice(failing, tiny()))).toEqual(expectation(RECORDS))
  })

  test('is refused when both rings are lost', async () => {
    const device = await killed()
    for (const offset of zones.rings) device.bytes.fill(0, offset, offset + TINY_FORMAT.ringSlots * zones.blockBytes)
    await expectRefused(device, 'ERR_CORRUPT', /no valid superblock/)
  })

  test.each([
    ['front', 0],
    ['rear', 1],
  ])('opens whichever bit of the %s guard has rotted', async (_, end) => {
    const device = await killed()
    const guard = zones.guards[end]!
    for (let bit = 0; bit < zones.blockBytes * 8; bit++) {
      device.bytes[guard + (bit >>> 3)]! ^= 1 << (bit & 7)
      expect(await readGuard(device)).toMatchObject({ pool: identity().pool, format: TINY_FORMAT })
      device.bytes[guard + (bit >>> 3)]! ^= 1 << (bit & 7)
    }
    device.bytes.fill(0, guard, guard + zones.blockBytes)
    await expectCut(device, RECORDS, { verdict: 'complete' })
  })

  test('is none when both guards are lost', async () => {
    const device = await killed()
    for (const guard of zones.guards) flip(device, guard)
    await expectRefused(device, 'ERR_FORMAT', /holds no pool/)
  })

  test.each([512, 1024, 4096, 65_024])('is none on a device of %i bytes', async (bytes) => {
    await expectRefused(new MemoryDevice(bytes), 'ERR_FORMAT', /holds no pool/)
  })
})

function superblocksOn(device: MemoryDevice): { serial: number; offset: number }[] {
  const slots = Array.from({ length: TINY_FORMAT.ringSlots }, (_, slot) => slot * zones.blockBytes)
  const offsets = zones.rings.flatMap((ring) => slots.map((slot) => ring + slot))
  return offsets.flatMap((offset) => {
    const found = decodeSuperblock(device.bytes.subarray(offset, offset + zones.blockBytes), identity().pool)
    return found ? [{ serial: found.serial, offset }] : []
  })
}

describe('a journal that goes on in another segment', () => {
  /** A pool that was killed once its journal had `count` segments, each with `width` transactions in a batch. */
  async function segmented(count: number, width: number): Promise<MemoryDevice> {
    const device = await formatted()
    const pool = await openDevice(device, tiny({ tuning: { inlineBytesMax: 2600 } }))
    while (pool.status().segments < count) {
      await Promise.all(Array.from({ length: width }, (_, i) => put(pool, pattern(i === 0 ? 1900 : 2500))))
    }
    return device
  }

  /** Offsets of the headers of its segments, in order. */
  const segmentsOn = (device: MemoryDevice) => [
    ...new Set(batchesOn(device.bytes).map(({ segmentOffset }) => segmentOffset)),
  ]

  test('d: is refused when the header of a segment has rotted', async () => {
    const device = await segmented(4, 1)
    for (const offset of segmentsOn(device).slice(0, -1)) {
      flip(device, offset)
      await expectRefused(device, 'ERR_CORRUPT')
      flip(device, offset)
    }
  })

  test('d: is refused when the header of a segment has rotted that holds one batch', async () => {
    const device = await segmented(4, 2)
    const segments = segmentsOn(device)
    const inSegment = (offset: number) =>
      batchesOn(device.bytes).filter(({ segmentOffset }) => segmentOffset === offset)
    expect(segments.map((offset) => inSegment(offset).length)).toEqual([1, 1, 1, 1])
    for (const offset of segments.slice(0, -1)) {
      flip(device, offset)
      await expectRefused(device, 'ERR_CORRUPT')
      flip(device, offset)
    }
  })

  test.each([1, 2])('d: is refused when the last batch of a segment has rotted (%i in a batch)', async (width) => {
    const device = await segmented(4, width)
    const batches = batchesOn(device.bytes)
    const lasts = batches.filter(({ segmentOffset }, i) => batches[i + 1]?.segmentOffset !== segmentOffset)
    expect(lasts.length).toBe(4)
    for (const { offset } of lasts.slice(0, -1)) {
      flip(device, offset)
      await expectRefused(device, 'ERR_CORRUPT')
      flip(device, offset)
    }
  })

  test('e: is cut, and that is reported, where the header of the last segment was lost and its batch was not', async () => {
    const device = await segmented(4, 2)
    const lost = batchesOn(device.bytes).at(-1)!
    device.bytes.fill(0, lost.segmentOffset, lost.segmentOffset + zones.blockBytes)
    await expectCut(device, lost.header.firstSequence - 1, { verdict: 'reordered-tail', batchesDropped: 1 })
  })

  test('f: is complete where the last segment has a header only', async () => {
    const device = await segmented(4, 2)
    const { header, offset, bytes } = batchesOn(device.bytes).at(-1)!
    device.bytes.fill(0, offset, offset + bytes)
    await expectCut(device, header.firstSequence - 1, { verdict: 'complete' })
  })
})

describe('h: a leftover at the end of the journal is no batch of it', () => {
  /** A pool that was killed after its last batch, and that batch's bytes, which the device holds no more. */
  async function torn(): Promise<{ device: MemoryDevice; offset: number; leftover: Buffer }> {
    const device = await killed()
    const { offset, bytes } = batchesOn(device.bytes).at(-1)!
    const leftover = Buffer.from(device.bytes.subarray(offset, offset + bytes))
    device.bytes.fill(0, offset, offset + bytes)
    return { device, offset, leftover }
  }

  test('that an earlier epoch wrote', async () => {
    const { device, offset, leftover } = await torn()
    await openDevice(device, tiny())
    leftover.copy(device.bytes, offset)
    await expectCut(device, RECORDS - 1, { verdict: 'complete', batchesDropped: 0 })
  })

  test('that an earlier epoch wrote, and that lies beyond the end', async () => {
    const { device, offset, leftover } = await torn()
    const fourth = batchesOn(device.bytes).at(-1)!
    device.bytes.fill(0, fourth.offset, fourth.offset + fourth.bytes)
    await openDevice(device, tiny())
    leftover.copy(device.bytes, offset)
    await expectCut(device, RECORDS - 2, { verdict: 'complete', batchesDropped: 0 })
  })

  test('that belongs elsewhere in the journal', async () => {
    const { device, offset } = await torn()
    const first = batchesOn(device.bytes)[0]!
    device.bytes.copy(device.bytes, offset, first.offset, first.offset + first.bytes)
    await expectCut(device, RECORDS - 1, { verdict: 'complete', batchesDropped: 0 })
  })

  test('that follows from another batch than the one before it', async () => {
    const { device, offset } = await torn()
    const other = await formatted()
    const pool = await openDevice(other, tiny())
    for (const length of [100, 600, 3000, 50]) await put(pool, pattern(length, 2))
    await put(pool, pattern(600, 2))
    const stray = batchesOn(other.bytes).at(-1)!
    expect(stray.offset).toBe(offset)
    other.bytes.copy(device.bytes, offset, offset, offset + stray.bytes)
    await expectCut(device, RECORDS - 1, { verdict: 'torn-tail', batchesDropped: 0 })
  })
})

describe('what a client wrote where the journal goes on', () => {
  /** A batch as one would forge it who does not know the pool: valid in all but that. */
  function forged(lsn: number, known: { superblockSerial: number; durableLsn: number }): Buffer {
    const block = Buffer.alloc(TINY_FORMAT.blockBytes)
    const counts = { firstSequence: 2, blocks: 1, entryBytes: 0, entries: 0, seal: true }
    encodeBatchHeader(block, { previous: Buffer.alloc(32), lsn, epoch: 1, ...known, ...counts }, identity(7).pool)
    return block
  }

  test.each([
    ['of a later superblock, at the end', 0, { superblockSerial: 99, durableLsn: 0 }],
    ['that knows lost history, after the end', 1, { superblockSerial: 1, durableLsn: 99 }],
  ])('is no batch %s', async (_, blocks, known) => {
    const device = await formatted()
    const pool = await openDevice(device, tiny())
    await put(pool, pattern(100))
    const { offset, bytes, header } = batchesOn(device.bytes).at(-1)!
    const lsn = header.lsn + header.blocks + blocks
    device.bytes.set(forged(lsn, known), offset + bytes + blocks * TINY_FORMAT.blockBytes)
    const reopened = await openDevice(device, tiny())
    expect(reopened.status().recovery.verdict).toBe('complete')
    expect(await contents(reopened)).toEqual(['record 1'])
  })
})
