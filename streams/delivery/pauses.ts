export interface Timers {
  /** Returns what calls it off. */
  after(milliseconds: number, task: () => void): () => void
}

/** Waits that all end when it does. */
export class Pauses {
  readonly #timers: Timers
  readonly #waiting = new Set<() => void>()
  #hasEnded = false

  constructor(timers: Timers) {
    this.#timers = timers
  }

  async wait(milliseconds: number): Promise<void> {
    if (this.#hasEnded) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        callOff()
        this.#waiting.delete(wake)
        resolve()
      }
      const callOff = this.#timers.after(milliseconds, wake)
      this.#waiting.add(wake)
    })
  }

  end(): void {
    this.#hasEnded = true
    for (const wake of [...this.#waiting]) wake()
  }
}
