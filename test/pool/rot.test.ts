import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { BATCH_HEADER_BYTES, decodeBatchHeader, isDigestRight } from '../../pool/batch.ts'
import { decodeEntries } from '../../pool/batch-walk.ts'
import { MemoryDevice, type Pool, PoolError, type Sequence } from '../../pool/index.ts'
import { decodeSegmentHeader } from '../../pool/segment.ts'
import { decodeGuard, decodeSuperblock } from '../../pool/superblock.ts'
import { batchesOn, formatted, pattern, put, readAll, release } from '../support/pool-client.ts'
import { type Expectation, keyOf, Ledger } from '../support/pool-ledger.ts'
import { type Random, seededRandom, seedOf } from '../support/random.ts'
import { formatDevice, openDevice, SingleZones } from '../support/single-device.ts'
import { identity, TINY_FORMAT, tiny } from '../support/tiny-pool.ts'
import { EVERYTHING, type Mix, Workload } from '../support/workload.ts'

const DEVICE_BYTES = 224 * 1024
const BLOCK_BYTES = 512
const LIVE_BYTES_MAX = 12_000
const SEED = seedOf(11)

/** A device after some life, as it was in the middle of that, and what its pool acknowledged. */
interface Life {
  readonly device: MemoryDevice
  readonly earlier: Buffer
  readonly ledger: Ledger
}

type Ending = 'closed' | 'killed' | 'opened again and killed'

const COMMITS: Mix = { ...EVERYTHING, checkpoint: 0, goOn: 6, payloadBytes: [1, 100, 700, 700, 1500, 5000] }

/** Everything that a pool does, a checkpoint that compacts, and a journal of several segments after that. */
async function live(ending: Ending): Promise<Life> {
  const random = seededRandom(SEED)
  const device = new MemoryDevice(DEVICE_BYTES)
  await formatDevice(device, TINY_FORMAT, identity())
  const ledger = new Ledger()
  const pool = await openDevice(device, tiny({ tuning: { indexesMax: 64 } }))
  const work = (mix: Mix) => new Workload({ pool, ledger, random, liveBytesMax: LIVE_BYTES_MAX, mix, mark: () => {} })
  await work(EVERYTHING).run(12)
  await pool.checkpoint()
  const earlier = Buffer.from(device.bytes)
  const { checkpoints, segments } = pool.status()
  for (const commits = work(COMMITS); pool.status().segments < segments + 3; ) await commits.run(1)
  assert.equal(pool.status().checkpoints, checkpoints, 'several segments follow the checkpoint')
  if (ending === 'closed') await pool.close()
  if (ending === 'opened again and killed') await openDevice(device, tiny())
  return { device, earlier, ledger }
}

/** How a block may come to hold something else than what was written to it. */
const DAMAGES: Record<string, (block: Buffer, earlier: Buffer, random: Random) => void> = {
  'a bit flipped': (block, _, random) => {
    block[random.below(block.length)]! ^= 1 << random.below(8)
  },
  'nothing but zeros': (block) => block.fill(0),
  garbage: (block, _, random) => void random.bytes(block.length).copy(block),
  'what it held before its last write': (block, earlier) => void earlier.copy(block),
}

/** Where the last batch lies that nothing after it knows, and the sequence that is left without it. */
function losable(device: Buffer): (offset: number) => Sequence | undefined {
  const last = batchesOn(device).at(-1)!
  const first = last.offset === last.segmentOffset + BLOCK_BYTES ? last.segmentOffset : last.offset
  return (offset) => (offset >= first && offset < last.offset + last.bytes ? last.header.firstSequence - 1 : undefined)
}

const isCorrupt = (error: unknown): boolean => error instanceof PoolError && error.code === 'ERR_CORRUPT'

/** Reads everything that `expected` tells of, and counts what is reported damaged; nothing may differ. */
async function misses(pool: Pool, { records, live }: Expectation): Promise<number> {
  let damaged = 0
  const look = async (sight: () => Promise<void>) => {
    await sight().catch((error: unknown) => {
      if (!isCorrupt(error)) throw error
      damaged++
    })
  }
  for (const [i, { content, payloads }] of records.entries()) {
    await look(async () => {
      const record = await pool.record(i + 1)
      assert(content.equals(record.content), `record ${i + 1} has other content`)
      assert.deepEqual(
        record.payloads,
        payloads.map(({ length }) => length),
      )
    })
    for (const payload of payloads.keys()) {
      const bytes = live.get(keyOf({ sequence: i + 1, payload }))
      await look(async () => {
        const found = await readAll(pool, i + 1, payload).catch((error: unknown) => {
          if (bytes || !(error instanceof PoolError && error.code === 'ERR_NOT_FOUND')) throw error
        })
        assert(
          bytes ? found?.equals(bytes) : found === undefined,
          `payload ${payload} of record ${i + 1} reads differently`,
        )
      })
    }
  }
  await look(async () => {
    let next = 1
    for await (const { sequence, content } of pool.replay(1)) {
      assert(sequence === next && records[next - 1]!.content.equals(content), `record ${next} is replayed differently`)
      next++
    }
    assert.equal(next, records.length + 1, 'records replayed')
  })
  return damaged
}

/** What became of the pool: it is whole, or something was reported, or its last batch is missing. */
type Outcome = 'whole' | 'reported' | 'refused' | 'cut'

async function examine(device: MemoryDevice, ledger: Ledger, rest: Sequence | undefined): Promise<Outcome> {
  let pool: Pool
  try {
    pool = await openDevice(device, tiny({ tuning: { indexesMax: 64 } }))
  } catch (error) {
    assert(isCorrupt(error), error as Error)
    return 'refused'
  }
  const { sequence } = pool.position
  assert(sequence === ledger.sequence || sequence === rest, `${sequence} records of ${ledger.sequence} came back`)
  const damaged = await misses(pool, ledger.expect(sequence))
  const { findings } = await pool.check()
  assert(damaged === 0 || findings.length > 0, 'check() overlooks what a read reports')
  if (findings.length > 0) return 'reported'
  return sequence === ledger.sequence ? 'whole' : 'cut'
}

/** Damages each block in turn and looks at what is left; the device is whole again afterwards. */
async function damageEach(
  { device, earlier }: Life,
  name: string,
  look: (offset: number) => Promise<void>,
): Promise<void> {
  const random = seededRandom(SEED)
  const whole = Buffer.from(device.bytes)
  for (let offset = 0; offset < DEVICE_BYTES; offset += BLOCK_BYTES) {
    const end = offset + BLOCK_BYTES
    DAMAGES[name]!(device.bytes.subarray(offset, end), earlier.subarray(offset, end), random)
    try {
      await look(offset)
    } catch (error) {
      throw new Error(`the block at ${offset} holds ${name}, seed ${SEED}`, { cause: error })
    }
    whole.copy(device.bytes)
  }
}

const CASES: [Ending, string][] = [
  ...Object.keys(DAMAGES).flatMap((damage): [Ending, string][] => [
    ['closed', damage],
    ['killed', damage],
  ]),
  ['opened again and killed', 'nothing but zeros'],
]

test.each(CASES)(
  `a pool that was %s loses nothing in silence when a block holds %s (seed ${SEED})`,
  async (ending, damage) => {
    const life = await live(ending)
    const rest = ending === 'killed' ? losable(life.device.bytes) : () => undefined
    const outcomes = new Set<Outcome>()
    await damageEach(life, damage, async (offset) => {
      outcomes.add(await examine(life.device, life.ledger, rest(offset)))
    })
    expect([...outcomes]).toEqual(expect.arrayContaining(['whole', 'reported', 'refused']))
    if (ending !== 'killed') expect(outcomes).not.toContain('cut')
  },
)

test(`a pool that is open reads nothing from a block that holds garbage (seed ${SEED})`, async () => {
  const life = await live('killed')
  const pool = await openDevice(life.device, tiny())
  const expected = life.ledger.expect()
  let reported = 0
  await damageEach(life, 'garbage', async () => {
    const damaged = await misses(pool, expected)
    const { findings } = await pool.check()
    assert(damaged === 0 || findings.length > 0, 'check() overlooks what a read reports')
    if (findings.length > 0) reported++
  })
  expect(reported).toBeGreaterThan(50)
  expect(await misses(pool, expected)).toBe(0)
  expect((await pool.check()).findings).toEqual([])
})

describe('any flipped bit is noticed', () => {
  const { pool } = identity()

  /** The first `length` bytes of the first batch, or of its segment. */
  const batch = (device: Buffer, length: number) => device.subarray(batchesOn(device)[0]!.offset).subarray(0, length)
  const segment = (device: Buffer) => device.subarray(batchesOn(device)[0]!.segmentOffset).subarray(0, 128)
  const whole = (device: Buffer) => batch(device, BATCH_HEADER_BYTES + batchesOn(device)[0]!.header.entryBytes)
  const decodeWhole = (bytes: Buffer) => {
    const header = decodeBatchHeader(bytes, 1, pool)
    return header && isDigestRight(bytes, header, pool) ? header : undefined
  }

  test.each<[string, (device: Buffer) => Buffer, (bytes: Buffer) => unknown]>([
    ['a guard', (device) => device.subarray(0, BLOCK_BYTES), decodeGuard],
    [
      'a superblock',
      (device) => device.subarray(2 * BLOCK_BYTES, 3 * BLOCK_BYTES),
      (bytes) => decodeSuperblock(bytes, pool),
    ],
    ['a segment header', segment, (bytes) => decodeSegmentHeader(bytes, pool)],
    ['a batch header', (device) => batch(device, BATCH_HEADER_BYTES), (bytes) => decodeBatchHeader(bytes, 1, pool)],
    ['a batch', whole, decodeWhole],
  ])('of %s', async (_, find, decode) => {
    const device = await formatted()
    await put(await openDevice(device, tiny()), pattern(600))
    const bytes = find(device.bytes)
    expect(decode(bytes)).toBeDefined()
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >>> 3]! ^= 1 << (bit & 7)
      expect(decode(bytes), `bit ${bit}`).toBeUndefined()
      bytes[bit >>> 3]! ^= 1 << (bit & 7)
    }
  })
})

describe('rot in an old segment', () => {
  const PAYLOAD_BYTES = 400
  const LEFT = [7, 14, 21, 28, 35, 42, 49, 56]
  const DAMAGED = 21

  /** Sixty records, all but a few of which let their payload go after a byte of one batch has rotted. */
  async function sparse(place: number): Promise<{ device: MemoryDevice; pool: Pool; neighbours: Set<Sequence> }> {
    const device = new MemoryDevice(DEVICE_BYTES)
    await formatDevice(device, TINY_FORMAT, identity())
    const first = await openDevice(device, tiny())
    for (let i = 1; i <= 60; i++) await put(first, pattern(PAYLOAD_BYTES, i))
    await first.close()
    const batches = batchesOn(device.bytes)
    const { offset, segmentOffset } = batches[DAMAGED - 1]!
    device.bytes[offset + place]! ^= 1
    const pool = await openDevice(device, tiny())
    const gone = Array.from({ length: 60 }, (_, i) => i + 1).filter((sequence) => !LEFT.includes(sequence))
    for (const sequence of gone) await release(pool, { sequence, payload: 0 })
    const neighbours = batches.filter((batch) => batch.segmentOffset === segmentOffset)
    return { device, pool, neighbours: new Set(neighbours.map(({ header }) => header.firstSequence)) }
  }

  async function expectLeft(pool: Pool, damaged: ReadonlySet<Sequence>): Promise<void> {
    for (let sequence = 1; sequence <= 60; sequence++) {
      const reading = readAll(pool, sequence)
      if (damaged.has(sequence)) await expect(reading).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
      else if (LEFT.includes(sequence)) expect(await reading).toEqual(pattern(PAYLOAD_BYTES, sequence))
      else await expect(reading).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    }
    expect((await pool.check()).findings).not.toEqual([])
  }

  test('of a payload stays where it is when the others are compacted', async () => {
    const { device, pool } = await sparse(400)
    const before = pool.status().segments
    for (let i = 0; i < 3; i++) await pool.checkpoint()
    expect(pool.status()).toMatchObject({ state: 'open' })
    const { segments, historyBytes } = pool.status()
    expect([before, segments]).toEqual([12, 5])
    expect(historyBytes).toBe((segments + 1) * TINY_FORMAT.segmentBytes) // The journal's next one is taken already.
    await expectLeft(pool, new Set([DAMAGED]))
    await pool.close()
    await expectLeft(await openDevice(device, tiny()), new Set([DAMAGED]))
  })

  test('of an entry keeps what its segment let go from being freed, and hides and stops nothing else', async () => {
    const { device, pool, neighbours } = await sparse(140)
    await pool.checkpoint()
    await expectLeft(pool, neighbours)
    await put(pool, pattern(100))
    await pool.close()
    await expectLeft(await openDevice(device, tiny()), neighbours)
  })

  test('of one manifest of a payload that is let go frees none of it, and the payload is gone all the same', async () => {
    const device = new MemoryDevice(DEVICE_BYTES)
    await formatDevice(device, TINY_FORMAT, identity())
    const zones = new SingleZones(DEVICE_BYTES, TINY_FORMAT)
    const first = await openDevice(device, tiny())
    const sequence = await put(first, pattern(100_000))
    const { extentBytes } = first.status()
    await first.close()
    const { offset, header } = batchesOn(device.bytes)[0]!
    const payload = decodeEntries(device.bytes.subarray(offset), header)[0]!.entry.payloads[0]!
    assert(payload.form === 'extents' && payload.depth === 1 && payload.extents.length === 2)
    device.bytes[zones.unitOffset(payload.extents[1]!.unit)]! ^= 1
    let pool = await openDevice(device, tiny())
    await release(pool, { sequence, payload: 0 })
    for (let life = 0; life < 2; life++) {
      await pool.checkpoint()
      expect(pool.status()).toMatchObject({ state: 'open', extentBytes })
      await expect(readAll(pool, sequence)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
      const other = await put(pool, pattern(5000, life))
      expect(await readAll(pool, other)).toEqual(pattern(5000, life))
      await release(pool, { sequence: other, payload: 0 })
      await pool.close()
      pool = await openDevice(device, tiny())
    }
    expect((await pool.check()).findings).not.toEqual([])
  })
})
