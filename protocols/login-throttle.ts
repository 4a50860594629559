/** What a throttle is made of. */
export interface ThrottleOptions {
  /** Refused logins within the window; then the next ones are refused unseen until it has passed. */
  readonly failuresMax: number
  readonly windowMs: number
  /** Names remembered; of more the one that failed longest ago is forgotten. */
  readonly keysMax: number
  readonly clock: { now(): number }
}

interface Failures {
  count: number
  /** Of the first one in the window. */
  readonly since: number
}

/**
 * Bounds guesses at passwords. Who has failed too often is not listened to before the window that began with its first
 * failure has passed; a login that succeeds begins anew.
 */
export class LoginThrottle {
  readonly #options: ThrottleOptions
  readonly #failures = new Map<string, Failures>()

  constructor(options: ThrottleOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#failures.size
  }

  /** Milliseconds to wait; 0 for who may try. */
  waitOf(key: string): number {
    const failures = this.#current(key)
    if (failures === undefined || failures.count < this.#options.failuresMax) return 0
    return failures.since + this.#options.windowMs - this.#options.clock.now()
  }

  failed(key: string): void {
    const { clock, keysMax } = this.#options
    const failures = this.#current(key) ?? { count: 0, since: clock.now() }
    failures.count += 1
    this.#failures.delete(key) // The last one to fail is the last one to be forgotten.
    this.#failures.set(key, failures)
    if (this.#failures.size <= keysMax) return
    const [oldest] = this.#failures.keys()
    if (oldest !== undefined) this.#failures.delete(oldest)
  }

  succeeded(key: string): void {
    this.#failures.delete(key)
  }

  #current(key: string): Failures | undefined {
    const failures = this.#failures.get(key)
    const { clock, windowMs } = this.#options
    if (failures === undefined || failures.since + windowMs > clock.now()) return failures
    this.#failures.delete(key)
    return undefined
  }
}
