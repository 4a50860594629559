import { availableParallelism } from 'node:os'
import type { SenderCheck, SenderFacts, SenderVerdict, SenderVerifier } from './contract.ts'
import { EndedCheck } from './ended-check.ts'
import { SENDER_LIMITS, type SenderLimits } from './limits.ts'
import type { Ask } from './questions.ts'
import { SenderThread } from './sender-thread.ts'
import { putOff } from './verdicts.ts'

export interface SenderThreadsOptions {
  readonly ask: Ask
  /** By default one less than there are processors, one at the least and four at the most. */
  readonly threads?: number
  readonly limits?: Partial<SenderLimits>
  /** What a thread runs, compiled. */
  readonly worker?: URL
}

const THREADS_MAX = 4

/** Verifies senders in threads, each of which is started when it is wanted, and again when it died. */
export class SenderThreads implements SenderVerifier {
  readonly #options: SenderThreadsOptions
  readonly #limits: SenderLimits
  readonly #threads: (SenderThread | undefined)[]
  #isClosed = false

  constructor(options: SenderThreadsOptions) {
    const { threads = Math.min(THREADS_MAX, Math.max(1, availableParallelism() - 1)), limits } = options
    this.#options = options
    this.#limits = { ...SENDER_LIMITS, ...limits }
    this.#threads = Array.from({ length: threads })
  }

  begin(facts: SenderFacts): SenderCheck {
    const underway = this.#threads.reduce((sum, thread) => sum + (thread?.size ?? 0), 0)
    if (this.#isClosed) return new EndedCheck('the server is closing')
    if (underway >= this.#limits.checksMax) return new EndedCheck(`${underway} mails are verified at this moment`)
    return new ThreadCheck(this.#idlest(), facts, this.#limits)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#threads.map((thread) => thread?.close('the server is closing')))
  }

  #idlest(): SenderThread {
    const { worker = new URL('./sender-worker.js', import.meta.url), ask } = this.#options
    const sizeAt = (index: number) => {
      const thread = this.#threads[index]
      return thread === undefined || thread.isDead ? 0 : thread.size
    }
    const [at = 0] = [...this.#threads.keys()].sort((one, other) => sizeAt(one) - sizeAt(other))
    const thread = this.#threads[at]
    if (thread && !thread.isDead) return thread
    const started = new SenderThread(worker, { limits: this.#limits }, ask)
    this.#threads[at] = started
    return started
  }
}

/** A check that a thread does. Bytes wait when too many of them are on their way. */
class ThreadCheck implements SenderCheck {
  readonly #thread: SenderThread
  readonly #limits: SenderLimits
  readonly #id: number
  readonly #ended: Promise<SenderVerdict>
  #end: (verdict: SenderVerdict) => void = () => {}
  #verdict: SenderVerdict | undefined
  #bytes = 0
  #goOn: () => void = () => {}

  constructor(thread: SenderThread, facts: SenderFacts, limits: SenderLimits) {
    this.#thread = thread
    this.#limits = limits
    this.#ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.#id = thread.begin(facts, {
      taken: (bytes) => this.#taken(bytes),
      ended: (verdict) => this.#endWith(verdict),
    })
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#verdict) return
    this.#bytes += chunk.length
    this.#thread.write(this.#id, chunk)
    if (this.#bytes <= this.#limits.windowBytes) return
    await this.#within(
      new Promise<void>((resolve) => {
        this.#goOn = resolve
      }),
    )
  }

  async finish(): Promise<SenderVerdict> {
    this.#thread.end(this.#id)
    await this.#within(this.#ended)
    return this.#ended
  }

  abort(): void {
    this.#thread.drop(this.#id)
    this.#endWith(putOff('it was given up'))
  }

  /** What comes in time, or else puts the mail off; a thread that does not say that it is alive then is ended. */
  async #within(event: Promise<unknown>): Promise<void> {
    let late: NodeJS.Timeout | undefined
    const isLate = await Promise.race([
      event.then(() => false),
      new Promise<true>((resolve) => {
        late = setTimeout(() => resolve(true), this.#limits.msMax)
      }),
    ])
    clearTimeout(late)
    if (!isLate || this.#verdict) return
    this.#thread.drop(this.#id)
    this.#endWith(putOff(`it took longer than ${this.#limits.msMax} ms`))
    await this.#thread.prove(this.#limits.aliveMsMax)
  }

  #taken(bytes: number): void {
    this.#bytes -= bytes
    if (this.#bytes <= this.#limits.windowBytes) this.#goOn()
  }

  #endWith(verdict: SenderVerdict): void {
    this.#verdict ??= verdict
    this.#end(this.#verdict)
    this.#goOn()
  }
}
