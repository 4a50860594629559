import assert from 'node:assert/strict'
import {
  type Format,
  formatDevice,
  type Mutations,
  openDevice,
  type Pool,
  PoolError,
  type PoolRecord,
  type Tuning,
} from '../../pool/index.ts'
import { CrashDevice, Medium, MediumDevice, type TraceEvent } from './crash-device.ts'
import { type CrashState, crashStates } from './crash-enumerator.ts'
import { type Expectation, Ledger, releaseOf } from './pool-ledger.ts'
import { type Random, seededRandom } from './random.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from './tiny-pool.ts'
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
  readonly #medium: Medium
  readonly #format: Format
  readonly #mutations: Mutations
  #random: Random = seededRandom(0)
  #plan!: Plan
  #path: string[] = []
  /** Distinct crash states recovered. */
  states = 0
  /** Once it says so, what is left of a seed is passed over. */
  isDone: () => boolean = () => false

  constructor(mutations: Mutations = new Set(), deviceBytes = TINY_BYTES, format = TINY_FORMAT) {
    this.#medium = new Medium(deviceBytes)
    this.#format = format
    this.#mutations = mutations
  }

  /** Throws a Violation. */
  async explore(seed: number, plan: Plan): Promise<void> {
    this.#random = seededRandom(seed)
    this.#plan = plan
    this.#path = [`seed ${seed}`]
    this.#medium.rollback(0)
    try {
      await formatDevice(new MediumDevice(this.#medium), this.#format, identity())
      const ledger = new Ledger()
      const pool = await this.#open(new MediumDevice(this.#medium))
      await this.#workload(pool, ledger, plan.warmUp, plan.warmUpMix)
      await this.#level(0, ledger.upTo(pool.position.sequence))
    } catch (error) {
      throw new Violation(`${this.#path.join(' / ')}: ${(error as Error).stack}`, { cause: error })
    }
  }

  async #open(device: CrashDevice<Mark> | MediumDevice): Promise<Pool> {
    const { tuning } = this.#plan
    return await openDevice(device, tiny({ mutations: this.#mutations, ...(tuning ? { tuning } : {}) }))
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

  /** Recovers, goes on for some steps, and plays every crash on the way. The medium is left as it was found. */
  async #level(depth: number, ledger: Ledger): Promise<void> {
    const start = this.#medium.mark()
    const device = new CrashDevice<Mark>(this.#medium, { random: this.#random })
    const pool = await this.#open(device)
    const durable = ledger.sequence
    await verify(pool, ledger.expect(), this.#random)
    await this.#workload(pool, ledger, this.#plan.steps[depth]!, this.#plan.mix, (mark) => device.mark(mark))
    await device.quiet()
    await verify(pool, ledger.expect(), this.#random)
    this.#medium.rollback(start)
    await this.#crashes(depth, device.trace, new Bounds(device.trace, ledger, durable), ledger)
  }

  async #crashes(depth: number, trace: readonly TraceEvent<Mark>[], bounds: Bounds, ledger: Ledger): Promise<void> {
    const { exhaustiveMax, tears, descendEvery, steps } = this.#plan
    const seen = new Set(['0 writes'])
    const options = { random: this.#random, exhaustiveMax, tears: depth === 0 ? tears : 1 }
    for (const state of crashStates(this.#medium, trace, options)) {
      bounds.advance(state.boundary)
      if (seen.has(state.name)) continue
      seen.add(state.name)
      if (this.isDone()) continue
      this.states++
      this.#path.push(`boundary ${state.boundary} of ${trace.length}, ${state.name}, ${bounds}`)
      const sequence = await this.#recover(ledger, bounds)
      bounds.remember(state, sequence)
      const descend = depth + 1 < steps.length && this.#random.below(descendEvery) === 0
      if (descend) await this.#level(depth + 1, ledger.upTo(sequence))
      this.#path.pop()
    }
    bounds.advance(trace.length)
  }

  async #recover(ledger: Ledger, bounds: Bounds): Promise<number> {
    const start = this.#medium.mark()
    const pool = await this.#open(new MediumDevice(this.#medium))
    const { sequence } = pool.position
    bounds.check(sequence)
    await verify(pool, ledger.expect(sequence), this.#random)
    if (this.#random.below(8) === 0) {
      const again = await this.#open(new MediumDevice(this.#medium))
      await verify(again, ledger.expect(sequence), this.#random)
    }
    this.#medium.rollback(start)
    return sequence
  }
}

/** Which records must be there, and which may, as the run goes on: acknowledged ⊆ recovered ⊆ acknowledged ∪ in flight. */
class Bounds {
  readonly #trace: readonly TraceEvent<Mark>[]
  readonly #ledger: Ledger
  /** States recovered that a crash at this moment may still leave. */
  #possible: { readonly state: CrashState; readonly sequence: number }[] = []
  #at = 0
  #acknowledged: number
  #drafted: number

  /** Records up to `durable` were there before the run. */
  constructor(trace: readonly TraceEvent<Mark>[], ledger: Ledger, durable: number) {
    this.#trace = trace
    this.#ledger = ledger
    this.#acknowledged = durable
    this.#drafted = durable
  }

  toString(): string {
    return `acknowledged ${this.#acknowledged}, drafted ${this.#drafted}`
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
    this.#acknowledged = Math.max(this.#acknowledged, sequence)
    for (const { state, sequence: recovered } of this.#possible) {
      assert(recovered >= sequence, `record ${sequence} is acknowledged, but ${state.name} has ${recovered} only`)
    }
  }

  check(sequence: number): void {
    assert(sequence >= this.#acknowledged, `${sequence} records came back, ${this.#acknowledged} were acknowledged`)
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
