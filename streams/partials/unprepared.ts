import type { Timers } from '../delivery/pauses.ts'

export interface UnpreparedOptions {
  readonly timers: Timers
  readonly clock: { now(): number }
  /** For which what came of an upload may wait to be prepared. */
  readonly prepareMsMax: number
}

/**
 * Uploads of which something has come that is not prepared, each by what prepares it, in the order in which they began to wait.
 * Who has waited for long enough is called on, once. One timer does for all of them; there is none while nobody waits, but
 * for one that was set already.
 */
export class Unprepared {
  readonly #options: UnpreparedOptions
  readonly #since = new Map<() => void, number>()
  #disarm: (() => void) | undefined

  constructor(options: UnpreparedOptions) {
    this.#options = options
  }

  /** Those that wait, for tests. */
  get size(): number {
    return this.#since.size
  }

  /** Nothing is changed for one that waits already. */
  add(prepare: () => void): void {
    if (this.#since.has(prepare)) return
    this.#since.set(prepare, this.#options.clock.now())
    this.#arm(0)
  }

  delete(prepare: () => void): void {
    this.#since.delete(prepare)
  }

  /** Calls on nobody any more. */
  close(): void {
    this.#since.clear()
    this.#disarm?.()
    this.#disarm = undefined
  }

  #ring(): void {
    this.#disarm = undefined
    const now = this.#options.clock.now()
    const due = [...this.#since].filter(([, since]) => since + this.#options.prepareMsMax <= now)
    for (const [prepare] of due) this.#since.delete(prepare)
    const [next] = this.#since.values()
    if (next !== undefined) this.#arm(next - now)
    for (const [prepare] of due) prepare() // Perhaps to wait once more: the timer is that of who waits already.
  }

  /** For one who has waited since so long ago (negative); a clock that was set back makes nobody wait for longer than that. */
  #arm(since: number): void {
    const { timers, prepareMsMax } = this.#options
    this.#disarm ??= timers.after(Math.min(prepareMsMax, since + prepareMsMax), () => this.#ring())
  }
}
