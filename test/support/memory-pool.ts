import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  type CheckReport,
  type Draft,
  type Drafting,
  type PayloadRange,
  type Pool,
  PoolError,
  type PoolLimits,
  type PoolRecord,
  type PoolStatus,
  type Release,
  type Sequence,
  type Staging,
  type Transaction,
} from '../../pool/index.ts'

export interface MemoryPoolOptions {
  /** Payload bytes, staged and live ones; records are not counted, so that a full pool can be emptied. */
  readonly bytesMax?: number
  /** Record bytes of one transaction; beyond it ERR_LIMITS, after drafting as a real pool may find it. */
  readonly transactionBytesMax?: number
  /** Transactions waiting for a batch; beyond it ERR_BUSY. */
  readonly queueTransactionsMax?: number
  /** Stands for the flush of each batch: what it waits for the batch waits for; when it throws, the pool halts. */
  readonly flush?: () => Promise<void>
}

/** The pool's contract in memory: what the real pool is compared with, and what the store is tested on. Nothing survives. */
export function memoryPool(options: MemoryPoolOptions = {}): Pool {
  return new MemoryPool(options)
}

interface Payload {
  readonly length: number
  /** Undefined once released. */
  chunks: readonly Uint8Array[] | undefined
}

interface StoredRecord {
  readonly content: Uint8Array
  readonly payloads: readonly Payload[]
}

interface Waiting {
  readonly transaction: MemoryTransaction
  readonly drafting: Drafting
  readonly resolve: (first: Sequence) => void
  readonly reject: (error: unknown) => void
}

interface Drafted {
  readonly waiting: Waiting
  readonly stagedBytes: number
  readonly first: Sequence
  readonly records: readonly StoredRecord[]
  readonly releases: readonly Release[]
}

interface Prepared {
  readonly sequence: Sequence
  readonly payloads: readonly unknown[]
}

class MemoryPool implements Pool {
  readonly options: Required<MemoryPoolOptions>
  readonly #uuid = randomUUID()
  readonly #records: StoredRecord[] = []
  #state: PoolStatus['state'] = 'open'
  #queue: Waiting[] = []
  #running: Promise<void> | undefined
  #counts = { commits: 0, batches: 0, checkpoints: 0 }
  stagedBytes = 0
  liveBytes = 0
  /** Prepared records that an upload goes on from: nobody else may take them over or let them go. */
  readonly held = new Set<Sequence>()

  constructor(options: MemoryPoolOptions) {
    const flush = async (): Promise<void> => {}
    const unbounded = Number.MAX_SAFE_INTEGER
    const defaults = { bytesMax: unbounded, transactionBytesMax: unbounded, queueTransactionsMax: 16_384, flush }
    this.options = { ...defaults, ...options }
  }

  get position(): Pool['position'] {
    return { pool: this.#uuid, epoch: 1, sequence: this.#records.length }
  }

  get limits(): PoolLimits {
    return { transactionBytesMax: this.options.transactionBytesMax, reserveBytes: 0 }
  }

  get freeBytes(): number {
    return this.options.bytesMax - this.stagedBytes - this.liveBytes
  }

  begin(): Transaction {
    this.assertOpen()
    return new MemoryTransaction(this)
  }

  async resume(prepared: Sequence): Promise<{ transaction: Transaction; payloads: readonly Staging[] }> {
    this.assertOpen()
    this.#assertFree(prepared)
    const { payloads } = this.#at(prepared)
    const contents = payloads.map((_payload, index) => this.#chunks(prepared, index))
    const transaction = new MemoryTransaction(this, { sequence: prepared, payloads })
    return { transaction, payloads: contents.map((chunks) => transaction.stage(chunks)) }
  }

  async record(sequence: Sequence): Promise<PoolRecord> {
    this.assertNotClosed()
    return recordOf(sequence, this.#at(sequence))
  }

  async *read(sequence: Sequence, payload: number, range?: PayloadRange): AsyncGenerator<Uint8Array> {
    this.assertNotClosed()
    const chunks = this.#chunks(sequence, payload)
    const { offset: start, length } = range ?? { offset: 0, length: Number.MAX_SAFE_INTEGER }
    let offset = 0
    for (const chunk of chunks) {
      const piece = chunk.subarray(Math.max(0, start - offset), Math.max(0, start + length - offset))
      if (piece.length > 0) yield Uint8Array.from(piece)
      offset += chunk.length
    }
  }

  async *replay(from: Sequence): AsyncGenerator<PoolRecord> {
    this.assertNotClosed()
    for (let sequence = Math.max(1, from); sequence <= this.#records.length; sequence++)
      yield recordOf(sequence, this.#at(sequence))
  }

  async checkpoint(): Promise<void> {
    this.assertOpen()
    this.#counts.checkpoints += 1
  }

  async check(): Promise<CheckReport> {
    this.assertNotClosed()
    return { records: this.#records.length, payloadBytes: this.liveBytes, findings: [] }
  }

  status(): PoolStatus {
    return {
      state: this.#state,
      position: this.position,
      atomicity: 'enforced',
      layout: 'concat',
      members: [],
      mended: 0,
      health: this.#state === 'halted' ? 'halted' : 'ok',
      bytes: this.options.bytesMax,
      freeBytes: this.freeBytes,
      historyBytes: this.#records.reduce((sum, { content }) => sum + content.length, 0),
      extentBytes: this.liveBytes,
      stagedBytes: this.stagedBytes,
      promisedBytes: 0,
      retiredBytes: 0,
      segments: 0,
      flushes: this.#counts.batches,
      recovery: { verdict: 'clean', batchesReplayed: 0, batchesDropped: 0, unreadable: 0 },
      ...this.#counts,
    }
  }

  async close(): Promise<void> {
    while (this.#running !== undefined) await this.#running
    this.#state = 'closed'
  }

  assertOpen(): void {
    this.assertNotClosed()
    if (this.#state === 'halted') throw new PoolError('ERR_HALTED', 'the pool has halted')
  }

  assertNotClosed(): void {
    if (this.#state === 'closed') throw new PoolError('ERR_CLOSED', 'the pool is closed')
  }

  submit(transaction: MemoryTransaction, drafting: Drafting): Promise<Sequence> {
    this.assertOpen()
    if (this.#queue.length >= this.options.queueTransactionsMax)
      throw new PoolError('ERR_BUSY', `${this.#queue.length} transactions are waiting already`)
    return new Promise((resolve, reject) => {
      this.#queue.push({ transaction, drafting, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Group commit: what gathers while a batch is flushed makes the next one. */
  async #run(): Promise<void> {
    await null // What is submitted in the same turn goes into the same batch.
    while (this.#queue.length > 0) await this.#commitBatch(this.#queue.splice(0))
    this.#running = undefined
  }

  async #commitBatch(batch: readonly Waiting[]): Promise<void> {
    if (this.#state === 'halted') {
      for (const { reject } of batch) reject(new PoolError('ERR_HALTED', 'the pool has halted'))
      return
    }
    const group = this.#gather(batch)
    try {
      await this.options.flush()
    } catch (cause) {
      this.#state = 'halted'
      for (const { waiting } of group)
        waiting.reject(new PoolError('ERR_OUTCOME_UNKNOWN', 'the flush failed', { cause }))
      return
    }
    for (const drafted of group) this.#publish(drafted)
    this.#counts.batches += 1
    for (const { waiting, first } of group) waiting.resolve(first)
  }

  #gather(batch: readonly Waiting[]): readonly Drafted[] {
    const group: Drafted[] = []
    const released = new Set<string>()
    let first = this.#records.length + 1
    for (const waiting of batch) {
      try {
        const drafted = this.#draft(waiting, first, released)
        group.push(drafted)
        first += drafted.records.length
      } catch (error) {
        waiting.reject(error)
      }
    }
    return group
  }

  #draft(waiting: Waiting, first: Sequence, released: Set<string>): Drafted {
    const { drafting } = waiting
    const draft = drafting(first)
    try {
      return this.#place(waiting, draft, first, released)
    } catch (error) {
      draft.refused?.()
      throw error
    }
  }

  #place(waiting: Waiting, draft: Draft, first: Sequence, released: Set<string>): Drafted {
    const { transaction } = waiting
    transaction.assertOwned(draft)
    const bytes = draft.records.reduce((sum, { content }) => sum + content.length, 0)
    if (bytes > this.options.transactionBytesMax)
      throw new PoolError('ERR_LIMITS', `a transaction of ${bytes} bytes exceeds ${this.options.transactionBytesMax}`)
    for (const { sequence } of draft.releases) this.#assertFree(sequence)
    const releases = [...draft.releases, ...transaction.inherited()]
    for (const release of releases) this.#assertReleasable(release, first, released)
    for (const { sequence, payload } of releases) released.add(`${sequence}.${payload}`)
    const records = draft.records.map(({ content, payloads }) => ({
      content: Uint8Array.from(content),
      payloads: payloads.map((payload) => (payload as MemoryStaging).sealed),
    }))
    return { waiting, first, records, releases, stagedBytes: transaction.sealedBytes }
  }

  /** Whoever releases what is not there, or lets go of it twice, has lost count of the space. */
  #assertReleasable({ sequence, payload }: Release, first: Sequence, released: Set<string>): void {
    assert(sequence < first, `record ${sequence} is not earlier than ${first}`)
    assert(!released.has(`${sequence}.${payload}`), `payload ${payload} of record ${sequence} is released twice`)
    // A record of the same batch is not published yet; its payload is there for sure.
    const record = this.#records[sequence - 1]
    assert(!record || record.payloads[payload]?.chunks, `payload ${payload} of record ${sequence} is not there`)
  }

  #publish({ waiting: { transaction }, records, releases, stagedBytes }: Drafted): void {
    this.#records.push(...records)
    transaction.own(stagedBytes)
    for (const { payloads } of records) for (const { length } of payloads) this.liveBytes += length
    for (const { sequence, payload } of releases) {
      const released = this.#at(sequence).payloads[payload]
      assert(released)
      released.chunks = undefined
      this.liveBytes -= released.length
    }
    this.#counts.commits += 1
  }

  #assertFree(sequence: Sequence): void {
    if (this.held.has(sequence)) throw new PoolError('ERR_BUSY', `an upload goes on from record ${sequence}`)
  }

  #at(sequence: Sequence): StoredRecord {
    const record = this.#records[sequence - 1]
    if (!record) throw new PoolError('ERR_NOT_FOUND', `there is no record ${sequence}`)
    return record
  }

  #chunks(sequence: Sequence, payload: number): readonly Uint8Array[] {
    const chunks = this.#at(sequence).payloads[payload]?.chunks
    if (!chunks) throw new PoolError('ERR_NOT_FOUND', `there is no payload ${payload} of record ${sequence}`)
    return chunks
  }
}

class MemoryStaging implements Staging {
  readonly #transaction: MemoryTransaction
  readonly #chunks: Uint8Array[]
  /** What the record to come will own. */
  sealed: Payload = { length: 0, chunks: [] }
  length: number
  #changes = 0

  constructor(transaction: MemoryTransaction, chunks: readonly Uint8Array[]) {
    this.#transaction = transaction
    this.#chunks = [...chunks]
    this.length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  seal(): void {
    this.#changes += 1
    this.sealed = { length: this.length, chunks: [...this.#chunks] }
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#transaction.take(chunk.length)
    this.#changes += 1
    this.#chunks.push(Uint8Array.from(chunk))
    this.length += chunk.length
  }

  async shed(): Promise<void> {
    this.#transaction.assertOpen()
    this.#changes += 1
  }

  async *read(): AsyncGenerator<Uint8Array> {
    const changes = this.#changes
    const requireUnchanged = (): void => {
      this.#transaction.assertOpen()
      if (this.#changes !== changes) throw new PoolError('ERR_CLOSED', 'what is read was written to meanwhile')
    }
    requireUnchanged()
    for (const chunk of [...this.#chunks]) {
      yield Uint8Array.from(chunk)
      requireUnchanged()
    }
  }
}

class MemoryTransaction implements Transaction {
  readonly #pool: MemoryPool
  readonly #stagings: MemoryStaging[] = []
  #prepared: Prepared | undefined
  #failure: PoolError | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #ended = false
  /** Of what no record owns; and of that, what the record to come will. */
  stagedBytes = 0
  sealedBytes = 0

  constructor(pool: MemoryPool, prepared?: Prepared) {
    this.#pool = pool
    this.#hold(prepared)
  }

  stage(chunks: readonly Uint8Array[] = []): Staging {
    this.assertOpen()
    const staging = new MemoryStaging(this, chunks)
    this.#stagings.push(staging)
    return staging
  }

  async drop(payload: Staging): Promise<void> {
    this.assertOpen()
    await this.#inTurn(async () => {
      const number = this.#stagings.indexOf(payload as MemoryStaging)
      assert(number >= 0 && !this.#prepared, 'a payload of its own that no record owns')
      this.#stagings.splice(number, 1)
      this.own(payload.length)
    })
  }

  async reserve(bytes: number): Promise<void> {
    this.assertOpen()
    if (bytes > this.#pool.freeBytes) throw new PoolError('ERR_NO_SPACE', 'the pool is full')
  }

  async commit(drafting: Drafting): Promise<Sequence> {
    this.assertOpen()
    this.#ended = true
    return this.#inTurn(() => this.#commit(drafting))
  }

  async #commit(drafting: Drafting): Promise<Sequence> {
    try {
      if (this.#failure) throw this.#failure
      this.#seal()
      return await this.#pool.submit(this, drafting)
    } catch (error) {
      // With the outcome unknown the bytes may be owned, and stay taken.
      if (!(error instanceof PoolError && error.code === 'ERR_OUTCOME_UNKNOWN')) this.own(this.stagedBytes)
      throw error
    } finally {
      this.#hold(undefined)
    }
  }

  async prepare(drafting: Drafting, sealed: () => void = () => {}): Promise<Sequence> {
    this.assertOpen()
    return this.#inTurn(async () => {
      if (this.#failure) throw this.#failure
      const payloads = [...this.#stagings]
      this.#seal()
      sealed()
      const checked: Drafting = (first) => {
        const draft = drafting(first)
        assert(draft.records.length === 1, 'what is prepared is one record')
        return draft
      }
      const sequence = await this.#pool.submit(this, checked)
      this.#hold({ sequence, payloads })
      return sequence
    })
  }

  async abort(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#inTurn(async () => {
      this.#hold(undefined)
      this.own(this.stagedBytes)
    })
  }

  #seal(): void {
    for (const staging of this.#stagings) staging.seal()
    this.sealedBytes = this.stagedBytes
  }

  /** One verb after the other: what a record is about to own is not given back. */
  #inTurn<T>(verb: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(verb)
    this.#turn = done.catch(() => {})
    return done
  }

  #hold(prepared: Prepared | undefined): void {
    const { held } = this.#pool
    if (this.#prepared) held.delete(this.#prepared.sequence)
    if (prepared) held.add(prepared.sequence)
    this.#prepared = prepared
  }

  take(bytes: number): void {
    this.assertOpen()
    if (this.#pool.freeBytes < bytes) this.#failure ??= new PoolError('ERR_NO_SPACE', 'the pool is full')
    if (this.#failure) throw this.#failure
    this.stagedBytes += bytes
    this.#pool.stagedBytes += bytes
  }

  /** Staged bytes are somebody's now, or nobody's. */
  own(bytes: number): void {
    this.stagedBytes -= bytes
    this.#pool.stagedBytes -= bytes
  }

  /** A record that takes payloads over releases the prepared record that owned them. */
  inherited(): readonly Release[] {
    const prepared = this.#prepared
    return prepared ? prepared.payloads.map((_staging, payload) => ({ sequence: prepared.sequence, payload })) : []
  }

  assertOwned({ records }: Draft): void {
    assert(records.length > 0, 'a transaction commits at least one record')
    const owned = records.flatMap(({ payloads }) => payloads)
    assert(owned.length === this.#stagings.length, 'a record owns each payload')
    assert(new Set(owned).size === owned.length, 'one record owns each payload')
    for (const payload of owned)
      assert(this.#stagings.includes(payload as MemoryStaging), 'a payload belongs to its own transaction')
  }

  assertOpen(): void {
    this.#pool.assertOpen()
    if (this.#ended) throw new PoolError('ERR_CLOSED', 'the transaction has ended')
  }
}

function recordOf(sequence: Sequence, { content, payloads }: StoredRecord): PoolRecord {
  return { sequence, content: Uint8Array.from(content), payloads: payloads.map(({ length }) => length) }
}
