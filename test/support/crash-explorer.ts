import assert from 'node:assert/strict'
import {
  type Format,
  type Mutations,
  type OpenOptions,
  openDevices,
  type Pool,
  PoolError,
  type PoolRecord,
  type Tuning,
} from '../../pool/index.ts'
import { type Fault, type Request, SECTOR_BYTES, type TraceEvent } from './crash-device.ts'
import { type CrashState, crashStates } from './crash-enumerator.ts'
import { DeviceArray, ONE_DEVICE } from './device-array.ts'
import { type Expectation, Ledger, releaseOf } from './pool-ledger.ts'
import { type Random, seededRandom } from './random.ts'
import { TINY_BYTES, TINY_FORMAT, tiny } from './tiny-pool.ts'
import { EVERYTHING, type Mark, type Mix, Workload } from './workload.ts'

/** How one seed is explored. */
export interface Plan {
  /** Steps before anything is recorded. */
  readonly warmUp: number
  /** Steps whose every crash is played, and, for each further number, steps after recovering from such a crash. */
  readonly steps: readonly number[]
  /** Crash states from which the next level goes on: one in so many. */
  readonly descendEvery: number
  readonly tears: number
  readonly exhaustiveMax: number
  readonly liveBytesMax: number
  readonly mix?: Mix
  /** Another one while warming up. */
  readonly warmUpMix?: Mix
  readonly tuning?: Partial<Tuning>
}

/** What a crash did that it must not, with all that is needed to see it again. */
export class Violation extends Error {}

/** Plays every crash of random runs against the invariants of POOL §10, again inside each recovery. */
export class CrashExplorer {
  readonly #array: DeviceArray
  readonly #format: Format
  readonly #mutations: Mutations
  #random: Random = seededRandom(0)
  #plan!: Plan
  #path: string[] = []
  /** Distinct crash states recovered. */
  states = 0
  /** Once it says so, what is left of a seed is passed over. */
  isDone: () => boolean = () => false

  constructor(
    mutations: Mutations = new Set(),
    deviceBytes = TINY_BYTES,
    format = TINY_FORMAT,
    arrangement = ONE_DEVICE,
  ) {
    this.#array = new DeviceArray(deviceBytes, arrangement)
    this.#format = format
    this.#mutations = mutations
  }

  /** Throws a Violation. */
  async explore(seed: number, plan: Plan): Promise<void> {
    this.#random = seededRandom(seed)
    this.#plan = plan
    this.#path = [`seed ${seed}`]
    this.#array.medium.rollback(0)
    try {
      await this.#array.format(this.#format)
      const ledger = new Ledger()
      const pool = await this.#array.open(this.#options)
      await this.#workload(pool, ledger, plan.warmUp, plan.warmUpMix)
      await this.#level(0, ledger.upTo(pool.position.sequence))
    } catch (error) {
      throw new Violation(`${this.#path.join(' / ')}: ${(error as Error).stack}`, { cause: error })
    }
  }

  get #options(): OpenOptions {
    const { tuning } = this.#plan
    return tiny({ mutations: this.#mutations, ...(tuning ? { tuning } : {}) })
  }

  async #workload(
    pool: Pool,
    ledger: Ledger,
    steps: number,
    mix = this.#plan.mix ?? EVERYTHING,
    mark: (mark: Mark) => void = () => {},
  ): Promise<void> {
    const { liveBytesMax } = this.#plan
    await new Workload({ pool, ledger, random: this.#random, liveBytesMax, mix, mark }).run(steps)
  }

  /**
   * Recovers, goes on for some steps, and plays every crash on the way; a leg of a mirror may fail meanwhile. The medium
   * is left as it was found. While member `stale` is out of use no other may fail.
   */
  async #level(depth: number, ledger: Ledger, acknowledged = ledger.sequence, stale?: number): Promise<void> {
    const array = this.#array
    const start = array.medium.mark()
    const leg = stale ?? this.#random.below(array.windows.length)
    const failing = array.isMirrored && this.#random.chance(LEG_FAILS) ? this.#legFails() : undefined
    const before = array.isMirrored ? Buffer.from(array.medium.bytes) : undefined
    if (failing) this.#path.push(`${failing.request} ${failing.number} of member ${leg} fails`)
    const devices = array.recorded<Mark>(this.#random, (member) => (member === leg ? failing?.fault : undefined))
    const [first] = devices
    const quiet = () => Promise.all(devices.map((device) => device.quiet()))
    const pool = await openDevices(devices, this.#options)
    const durable = ledger.sequence
    first!.mark({ kind: 'ack', sequence: durable })
    await verify(pool, ledger.expect(), this.#random)
    await this.#workload(pool, ledger, this.#plan.steps[depth]!, this.#plan.mix, (mark) => first!.mark(mark))
    await quiet()
    await verify(pool, ledger.expect(), this.#random)
    array.medium.rollback(start)
    const { trace } = first!
    const victim = failing || stale !== undefined ? leg : undefined
    const mishap = before && { before, victim }
    await this.#crashes(depth, trace, new Bounds(trace, ledger, durable, acknowledged), ledger, mishap)
    if (failing) this.#path.pop()
  }

  /** One request of one leg fails, some way into the run. */
  #legFails(): { request: Request; number: number; fault: Fault } {
    const request = this.#random.pick(['write', 'flush'] as const)
    const at = 1 + this.#random.below(request === 'write' ? 30 : 12)
    const fault: Fault = (asked, number) => {
      if (asked === request && number === at) throw new PoolError('ERR_IO', `${request} ${at} fails`)
    }
    return { request, number: at, fault }
  }

  async #crashes(
    depth: number,
    trace: readonly TraceEvent<Mark>[],
    bounds: Bounds,
    ledger: Ledger,
    mishap?: Mishap,
  ): Promise<void> {
    const { exhaustiveMax, tears, descendEvery, steps } = this.#plan
    const seen = new Set(['0 writes'])
    const options = { random: this.#random, exhaustiveMax, tears: depth === 0 ? tears : 1 }
    for (const state of crashStates(this.#array.medium, trace, options)) {
      bounds.advance(state.boundary)
      if (seen.has(state.name)) continue
      seen.add(state.name)
      if (this.isDone()) continue
      this.states++
      this.#path.push(`boundary ${state.boundary} of ${trace.length}, ${state.name}, ${bounds}`)
      const { sequence, stale } = await this.#recover(ledger, bounds)
      bounds.remember(state, sequence)
      if (mishap && this.#random.chance(MISHAPS)) await this.#recoverAfter(mishap, ledger, bounds)
      const descend = depth + 1 < steps.length && this.#random.below(descendEvery) === 0
      if (descend) await this.#level(depth + 1, ledger.upTo(sequence), bounds.acknowledged, stale)
      this.#path.pop()
    }
    bounds.advance(trace.length)
  }

  async #recover(ledger: Ledger, bounds: Bounds, amiss?: { without: number | undefined }) {
    const { medium } = this.#array
    const start = medium.mark()
    const options = { ...this.#options, degraded: amiss !== undefined }
    const pool = await this.#array.open(options, amiss?.without)
    const { sequence } = pool.position
    bounds.check(sequence, amiss ? bounds.acknowledged : bounds.shown)
    await verify(pool, ledger.expect(sequence), this.#random)
    if (this.#random.below(8) === 0) {
      const again = await this.#array.open(options, amiss?.without)
      await verify(again, ledger.expect(sequence), this.#random)
    }
    medium.rollback(start)
    const stale = pool.status().members.findIndex(({ state }) => state !== 'in-sync')
    return { sequence, stale: stale < 0 ? undefined : stale }
  }

  /** On top of the crash one leg is gone, has rotted, or had lied about every flush since the run began. */
  async #recoverAfter({ before, victim }: Mishap, ledger: Ledger, bounds: Bounds): Promise<void> {
    const { medium, windows } = this.#array
    const leg = victim ?? this.#random.below(windows.length)
    const { start: from, size } = windows[leg]!
    const start = medium.mark()
    const kind = this.#random.pick(['lost', 'rotten', 'lying'] as const)
    this.#path.push(`member ${leg} is ${kind}`)
    if (kind === 'lying') medium.write(from, before.subarray(from, from + size))
    if (kind === 'rotten') {
      for (let sectors = 1 + this.#random.below(ROTTEN_SECTORS_MAX); sectors > 0; sectors--) {
        const sector = this.#random.below(windows[leg]!.size / SECTOR_BYTES)
        medium.write(windows[leg]!.start + sector * SECTOR_BYTES, this.#random.bytes(SECTOR_BYTES))
      }
    }
    await this.#recover(ledger, bounds, { without: kind === 'lost' ? leg : undefined })
    this.#path.pop()
    medium.rollback(start)
  }
}

/** Runs in which a leg of a mirror fails, and crash states with something else amiss; one in so many as this says. */
const LEG_FAILS = 0.3
const MISHAPS = 0.4
const ROTTEN_SECTORS_MAX = 40

/** What the medium held when the run began; and the one leg with which something may be amiss, where others are needed. */
interface Mishap {
  readonly before: Buffer
  readonly victim: number | undefined
}

/** Which records must be there, and which may, as the run goes on: acknowledged ⊆ recovered ⊆ acknowledged ∪ in flight. */
class Bounds {
  readonly #trace: readonly TraceEvent<Mark>[]
  readonly #ledger: Ledger
  /** States recovered that a crash at this moment may still leave. */
  #possible: { readonly state: CrashState; readonly sequence: number }[] = []
  #at = 0
  /** What clients have been told is durable. */
  acknowledged: number
  /** What came back from the medium as it was when the run began; on one leg of a mirror alone it may not be. */
  shown: number
  #drafted: number

  /** Records up to `shown` were found when the run began, and those up to `acknowledged` must have been. */
  constructor(trace: readonly TraceEvent<Mark>[], ledger: Ledger, shown: number, acknowledged: number) {
    this.#trace = trace
    this.#ledger = ledger
    this.acknowledged = acknowledged
    this.shown = shown
    this.#drafted = shown
  }

  toString(): string {
    return `acknowledged ${this.acknowledged}, drafted ${this.#drafted}`
  }

  advance(boundary: number): void {
    for (; this.#at < boundary; this.#at++) this.#take(this.#trace[this.#at]!)
  }

  #take(event: TraceEvent<Mark>): void {
    if (event.kind === 'flush') {
      const there = ({ writes, lost }: CrashState) =>
        event.covered.every(({ number }) => number < writes && !lost.has(number))
      this.#possible = this.#possible.filter(({ state }) => there(state))
    } else if (event.kind === 'mark') {
      const { kind, sequence } = event.mark
      if (kind === 'draft') this.#drafted = Math.max(this.#drafted, sequence)
      else this.#acknowledge(sequence)
    }
  }

  #acknowledge(sequence: number): void {
    this.acknowledged = Math.max(this.acknowledged, sequence)
    this.shown = Math.max(this.shown, sequence)
    for (const { state, sequence: recovered } of this.#possible) {
      assert(recovered >= sequence, `record ${sequence} is acknowledged, but ${state.name} has ${recovered} only`)
    }
  }

  check(sequence: number, least: number): void {
    assert(sequence >= least, `${sequence} records came back, ${least} were acknowledged`)
    assert(sequence <= this.#drafted, `${sequence} records came back, ${this.#drafted} were ever begun`)
    assert(this.#ledger.endsTransaction(sequence), `record ${sequence} came back in the middle of its transaction`)
  }

  remember(state: CrashState, sequence: number): void {
    this.#possible.push({ state, sequence })
  }
}

/** The pool shows what is expected, the whole of it and nothing else. */
export async function verify(pool: Pool, expected: Expectation, random: Random): Promise<void> {
  const { sequence, records, live, liveBytes } = expected
  assert.equal(pool.position.sequence, sequence, 'last sequence')
  if (random.below(6) === 0) {
    let next = 1
    for await (const record of pool.replay(next)) verifyRecord(record, records, next++)
    assert.equal(next, sequence + 1, 'records replayed')
  } else {
    // What a crash can harm is new; a replay reads a segment from its start.
    for (let next = Math.max(1, sequence - 6); next <= sequence; next++) {
      verifyRecord(await pool.record(next), records, next)
    }
  }
  const report = await pool.check()
  assert.deepEqual(report, { records: sequence, payloadBytes: liveBytes, findings: [] })
  await verifyPayloads(pool, live, random)
}

function verifyRecord(record: PoolRecord, records: Expectation['records'], sequence: number): void {
  const { content, payloads } = records[sequence - 1]!
  assert.equal(record.sequence, sequence, 'order of records')
  assert(content.equals(record.content), `record ${sequence} has other content`)
  const same =
    payloads.length === record.payloads.length && payloads.every(({ length }, i) => length === record.payloads[i])
  assert(same, `record ${sequence} has other payloads`)
}

const PAYLOADS_READ = 3

/** check() has verified every byte; a few payloads are compared with what was written, the newest among them. */
async function verifyPayloads(pool: Pool, live: Expectation['live'], random: Random): Promise<void> {
  const keys = [...live.keys()]
  const chosen = new Set(keys.slice(-2))
  while (chosen.size < Math.min(PAYLOADS_READ, keys.length)) chosen.add(random.pick(keys))
  for (const key of chosen) {
    const { sequence, payload } = releaseOf(key)
    const chunks: Uint8Array[] = []
    for await (const chunk of pool.read(sequence, payload)) chunks.push(chunk)
    assert(Buffer.concat(chunks).equals(live.get(key)!), `payload ${key} reads differently`)
  }
}

export const isNotFound = (error: unknown): boolean => error instanceof PoolError && error.code === 'ERR_NOT_FOUND'
