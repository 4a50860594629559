import type { IoKind } from './io-thread.ts'

export interface Clock {
  /** Milliseconds from any start; never goes back. */
  now(): number
  /** Repeats until the returned function is called, and does not keep the process alive. */
  every(milliseconds: number, task: () => void): () => void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  every(milliseconds, task) {
    const timer = setInterval(task, milliseconds).unref()
    return () => clearInterval(timer)
  },
}

/** A request that a device has been at for too long. */
export interface Stall {
  readonly kind: IoKind
  readonly milliseconds: number
}

export interface StallLimits {
  /** From here on a device is slow, and said to be. */
  readonly stallMs: number
  /** From here on it has failed. */
  readonly failMs: number
}

export interface StallHooks {
  onStall(stall: Stall): void
  onFail(stall: Stall): void
}

const CHECKS_PER_STALL = 10

/**
 * Watches the one request that a device is at. What waits behind it is none of the device's doing, so its time begins
 * when its turn does.
 *
 *   idle ──begin──▶ at it ──stallMs──▶ stalled ──failMs──▶ failed
 *    ▲────────────end─┴──────────end─────┘
 *
 * Time is counted in checks, at most two periods for each: when this process itself was stopped for a while, or its event
 * loop was busy, the device may have answered long ago, and is not to be failed before its answer can be heard.
 */
export class StallWatch {
  readonly #limits: StallLimits
  readonly #hooks: StallHooks
  readonly #clock: Clock
  readonly #period: number
  readonly #stop: () => void
  #kind: IoKind | undefined
  #counted = 0
  #last = 0
  #state: 'at it' | 'stalled' | 'failed' = 'at it'

  constructor(limits: StallLimits, hooks: StallHooks, clock: Clock) {
    this.#limits = limits
    this.#hooks = hooks
    this.#clock = clock
    this.#period = Math.max(1, Math.min(limits.stallMs, limits.failMs) / CHECKS_PER_STALL)
    this.#stop = clock.every(this.#period, () => this.#check())
  }

  /** True while a request is underway that has taken too long. */
  get isStalled(): boolean {
    return this.#kind !== undefined && this.#state !== 'at it'
  }

  begin(kind: IoKind): void {
    this.#kind = kind
    this.#counted = 0
    this.#last = this.#clock.now()
    this.#state = 'at it'
  }

  end(): void {
    this.#kind = undefined
  }

  stop(): void {
    this.end()
    this.#stop()
  }

  #check(): void {
    if (this.#kind === undefined || this.#state === 'failed') return
    const now = this.#clock.now()
    this.#counted += Math.min(now - this.#last, 2 * this.#period)
    this.#last = now
    const stall: Stall = { kind: this.#kind, milliseconds: Math.round(this.#counted) }
    if (this.#counted >= this.#limits.stallMs && this.#state === 'at it') {
      this.#state = 'stalled'
      this.#hooks.onStall(stall)
    }
    if (this.#counted < this.#limits.failMs) return
    this.#state = 'failed'
    this.#hooks.onFail(stall)
  }
}
