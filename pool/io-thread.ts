import { closeSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { PoolError, type PoolErrorCode } from './errors.ts'
import { FlushLatency } from './flush-latency.ts'
import { type Clock, type Stall, StallWatch, systemClock } from './stall-watch.ts'

export type IoKind = 'read' | 'write' | 'flush'

/** A request to the device's thread. `bytes` lie in shared memory, so that nothing is copied between threads. */
export type Io =
  | { readonly kind: 'flush' }
  | { readonly kind: 'read'; readonly offset: number; readonly bytes: Uint8Array }
  | {
      readonly kind: 'write'
      readonly offset: number
      readonly bytes: Uint8Array
      /** With one system call; `atomic` when the kernel is to write all or nothing. */
      readonly unsplit?: 'plain' | 'atomic'
    }

export type IoRequest = Io & { readonly id: number }

export interface IoReply {
  readonly id: number
  /** How long the system calls took. */
  readonly microseconds: number
  readonly failure?: { readonly code: PoolErrorCode; readonly message: string }
}

/** What the thread is told when it starts. */
export interface IoThreadSetup {
  readonly descriptor: number
  /** The largest write that is one system call. */
  readonly requestBytesMax: number
  readonly direct: boolean
}

export interface IoThreadOptions {
  /** The compiled program of the device's thread, when it does not lie beside this file. */
  readonly worker?: URL
  /** A request underway for as long is told to `onStall`, once. */
  readonly stallMs?: number
  /** A request underway for as long fails, and the device with it. */
  readonly failMs?: number
  readonly onStall?: (stall: Stall) => void
  readonly clock?: Clock
}

interface Waiting {
  readonly kind: IoKind
  readonly resolve: () => void
  readonly reject: (error: PoolError) => void
}

const STALL_MS = 10_000
const FAIL_MS = 60_000
/** What close() waits for a thread that has been given up. */
const GRACE_MS = 1000

/**
 * The thread that does the I/O of one open file, seen from the event loop: it takes requests one after the other, in
 * their order. It owns the descriptor and closes it.
 *
 *   working ──a flush fails──▶ reading ──a request takes failMs, the thread dies──▶ failed ──close──▶ closed
 *      ├───────────a request takes failMs, the thread dies─────────────────────────────▲                 ▲
 *      └───────────────────────────────────close, from any state─────────────────────────────────────────┘
 *
 * A thread that is reading only takes no more writes and flushes, for good, and reads around the page cache.
 */
export class IoThread {
  readonly latency = new FlushLatency()
  /** Requests that took too long. */
  stalls = 0
  readonly #worker: Worker
  readonly #watch: StallWatch
  readonly #waiting = new Map<number, Waiting>()
  readonly #descriptor: number
  #nextId = 0
  /** Why nothing is taken any more. */
  #failure: PoolError | undefined
  /** Why nothing is written any more. */
  #refusal: PoolError | undefined
  #ended: Promise<void> | undefined
  #closing = false
  #tellStuck: () => void = () => {}
  readonly #stuck = new Promise<void>((resolve) => {
    this.#tellStuck = resolve
  })

  constructor(setup: IoThreadSetup, options: IoThreadOptions) {
    this.#descriptor = setup.descriptor
    const program = options.worker ?? new URL('./file-device-worker.js', import.meta.url)
    this.#worker = new Worker(program, { workerData: setup })
    this.#worker.on('message', (reply: IoReply) => this.#settle(reply))
    this.#worker.on('error', (error) => this.#fail(new PoolError('ERR_IO', 'the device thread died', { cause: error })))
    this.#worker.on('exit', () => this.#fail(new PoolError('ERR_IO', 'the device thread ended')))
    const onStall = (stall: Stall): void => {
      this.stalls++
      options.onStall?.(stall)
    }
    const hooks = { onStall, onFail: (stall: Stall) => this.#giveUp(stall) }
    const limits = { stallMs: options.stallMs ?? STALL_MS, failMs: options.failMs ?? FAIL_MS }
    this.#watch = new StallWatch(limits, hooks, options.clock ?? systemClock)
  }

  get isStalled(): boolean {
    return this.#watch.isStalled
  }

  assertUsable(kind: IoKind): void {
    if (this.#failure) throw this.#failure
    if (this.#refusal && kind !== 'read') throw this.#refusal
  }

  send(io: Io): Promise<void> {
    return new Promise((resolve, reject) => {
      const request: IoRequest = { ...io, id: this.#nextId++ }
      this.#waiting.set(request.id, { kind: io.kind, resolve, reject })
      if (this.#waiting.size === 1) this.#watch.begin(io.kind)
      this.#worker.postMessage(request)
    })
  }

  /**
   * Resolves when the file is closed; or when the thread is stuck in a request that has failed. Then the file stays
   * open, and locked, until the kernel lets go of the thread: nobody else may use it while that request may still land.
   */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.#reject(new PoolError('ERR_CLOSED', 'the device is closed'))
      this.#failure = new PoolError('ERR_CLOSED', 'the device is closed')
    }
    await Promise.race([this.#end(), this.#stuck.then(() => wait(GRACE_MS))])
  }

  #settle({ id, microseconds, failure }: IoReply): void {
    const waiting = this.#waiting.get(id)
    if (!waiting) return
    this.#waiting.delete(id)
    if (waiting.kind === 'flush') this.latency.record(microseconds)
    if (failure) this.#refuse(waiting, new PoolError(failure.code, failure.message))
    else waiting.resolve()
    const [next] = this.#waiting.values()
    if (next) this.#watch.begin(next.kind)
    else this.#watch.end()
  }

  #refuse({ kind, reject }: Waiting, error: PoolError): void {
    reject(error)
    if (kind === 'flush') this.#stopWriting(error)
  }

  /** The kernel drops what it could not write and forgets the error, so a failed flush is never tried again. */
  #stopWriting(cause: PoolError): void {
    if (this.#refusal) return
    const refusal = new PoolError('ERR_HALTED', 'a flush of the device failed', { cause })
    this.#refusal = refusal
    this.#reject(refusal, ({ kind }) => kind !== 'read')
  }

  /** Nobody knows what became of the requests underway. */
  #fail(error: PoolError): void {
    if (this.#failure) return
    this.#reject(error)
    this.#failure = new PoolError('ERR_HALTED', error.message, { cause: error })
  }

  /**
   * The thread is ended at once, so that what waits behind the stuck request is never written. That request itself may
   * still land, of memory that its owner has used for something else by then: what it covers is unknown for good.
   */
  #giveUp({ kind, milliseconds }: Stall): void {
    this.#fail(new PoolError('ERR_IO', `a ${kind} has taken ${milliseconds} ms and is given up`))
    void this.#end()
    this.#worker.unref()
    this.#tellStuck()
  }

  #end(): Promise<void> {
    this.#ended ??= this.#worker.terminate().then(() => {
      this.#watch.stop()
      closeSync(this.#descriptor)
    })
    return this.#ended
  }

  #reject(error: PoolError, concerns: (waiting: Waiting) => boolean = () => true): void {
    for (const [id, waiting] of this.#waiting) {
      if (!concerns(waiting)) continue
      this.#waiting.delete(id)
      waiting.reject(error)
    }
  }
}
