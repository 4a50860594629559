/** Time as a scrub sees it. */
export interface ScrubClock {
  now(): number
  /** Resolves after so long, or at once when `signal` is aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
}

export const systemScrubClock: ScrubClock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const timer = setTimeout(done, milliseconds)
      function done(): void {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      signal?.addEventListener('abort', done)
    }),
}

/** What may be made up for after the device or the pool kept a scrub waiting. */
const BEHIND_MS_MAX = 1000

/** Keeps a scrub from reading more than so many bytes in a second. */
export class Pace {
  readonly #clock: ScrubClock
  readonly #bytesPerSecond: number
  /** When what was read so far should have been read. */
  #due: number

  constructor(clock: ScrubClock, bytesPerSecond = Number.POSITIVE_INFINITY) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
    this.#due = clock.now()
  }

  async after(bytes: number, signal?: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) return
    const now = this.#clock.now()
    this.#due = Math.max(this.#due, now - BEHIND_MS_MAX) + (bytes * 1000) / this.#bytesPerSecond
    if (this.#due > now) await this.#clock.sleep(this.#due - now, signal)
  }
}
