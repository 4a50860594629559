import type { Parcel } from './delivery-window.ts'
import type { DeliveryFailure } from './subscription-port.ts'

const REASON_CHARACTERS_MAX = 256

/** What is told of a delivery, from the start of the process on. */
export class DeliveryFigures {
  delivered = 0
  /** Attempts in vain. */
  attemptsFailed = 0
  /** Milliseconds since 1970; null for never. */
  lastDelivery: number | null = null
  lastFailure: DeliveryFailure | null = null
  readonly #clock: { now(): number }
  readonly #failing = new Set<Parcel>()
  #hasStumbled = false

  constructor(clock: { now(): number }) {
    this.#clock = clock
  }

  get isFailing(): boolean {
    return this.#hasStumbled || this.#failing.size > 0
  }

  /** Of an attempt. */
  failed(parcel: Parcel, reason: string): DeliveryFailure {
    this.attemptsFailed += 1
    this.#failing.add(parcel)
    return this.#note(reason)
  }

  settled(parcel: Parcel, verdict: 'delivered' | 'given-up'): void {
    this.#failing.delete(parcel)
    if (verdict === 'given-up') return
    this.delivered += 1
    this.lastDelivery = this.#clock.now()
  }

  /** The stream itself cannot be followed, for now. */
  stumbled(reason: string): void {
    this.#hasStumbled = true
    this.#note(reason)
  }

  follows(): void {
    this.#hasStumbled = false
  }

  #note(reason: string): DeliveryFailure {
    this.lastFailure = { time: this.#clock.now(), reason: reason.slice(0, REASON_CHARACTERS_MAX) }
    return this.lastFailure
  }
}
