import assert from 'node:assert/strict'
import { type Draft, type Pool, PoolError, type Sequence, type Transaction } from '../../pool/index.ts'
import { CrashDevice, Medium, MediumDevice, type RecordedWrite, type Request, SECTOR_BYTES } from './crash-device.ts'
import { verify } from './crash-explorer.ts'
import { Ledger, type LedgerRecord } from './pool-ledger.ts'
import { type Random, seededRandom } from './random.ts'
import { formatDevice, openDevice } from './single-device.ts'
import { identity, TINY_FORMAT, tiny } from './tiny-pool.ts'
import { EVERYTHING, type Mark, type Mix, Workload } from './workload.ts'

/** A nearly full device: whatever is given back is taken at once. */
export const FAULT_BYTES = 160 * 1024
const LIVE_BYTES_MAX = 30_000
const WARM_UP_STEPS = 8
const STEPS = 6

/** One operation a client: when one of them fails, the others are done as soon as the device is quiet. */
const MIX: Mix = { ...EVERYTHING, runs: [1] }

/** The request that fails: its kind, and its number among those of its kind, from 1 on. */
export interface Fault {
  request: Request
  number: number
}

/** How a pool goes on after a failure. */
export type Outcome = 'not opened' | 'open' | 'halted'

/** Where every run of a seed begins: a medium with some life on it, the mark to roll back to, and its records. */
export interface Start {
  readonly seed: number
  readonly medium: Medium
  readonly mark: number
  readonly records: readonly LedgerRecord[]
}

export async function warmUp(seed: number): Promise<Start> {
  const medium = new Medium(FAULT_BYTES)
  await formatDevice(new MediumDevice(medium), TINY_FORMAT, identity())
  const ledger = new Ledger()
  const pool = await openDevice(new MediumDevice(medium), tiny())
  await workloadOf(pool, ledger, seededRandom(seed), () => {}).run(WARM_UP_STEPS)
  return { seed, medium, mark: medium.mark(), records: ledger.expect(pool.position.sequence).records }
}

function workloadOf(pool: Pool, ledger: Ledger, random: Random, mark: (mark: Mark) => void): Workload {
  return new Workload({ pool, ledger, random, liveBytesMax: LIVE_BYTES_MAX, mix: MIX, mark })
}

/** A ledger that keeps what was begun when the pool halted: nobody knows what became of that. */
class FaultLedger extends Ledger {
  pool: Pool | undefined

  override withdraw(first: Sequence, records: readonly LedgerRecord[]): void {
    if (this.pool?.status().state !== 'halted') super.withdraw(first, records)
  }
}

/** What a failure may leave of the writes that no flush has covered. */
const LEAVINGS: readonly ((write: RecordedWrite, random: Random) => Buffer | undefined)[] = [
  ({ data }) => data,
  () => undefined,
  ({ data }, random) => (random.chance(0.5) ? data : undefined),
  ({ data }, random) => data.subarray(0, random.below(data.length / SECTOR_BYTES + 1) * SECTOR_BYTES),
]

/** What a client may be told once the medium has failed. */
const FAILURES = new Set(['ERR_IO', 'ERR_HALTED', 'ERR_OUTCOME_UNKNOWN'])

export const codeOf = (error: unknown): string => (error instanceof PoolError ? error.code : String(error))

/** Some life on a medium of which one request fails, and what is there when the pool is opened again. */
export class FaultRun {
  readonly device: CrashDevice<Mark>
  readonly #start: Start
  readonly #fault: Fault | undefined
  readonly #ledger: FaultLedger
  readonly #random: Random
  #acknowledged: Sequence
  #failed = false

  constructor(start: Start, fault?: Fault) {
    this.#start = start
    this.#fault = fault
    this.#ledger = new FaultLedger(start.records)
    this.#random = seededRandom(start.seed)
    this.#acknowledged = start.records.length
    this.device = new CrashDevice<Mark>(start.medium, {
      random: this.#random,
      fault: (request, number) => {
        if (request !== fault?.request || number !== fault.number) return
        this.#failed = true
        throw new PoolError('ERR_IO', `${request} ${number} fails`)
      },
    })
  }

  /** Lives on, however much of it fails. The medium is left as it was found. */
  async play(): Promise<Outcome> {
    try {
      const pool = await openDevice(this.device, tiny()).catch((error: unknown) => this.#expectFailure(error))
      const outcome = pool ? await this.#live(pool) : 'not opened'
      for (const leave of LEAVINGS) await this.#reopen(leave)
      return outcome
    } finally {
      this.#start.medium.rollback(this.#start.mark)
    }
  }

  #expectFailure(error: unknown): void {
    assert(this.#failed && FAILURES.has(codeOf(error)), error as Error)
  }

  async #live(pool: Pool): Promise<Outcome> {
    this.#ledger.pool = pool
    const early = pool.begin()
    const workload = workloadOf(pool, this.#ledger, this.#random, (mark) => {
      if (mark.kind === 'ack') this.#acknowledged = Math.max(this.#acknowledged, mark.sequence)
      this.device.mark(mark)
    })
    for (let step = 0; step < STEPS; step++) {
      await workload.run(1).catch((error: unknown) => this.#expectFailure(error))
      await this.device.quiet()
    }
    const halted = pool.status().state === 'halted'
    await (halted ? this.#expectHalted(pool, early) : this.#expectOpen(pool))
    return halted ? 'halted' : 'open'
  }

  /** It takes nothing more, and asks nothing more of the device than to read; and it shows what was acknowledged, and no more. */
  async #expectHalted(pool: Pool, early: Transaction): Promise<void> {
    const { write, flush } = this.device.requests
    const draft: Draft = { records: [{ content: Buffer.from('late'), payloads: [] }], releases: [] }
    await rejects('ERR_HALTED', async () => pool.begin())
    await rejects('ERR_HALTED', () => early.commit(() => draft))
    await rejects('ERR_HALTED', () => pool.checkpoint())
    if (this.#fault?.request !== 'read') await verify(pool, this.#ledger.expect(this.#acknowledged), this.#random)
    await pool.close()
    assert.deepEqual([this.device.requests.write, this.device.requests.flush], [write, flush])
  }

  /** Where a release was to be worked through, a read that fails is what check() tells of. */
  async #expectOpen(pool: Pool): Promise<void> {
    if (this.#fault?.request !== 'read') await verify(pool, this.#ledger.expect(), this.#random)
  }

  /** Lays on the medium what flushes covered, and of the other writes what `leave` says. */
  async #reopen(leave: (write: RecordedWrite, random: Random) => Buffer | undefined): Promise<void> {
    const { medium, mark } = this.#start
    medium.rollback(mark)
    const covered = new Set(this.device.trace.flatMap((event) => (event.kind === 'flush' ? event.covered : [])))
    for (const event of this.device.trace) {
      if (event.kind !== 'write') continue
      const data = covered.has(event.write) ? event.write.data : leave(event.write, this.#random)
      if (data) medium.write(event.write.offset, data)
    }
    await this.#expectWhole(await openDevice(new MediumDevice(medium), tiny()))
  }

  /** Everything acknowledged is there, and nothing else but what the pool does not know, whole. */
  async #expectWhole(pool: Pool): Promise<void> {
    const { sequence } = pool.position
    const ledger = this.#ledger
    assert(sequence >= this.#acknowledged, `${sequence} records came back, ${this.#acknowledged} were acknowledged`)
    assert(sequence <= ledger.sequence, `${sequence} records came back, ${ledger.sequence} may be there`)
    assert(ledger.endsTransaction(sequence), `record ${sequence} came back in the middle of its transaction`)
    await verify(pool, ledger.expect(sequence), this.#random)
  }
}

async function rejects(code: string, action: () => Promise<unknown>): Promise<void> {
  await assert.rejects(action, (error) => codeOf(error) === code)
}
