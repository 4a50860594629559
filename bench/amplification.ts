import { aim } from './aims.ts'
import { rateOf, SCALE } from './loops.ts'
import { type CountedPool, countsOf, freshPool, store } from './pools.ts'
import { printTable } from './table.ts'

const IN_FLIGHT = 64
const KIB = 1024
const FRESH_BYTES = 256 * 2 ** 20 * SCALE
const FILL = 0.7
/** How often what is alive is overwritten: until the steady state, and while it is measured. */
const TURNS = { before: 1, measured: 0.5 }
/** A pool of many segments in miniature: the reserve is 8 of them, whatever its size. */
const SEGMENT_BYTES = 8 * 2 ** 20 * SCALE
const MEAN_BYTES = 10 * KIB
/** What stays of each object for ever, overwritten or not. */
const RECORD_BYTES = 480
const CHUNK = Buffer.alloc(16 * KIB, 3)

/** A generator of numbers from 0 to below 1 (mulberry32): the same objects in every run. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Objects from 4 to 16 KiB, each of which is overwritten at random. */
class Overwritten {
  readonly #counted: CountedPool
  readonly #random = random(20_261)
  readonly #alive: { sequence: number; bytes: number }[] = []
  payloadBytes = 0

  constructor(counted: CountedPool) {
    this.#counted = counted
  }

  get liveBytes(): number {
    return this.#alive.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  #size(): number {
    return Math.floor(4 * KIB + this.#random() * 12 * KIB)
  }

  async fill(count: number): Promise<void> {
    await rateOf(IN_FLIGHT, count, async () => {
      const size = this.#size()
      this.#alive.push({ sequence: await store(this.#counted, CHUNK, size), bytes: size })
    })
  }

  /** Overwrites objects at random, until as many bytes were written as are alive, `turns` times; payload bytes per second. */
  async overwrite(turns: number): Promise<number> {
    const count = Math.floor(turns * this.#alive.length)
    const before = this.payloadBytes
    const perSecond = await rateOf(IN_FLIGHT, count, () => this.#overwriteOne())
    return (perSecond * (this.payloadBytes - before)) / count
  }

  /** An object that is being overwritten is out of the list, so that no two do it at once. */
  async #overwriteOne(): Promise<void> {
    const at = Math.floor(this.#random() * this.#alive.length)
    const old = this.#alive[at]!
    this.#alive[at] = this.#alive.at(-1)!
    this.#alive.pop()
    const bytes = this.#size()
    this.payloadBytes += bytes
    const sequence = await store(this.#counted, CHUNK, bytes, [{ sequence: old.sequence, payload: 0 }])
    this.#alive.push({ sequence, bytes })
  }
}

async function freshWrites(path: string): Promise<{ ratio: number; rate: number }> {
  const counted = await freshPool([path])
  const before = countsOf(counted).bytesWritten
  const count = FRESH_BYTES / CHUNK.length
  const rate = await rateOf(IN_FLIGHT, count, () => store(counted, CHUNK, CHUNK.length))
  const ratio = (countsOf(counted).bytesWritten - before) / FRESH_BYTES
  await counted.pool.close()
  return { ratio, rate: rate * CHUNK.length }
}

/** Filled so that payloads and records take FILL of what the pool holds when half of what is measured is done. */
async function overwrites(path: string): Promise<{ ratio: number; rate: number; text: string }> {
  const counted = await freshPool([path], {}, { segmentBytes: SEGMENT_BYTES })
  const { pool } = counted
  const room = pool.status().bytes - pool.limits.reserveBytes
  const objects = new Overwritten(counted)
  await objects.fill(Math.floor((FILL * room) / (MEAN_BYTES + RECORD_BYTES * (1 + TURNS.before + TURNS.measured / 2))))
  await objects.overwrite(TURNS.before)
  const before = { ...countsOf(counted), payload: objects.payloadBytes }
  const rate = await objects.overwrite(TURNS.measured)
  const ratio = (countsOf(counted).bytesWritten - before.bytesWritten) / (objects.payloadBytes - before.payload)
  const { position, checkpoints } = pool.status()
  const records = position.sequence * RECORD_BYTES
  const share = (part: number) => `${((100 * part) / room).toFixed(0)} %`
  const text = `${share(objects.liveBytes)} payloads, ${share(records)} records, ${checkpoints} checkpoints`
  await pool.close()
  return { ratio, rate, text }
}

/** Bytes that go to the device for each byte of payload, records, padding, pages and compaction included. */
export async function measureAmplification(path: string): Promise<void> {
  const fresh = await freshWrites(path)
  const steady = await overwrites(path)
  console.log(`\nWrite amplification, ${IN_FLIGHT} in flight`)
  printTable(
    ['', 'bytes written / payload', 'payload MB/s', ''],
    [
      ['16 KiB, nothing deleted', fresh.ratio.toFixed(3), (fresh.rate / 1e6).toFixed(0), ''],
      ['4 to 16 KiB, overwritten at random', steady.ratio.toFixed(3), (steady.rate / 1e6).toFixed(0), steady.text],
    ],
  )
  aim('write amplification 16 KiB: ≤ 1.3', fresh.ratio.toFixed(3), fresh.ratio <= 1.3)
  aim('write amplification 4 to 16 KiB, overwritten at 70 % fill: ≤ 2.5', steady.ratio.toFixed(3), steady.ratio <= 2.5)
}
