/** Time, and a task that is due after some of it, in milliseconds; the function returned calls it off. */
export interface BucketClock {
  now(): number
  after(milliseconds: number, task: () => void): () => void
}

export const systemBucketClock: BucketClock = {
  now: () => performance.now(),
  after(milliseconds, task) {
    const timer = setTimeout(task, milliseconds)
    return () => clearTimeout(timer)
  },
}

/**
 * A bound on a rate: bytes are paid for with tokens, of which so many a second come, up to `burstBytes`. Who takes more than
 * there are goes into debt and waits until it is paid, so that a piece may be larger than the bucket, and those who share
 * it wait one behind the other.
 */
export class TokenBucket {
  readonly bytesPerSecond: number
  readonly #burstBytes: number
  readonly #clock: BucketClock
  #tokens: number
  #time: number

  /** The burst is a second's worth where nobody says. */
  constructor(bytesPerSecond: number, clock: BucketClock, burstBytes = bytesPerSecond) {
    this.bytesPerSecond = bytesPerSecond
    this.#burstBytes = burstBytes
    this.#clock = clock
    this.#tokens = burstBytes
    this.#time = clock.now()
  }

  /** Whether it is as it was when it was made. */
  get isFull(): boolean {
    return this.#tokensAt(this.#clock.now()) === this.#burstBytes
  }

  /** Resolves when the bytes may go, or when it is not worth waiting any more. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    this.#tokens = this.#tokensAt(now) - bytes
    this.#time = now
    if (this.#tokens < 0) await this.#pause((-this.#tokens / this.bytesPerSecond) * 1000, signal)
  }

  #tokensAt(now: number): number {
    const earned = ((now - this.#time) / 1000) * this.bytesPerSecond
    return Math.min(this.#burstBytes, this.#tokens + earned)
  }

  #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const callOff = this.#clock.after(milliseconds, () => {
        signal.removeEventListener('abort', end)
        resolve()
      })
      const end = () => {
        callOff()
        resolve()
      }
      signal.addEventListener('abort', end, { once: true })
    })
  }
}
