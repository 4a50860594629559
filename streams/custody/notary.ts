import type { Pool, Sequence } from '../../pool/index.ts'
import type { DurableRecord } from '../catalog/catalog-port.ts'
import type { Change } from '../changes.ts'
import type { SignedBody } from '../draft.ts'
import type { Origin } from '../envelope.ts'
import type { RecordReference } from '../records/record.ts'
import type { Sequencer } from '../sequencer.ts'
import type { SigningKey } from './signed-record.ts'
import { Uncovered } from './uncovered.ts'

/** Runs a task once, after so long, unless the function returned is called before. */
export interface Timers {
  after(milliseconds: number, task: () => void): () => void
}

export interface NotaryOptions {
  readonly pool: Pool
  readonly sequencer: Sequencer
  /** The server, in whose name it signs. */
  readonly origin: Origin
  readonly timers: Timers
  readonly checkpointRecordsMax: number
  readonly checkpointMsMax: number
  /** Told why a checkpoint could not be written; it is tried again. */
  readonly onFailure: (error: unknown) => void
}

/** Signed, at the most, when a store closes. */
const CLOSING_CHECKPOINTS_MAX = 16

/** Where the stream stands with its checkpoints. */
export interface Covered {
  readonly before: RecordReference
  /** The last record that `before` covers. */
  readonly last: Sequence
}

/**
 * Signs: checkpoints of what has become durable, and the keys that follow its own.
 *
 *   IDLE ──records come──▶ WAITING ──checkpointRecordsMax of them, checkpointMsMax gone, or cover()──▶ SIGNING
 *    ▲                        ▲                                                                          │
 *    └──nothing is uncovered──┼──────────────────────────────────────────────────────────────────────────┤
 *                             └──the pool refuses: tried again after checkpointMsMax─────────────────────┘
 *
 * 1. A put waits for none of this: records are noted once they are durable, and hashed into a tree when it is signed.
 * 2. Each record is covered by one checkpoint, checkpoints and keys too; but checkpoints alone are no reason for one.
 * 3. One signature after the other, so that no key signs after the record of the key that follows it.
 */
export class Notary {
  readonly #options: NotaryOptions
  readonly #uncovered: Uncovered
  #before: RecordReference
  #key: SigningKey
  #turn: Promise<unknown> = Promise.resolve()
  #isSigning = false
  #isRefused = false
  #isOpen = true
  #closingLeft = CLOSING_CHECKPOINTS_MAX
  #disarm: (() => void) | undefined

  constructor(options: NotaryOptions, key: SigningKey, { before, last }: Covered) {
    const { pool, sequencer, checkpointRecordsMax } = options
    this.#options = options
    this.#key = key
    this.#before = before
    // While a checkpoint is being written others may come that make up the next one.
    this.#uncovered = new Uncovered(pool, 2 * checkpointRecordsMax, last, sequencer.applied)
    sequencer.observe((records) => this.#observe(records))
  }

  /** Reads what an earlier life left uncovered, as much of it as one checkpoint takes, and begins to sign. */
  async start(): Promise<void> {
    await this.#inTurn(() => this.#uncovered.fill(this.#options.checkpointRecordsMax))
    this.#await()
  }

  /** The key that signs. */
  get key(): string {
    return this.#key.id
  }

  /** Signs until the record at `sequence` is covered; those after it in its checkpoint are, too. */
  cover(sequence: Sequence): Promise<void> {
    return this.#inTurn(() => this.#checkpoints(sequence))
  }

  /** Has `next` introduced by the key that signs now, and signs with it from there on. */
  rotate(next: SigningKey, origin: Origin): Promise<void> {
    return this.#inTurn(async () => {
      await this.#checkpoints()
      await this.#write(origin, this.#introduction(next))
      this.#key = next
    })
  }

  /** Writes the record of the key that it has: the first of its stream, or of a new succession, signs itself. */
  introduce(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#write(this.#options.origin, this.#introduction(this.#key))
    })
  }

  #introduction({ id, publicKey }: SigningKey): SignedBody {
    const { pool } = this.#options.pool.position
    return { operation: 'key', id, algorithm: 'ed25519', publicKey, pool, signer: this.#key.id }
  }

  /** Signs what is uncovered, if the pool lets it, and then nothing more. */
  async close(): Promise<void> {
    this.#isOpen = false
    await this.#sign()
    this.#disarm?.()
    await this.#uncovered.close()
  }

  #observe(records: readonly DurableRecord[]): void {
    this.#uncovered.add(records)
    this.#await()
  }

  #await(): void {
    if (!this.#isOpen || this.#isSigning || this.#isRefused || !this.#uncovered.hasContent) return
    const { timers, checkpointMsMax, checkpointRecordsMax } = this.#options
    if (this.#uncovered.size >= checkpointRecordsMax) void this.#sign()
    else this.#disarm ??= timers.after(checkpointMsMax, () => void this.#sign())
  }

  async #sign(): Promise<void> {
    this.#disarm?.()
    this.#disarm = undefined
    this.#isSigning = true
    this.#isRefused = false
    try {
      await this.#inTurn(() => this.#checkpoints())
    } catch (error) {
      this.#options.onFailure(error)
      this.#retryLater()
    }
    this.#isSigning = false
    this.#await()
  }

  #retryLater(): void {
    const { timers, checkpointMsMax } = this.#options
    this.#isRefused = true
    if (this.#isOpen) this.#disarm = timers.after(checkpointMsMax, () => void this.#sign())
  }

  /** A store that is closing leaves a long backlog to its next life. */
  async #checkpoints(through?: Sequence): Promise<void> {
    while (this.#isOpen || this.#closingLeft-- > 0) if (!(await this.#checkpoint(through))) return
  }

  /** Signs one checkpoint; false when there was nothing to sign, or nothing up to `through`. */
  async #checkpoint(through = Number.POSITIVE_INFINITY): Promise<boolean> {
    const { checkpointRecordsMax, origin, pool } = this.#options
    await this.#uncovered.fill(checkpointRecordsMax)
    const covers = this.#uncovered.coverage(checkpointRecordsMax)
    if (covers === undefined || !this.#uncovered.hasContent || covers.first > through) return false
    const body: SignedBody = {
      operation: 'checkpoint',
      pool: pool.position.pool,
      covers,
      before: this.#before,
      signer: this.#key.id,
    }
    this.#before = await this.#write(origin, body)
    this.#uncovered.drop(covers.last)
    return true
  }

  async #write(origin: Origin, body: SignedBody): Promise<RecordReference> {
    const { pool, sequencer } = this.#options
    const key = this.#key
    const change: Change = { names: [], draft: (draft) => draft.appendSigned(origin, body, key) }
    const transaction = pool.begin()
    try {
      const [written] = await sequencer.commit(transaction, [change])
      return { sequence: written!.record.sequence, digest: written!.digest }
    } catch (error) {
      await transaction.abort()
      throw error
    }
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task)
    this.#turn = done.catch(() => {})
    return done
  }
}
