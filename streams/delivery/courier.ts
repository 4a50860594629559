import type { Sequence } from '../../pool/index.ts'
import { sequenceText } from '../catalog/catalog-keys.ts'
import { Slots } from '../slots.ts'
import { backoffMs } from './backoff.ts'
import type { DeliveryLimits } from './delivery-limits.ts'
import type { Outcome, Send } from './delivery-port.ts'
import type { Parcel } from './delivery-window.ts'
import { Pauses, type Timers } from './pauses.ts'

export interface CourierOptions {
  /** The id of a record's message. */
  readonly messageId: (sequence: Sequence) => string
  readonly mediaType: string
  readonly send: Send
  readonly timers: Timers
  /** From 0 up to 1. */
  readonly random: () => number
  readonly limits: DeliveryLimits
  /** Told of each attempt in vain; true when the parcel is given up with it. */
  readonly onFailure: (parcel: Parcel, reason: string) => boolean
}

export type MessageId = CourierOptions['messageId']

/** The same for a record at each attempt, in each life of the server, and for no other record of any. */
export const messageIdOf =
  (subscription: string): MessageId =>
  (sequence) =>
    `${subscription}-${sequenceText(sequence)}`

/** Sends parcels, a bounded number at once, and each again and again until it arrives or is given up. */
export class Courier {
  readonly #options: CourierOptions
  readonly #slots: Slots
  readonly #pauses: Pauses
  readonly #cutting = new AbortController()
  #isEnding = false

  constructor(options: CourierOptions) {
    this.#options = options
    this.#slots = new Slots(options.limits.sendsMax)
    this.#pauses = new Pauses(options.timers)
  }

  /** Undefined when it ends before that is known. */
  async deliver(parcel: Parcel): Promise<'delivered' | 'given-up' | undefined> {
    for (;;) {
      const outcome = await this.#slots.during(() => this.#attempt(parcel))
      if (outcome === undefined) return undefined
      if (outcome.kind === 'accepted') return 'delivered'
      parcel.attempts += 1
      if (this.#options.onFailure(parcel, outcome.reason)) return 'given-up'
      await this.#pauses.wait(this.#patience(parcel, outcome.retryAfterMs))
    }
  }

  /** Waits as long as after so many failures of anything. */
  backOff(failures: number): Promise<void> {
    return this.#pauses.wait(backoffMs(failures, this.#options.random, this.#options.limits))
  }

  /** Begins no attempt any more. */
  end(): void {
    this.#isEnding = true
    this.#pauses.end()
  }

  /** Ends attempts underway. */
  cut(): void {
    this.#cutting.abort()
  }

  /** Of one that was cut off nobody knows what became. */
  async #attempt({ sequence, body }: Parcel): Promise<Outcome | undefined> {
    if (this.#isEnding) return undefined
    const { messageId, mediaType, send } = this.#options
    const outcome = await send({ id: messageId(sequence), mediaType, body }, this.#cutting.signal)
    return outcome.kind === 'refused' && this.#cutting.signal.aborted ? undefined : outcome
  }

  #patience({ attempts }: Parcel, retryAfterMs = 0): number {
    const { limits, random } = this.#options
    return Math.min(limits.backoffMsMax, Math.max(retryAfterMs, backoffMs(attempts, random, limits)))
  }
}
