import { randomBytes } from 'node:crypto'
import { chooseFormat, MemoryDevice, type Pool } from '../../pool/index.ts'
import { signedHistory, type Verified, verifyPool } from './custody-harness.ts'
import { formatDevice, openDevice } from './single-device.ts'
import { named, putText } from './store-harness.ts'

const BYTES = 24 << 20
const LARGE = 'large payload '.repeat(12_000)
const noTimers = { every: () => () => {} }

/** The device of a pool that was closed, and what a verification says of it when some byte was changed. */
export class TamperedDisk {
  readonly image: Buffer
  readonly #sound: Verified

  private constructor(image: Buffer, sound: Verified) {
    this.image = image
    this.#sound = sound
  }

  static async make(): Promise<TamperedDisk> {
    const device = new MemoryDevice(BYTES, 4096)
    await formatDevice(device, chooseFormat(BYTES), { pool: randomBytes(16), member: randomBytes(16) })
    const pool = await openDevice(device, { timers: noTimers })
    const { store, custody } = await signedHistory({ pool, before: (store) => putText(store, named('large'), LARGE) })
    await custody.close()
    // So much that the history lies in a segment that is full, which opening the pool does not read.
    for (let at = 0; at < 200; at++) await putText(store, named(`n${at % 20}`), `${at}`.repeat(4000))
    await store.close()
    await pool.close()
    const image = Buffer.from(device.bytes)
    return new TamperedDisk(image, (await looked(image)) as Verified)
  }

  /**
   * What is said when one bit is another. What verifies to the very same records, bytes and last checkpoint is the very
   * same history, for that checkpoint is signed and covers it. Silence is right where what was changed is another copy
   * of what is read, or of an earlier time: rings, pages, segments that were compacted. Throws where it is wrong.
   */
  async verdict(at: number, bit: number): Promise<string> {
    const changed = Buffer.from(this.image)
    changed[at]! ^= 1 << bit
    const verified = await looked(changed)
    if (verified === undefined) return 'the pool does not open'
    const { summary, codes } = verified
    if (!summary.sound) return `found: ${codes.join(', ')}`
    const [rest, sound] = [summary, this.#sound.summary].map((one) => JSON.stringify({ ...one, pool: undefined }))
    if (rest !== sound) throw new Error(`bit ${bit} of byte ${at}: ${rest} is called sound, and is not ${sound}`)
    return 'another copy, or not in use'
  }

  /** Places of some kind of bytes, found by what they look like. */
  places(kind: Kind): number[] {
    return KINDS[kind](this.image)
  }
}

export type Kind = keyof typeof KINDS

const KINDS = {
  'a large payload': (image: Buffer) => within(image, 'large payload ', 12_000 * 14),
  'small payloads': (image: Buffer) =>
    ['second', 'bytes of c', 'bytes of d'].flatMap((text) => within(image, text, text.length)),
  'records of uploads': (image: Buffer) => recordsOf(image, '"operation":"put"'),
  'other records of objects': (image: Buffer) =>
    ['rename', 'delete', 'attributes'].flatMap((name) => recordsOf(image, `"operation":"${name}"`)),
  'signed checkpoints': (image: Buffer) => recordsOf(image, '"operation":"checkpoint"'),
  keys: (image: Buffer) => recordsOf(image, '"operation":"key"'),
  'whatever else is there': (image: Buffer) =>
    Array.from({ length: BYTES / 61 }, (_, at) => at * 61).filter((at) => image[at] !== 0),
} as const

export const TAMPERED_KINDS = Object.keys(KINDS) as readonly Kind[]

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

function within(image: Buffer, text: string, length: number): number[] {
  const places: number[] = []
  for (let at = image.indexOf(text); at >= 0; at = image.indexOf(text, at + length))
    for (let offset = 0; offset < length; offset++) places.push(at + offset)
  return places
}

/** The bytes of records that hold a text: from the byte of the version to the brace that closes it. */
function recordsOf(image: Buffer, text: string): number[] {
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
