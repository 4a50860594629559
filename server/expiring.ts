import type { Origin } from '../streams/index.ts'

export interface ExpiringParts {
  /** One bounded round; true when there is more to look at. */
  readonly store: { expire(origin: Origin): Promise<boolean> }
  readonly origin: Origin
  readonly log: { error(details: object, message: string): void }
  readonly everyMs: number
  /** Repeats until the returned function is called. */
  every(milliseconds: number, task: () => void): () => void
  /** Lets others go before the next round. */
  pause(): Promise<void>
}

/** Removes what has expired in the background: a pass at the start and at each interval, one round after the other. */
export class Expiring {
  readonly #parts: ExpiringParts
  readonly #stop: () => void
  #isOpen = true
  #underway: Promise<void> | undefined

  constructor(parts: ExpiringParts) {
    this.#parts = parts
    this.#stop = parts.every(parts.everyMs, () => this.look())
    this.look()
  }

  /** Resolves when no round is underway any more. */
  async close(): Promise<void> {
    this.#isOpen = false
    this.#stop()
    await this.settled()
  }

  /** Resolves at the end of the pass that is underway. */
  async settled(): Promise<void> {
    await this.#underway
  }

  /** Begins a pass, unless one is underway. */
  look(): void {
    if (!this.#isOpen) return
    this.#underway ??= this.#pass().finally(() => {
      this.#underway = undefined
    })
  }

  async #pass(): Promise<void> {
    const { store, origin, pause, log } = this.#parts
    try {
      while (this.#isOpen && (await store.expire(origin))) await pause()
    } catch (error) {
      log.error({ err: error }, 'what has expired is not removed: it is tried again at the next pass')
    }
  }
}
