import type { WebhookSender } from '../protocols/index.ts'
import {
  Delivery,
  type DeliveryLimits,
  type Message,
  type OpenStore,
  type Outcome,
  type Principal,
  permit,
  type Sequence,
  StoreError,
  type SubscriptionState,
  type SubscriptionSummary,
  type TailPage,
  type Timers,
} from '../streams/index.ts'
import { type OpenSecrets, validSecrets } from './subscription-secrets.ts'

/** What every subscriber is served with. */
export interface SubscriberParts {
  readonly store: Pick<OpenStore, 'tail' | 'status'>
  readonly sender: Pick<WebhookSender, 'send'>
  /** An application as it is now. */
  readonly principalOf: (application: string) => Principal | undefined
  /** Names the stream among all, as the streams over HTTP do: a URI reference. */
  readonly source: string
  readonly timers: Timers
  readonly clock: { now(): number }
  readonly random: () => number
  readonly limits: DeliveryLimits
}

/** Who gets the records of a subscription, and what is under way to it. */
export class Subscriber {
  readonly state: SubscriptionState
  readonly delivery: Delivery
  readonly #parts: SubscriberParts
  readonly #secrets: OpenSecrets

  constructor(
    state: SubscriptionState,
    secrets: OpenSecrets,
    parts: SubscriberParts,
    onProgress: (from: Delivery) => void,
  ) {
    this.state = state
    this.#secrets = secrets
    this.#parts = parts
    const delivery: Delivery = new Delivery(state, {
      ...parts,
      context: { source: parts.source },
      follow: (after, signal) => this.#follow(after, signal),
      send: (message, signal) => this.#send(message, signal),
      onProgress: () => onProgress(delivery),
    })
    this.delivery = delivery
  }

  get summary(): SubscriptionSummary {
    const { id, application, created, registration } = this.state
    const { delivered, attemptsFailed, lastDelivery, lastFailure } = this.delivery.figures
    const { url, query, format, paused, retiring = [] } = registration
    const { after, health: stated } = this.delivery
    const lag = Math.max(0, this.#parts.store.status.sequence - after)
    const health = paused ? 'paused' : stated === 'idle' && lag > 0 ? 'delivering' : stated
    const deadLetters = this.delivery.deadLetters.length
    const counts = { lag, delivered, failed: attemptsFailed, deadLetters, lastDelivery, lastFailure }
    const now = this.#parts.clock.now()
    const retiringSecrets = retiring.map(({ until }) => until).filter((until) => until > now)
    return { id, application, url, query, format, created, health, after, ...counts, retiringSecrets }
  }

  /** Goes on, unless it is paused. */
  start(): void {
    if (!this.state.registration.paused) this.delivery.start()
  }

  /** The stream as the application may see it, for as long as it is that application. */
  async *#follow(after: Sequence, signal: AbortSignal): AsyncGenerator<TailPage> {
    const { store } = this.#parts
    const { query } = this.state.registration
    const principal = this.#principal()
    for await (const page of store.tail({ principal, protocol: 'http' }, { after, query, signal })) {
      if (this.#principal() !== principal) throw this.#isGone()
      yield page
    }
  }

  /** What was read with a right that is gone is not told any more. */
  async #send(message: Message, signal: AbortSignal): Promise<Outcome> {
    try {
      permit({ principal: this.#principal(), protocol: 'http' }, 'object:read')
    } catch (error) {
      return { kind: 'refused', reason: (error as StoreError).message }
    }
    const secrets = validSecrets(this.#secrets, this.#parts.clock.now())
    const target = { url: this.state.registration.url, secrets }
    return this.#parts.sender.send(target, message, signal)
  }

  #principal(): Principal {
    const principal = this.#parts.principalOf(this.state.application)
    if (principal === undefined) throw this.#isGone()
    return principal
  }

  #isGone(): StoreError {
    return new StoreError('ERR_FORBIDDEN', `application ${this.state.application} is not what it was`)
  }
}
