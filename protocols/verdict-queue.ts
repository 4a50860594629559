import type { Store, Verdict } from '../streams/index.ts'

export interface VerdictQueueOptions {
  readonly store: Pick<Store, 'judge'>
  /** How long a verdict waits for others: they share a transaction, and its flush. */
  readonly waitMsMax: number
  /** Verdicts that are written without waiting for more, and at once. */
  readonly verdictsMax: number
  /** Verdicts that wait, from which ready() waits for some of them to be written. */
  readonly waitingMax: number
  /** Told what could not be written. What it was about stays as it was. */
  readonly onFailure: (error: unknown) => void
}

/**
 * Verdicts on their way into the stream, many at a time, so that a client with thousands of small files does not wait
 * for a second flush of each.
 *
 *   add ──▶ WAITING ──waitMsMax, verdictsMax or flush()──▶ WRITING ──▶ in the stream
 *
 * If power fails before, the objects stay as they were put, which is true of them.
 */
export class VerdictQueue {
  readonly #options: VerdictQueueOptions
  #waiting: Verdict[] = []
  #added = 0
  /** Or failed to be. */
  #written = 0
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: VerdictQueueOptions) {
    this.#options = options
  }

  add(verdict: Verdict): void {
    this.#waiting.push(verdict)
    this.#added += 1
    if (this.#waiting.length >= this.#options.verdictsMax) void this.flush()
    else this.#timer ??= setTimeout(() => void this.flush(), this.#options.waitMsMax)
  }

  /** Resolves while there is room for more. */
  async ready(): Promise<void> {
    while (this.#waiting.length >= this.#options.waitingMax) await this.#write()
  }

  /** Resolves once what was added before is in the stream, or has failed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const added = this.#added
    while (this.#written < added) await this.#write()
  }

  /** One transaction at a time, with all that waits by then. */
  #write(): Promise<void> {
    this.#writing ??= this.#judge(this.#waiting.splice(0, this.#options.verdictsMax)).finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  async #judge(verdicts: readonly Verdict[]): Promise<void> {
    try {
      await this.#options.store.judge(verdicts)
    } catch (error) {
      this.#options.onFailure(error)
    }
    this.#written += verdicts.length
  }
}
