import { randomBytes } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { chooseFormat, MemoryDevice, type Pool } from '../../pool/index.ts'
import { signedHistory, type Verified, verifyPool } from '../support/custody-harness.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { formatDevice, openDevice } from '../support/single-device.ts'
import { named, putText } from '../support/store-harness.ts'

const BYTES = 24 << 20
const SEED = seedOf(1)
const POSITIONS = process.env.CENOTE_LONG_SECONDS ? 3000 : 70
const noTimers = { every: () => () => {} }

/** The device of a pool that was closed, and what a verification of it says. */
let image: Buffer
let sound: Verified
beforeAll(async () => {
  const device = new MemoryDevice(BYTES, 4096)
  await formatDevice(device, chooseFormat(BYTES), { pool: randomBytes(16), member: randomBytes(16) })
  const pool = await openDevice(device, { timers: noTimers })
  const { store, custody } = await signedHistory({ pool, before: (store) => putText(store, named('large'), LARGE) })
  await custody.close()
  // So much that the history lies in a segment that is full, which opening the pool does not read.
  for (let at = 0; at < 200; at++) await putText(store, named(`n${at % 20}`), `${at}`.repeat(4000))
  await store.close()
  await pool.close()
  image = Buffer.from(device.bytes)
  sound = (await looked(image)) as Verified
})

const LARGE = 'large payload '.repeat(12_000)

/** What a verification says of a device with these bytes; undefined when the pool does not open. */
async function looked(bytes: Buffer): Promise<Verified | undefined> {
  const device = new MemoryDevice(BYTES, 4096)
  device.bytes.set(bytes)
  let pool: Pool
  try {
    pool = await openDevice(device, { timers: noTimers })
  } catch {
    return undefined
  }
  return verifyPool(pool).finally(() => pool.close())
}

/**
 * What verifies to the very same records, bytes and last checkpoint is the very same history, for that checkpoint is
 * signed and covers it. Silence is right where what was changed is another copy of what is read, or of an earlier time:
 * rings, pages, segments that were compacted.
 */
function verdictOf(verified: Verified | undefined): string {
  if (verified === undefined) return 'the pool does not open'
  const { summary, codes } = verified
  if (!summary.sound) return `found: ${codes.join(', ')}`
  const { pool: _, ...rest } = summary
  expect(rest).toEqual({ ...sound.summary, pool: undefined })
  return 'another copy, or not in use'
}

/** Places of some kind of bytes, found by what they look like. */
const KINDS: readonly (readonly [kind: string, places: () => number[]])[] = [
  ['a large payload', () => within('large payload ', 12_000 * 14)],
  ['small payloads', () => ['second', 'bytes of c', 'bytes of d'].flatMap((text) => within(text, text.length))],
  ['records of uploads', () => recordsOf('"operation":"put"')],
  [
    'other records of objects',
    () => ['rename', 'delete', 'attributes'].flatMap((name) => recordsOf(`"operation":"${name}"`)),
  ],
  ['signed checkpoints', () => recordsOf('"operation":"checkpoint"')],
  ['keys', () => recordsOf('"operation":"key"')],
  [
    'whatever else is there',
    () => Array.from({ length: BYTES / 61 }, (_, at) => at * 61).filter((at) => image[at] !== 0),
  ],
]

function within(text: string, length: number): number[] {
  const places: number[] = []
  for (let at = image.indexOf(text); at >= 0; at = image.indexOf(text, at + length))
    for (let offset = 0; offset < length; offset++) places.push(at + offset)
  return places
}

/** The bytes of records that hold a text: from the byte of the version to the brace that closes it. */
function recordsOf(text: string): number[] {
  const places: number[] = []
  for (let at = image.indexOf(text); at >= 0; at = image.indexOf(text, at + 1)) {
    const start = image.lastIndexOf('\x01{"', at)
    for (let place = start, depth = 1; depth > 0 && place < at + 4096; place++) {
      places.push(place)
      if (image[place + 1] === 0x7b) depth += place === start ? 0 : 1
      if (image[place + 1] === 0x7d) depth -= 1
    }
  }
  return places
}

test.each(KINDS)(
  `a byte of %s that changes on the disk is found, or is not what is read (seed ${SEED})`,
  async (kind, places) => {
    const random = seededRandom(SEED)
    const all = places()
    const verdicts = new Map<string, number>()
    for (let count = 0; count < POSITIONS / KINDS.length; count++) {
      const changed = Buffer.from(image)
      changed[random.pick(all)]! ^= 1 << random.below(8)
      const verdict = verdictOf(await looked(changed))
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    }
    expect([...verdicts.keys()].some((verdict) => verdict.startsWith('found'))).toBe(true)
    console.log(`${kind}: ${[...verdicts].map(([what, times]) => `${times} × ${what}`).join('; ')}`)
  },
)
