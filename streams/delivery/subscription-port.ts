import type { Sequence } from '../../pool/index.ts'
import type { Origin } from '../envelope.ts'
import type { DeadLetter } from '../records/record.ts'

export interface SubscriptionRequest {
  /** http or https. */
  readonly url: string
  /** '' for every record that the application may see. */
  readonly query?: string
  /** One of RECORD_FORMATS; `json` by default. */
  readonly format?: string
  /** Begins with the record after this one; `now`, the default, with what is to come. */
  readonly after?: Sequence | 'now'
}

/**
 * `idle`: everything was delivered. `failing`: something is tried again. `blocked`: so many dead letters wait that no
 * more are made; what fails is tried until it succeeds. `paused`: nothing is delivered until it is resumed.
 */
export type SubscriptionHealth = 'idle' | 'delivering' | 'failing' | 'blocked' | 'paused'

export interface DeliveryFailure {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly reason: string
}

/** How a subscription is. Counts are from the start of the process. */
export interface SubscriptionSummary {
  readonly id: string
  readonly application: string
  readonly url: string
  readonly query: string
  readonly format: string
  readonly created: number
  readonly health: SubscriptionHealth
  /** Every record up to this one was delivered, is a dead letter, or was not asked for. */
  readonly after: Sequence
  /** Sequences between `after` and the end of the stream. */
  readonly lag: number
  readonly delivered: number
  readonly failed: number
  readonly deadLetters: number
  readonly lastDelivery: number | null
  readonly lastFailure: DeliveryFailure | null
  /** When the secrets before the one that is valid end to sign, too; milliseconds since 1970. */
  readonly retiringSecrets: readonly number[]
}

/** What is to be otherwise from now on; the place in the stream stays, and the dead letters. */
export interface SubscriptionChange {
  readonly url?: string
  readonly query?: string
  readonly format?: string
  readonly paused?: boolean
}

/** A subscription that was just made, or has a new secret. */
export interface Subscribed extends SubscriptionSummary {
  /** `whsec_…` of Standard Webhooks: what deliveries are signed with; told this once. */
  readonly secret: string
}

/** What is to be delivered once more: all records after one, or the dead letters alone. */
export type Replay = { readonly after: Sequence } | { readonly deadLetters: true }

/**
 * What a principal with `subscription:manage` may do with its own subscriptions, and with `application:manage` also with
 * those of others; ERR_FORBIDDEN for any other, ERR_NOT_FOUND for what is none of its own.
 */
export interface SubscriptionAdministration {
  /** ERR_INVALID for a target that may not be, a query that is none, or a place beyond the end; ERR_QUOTA. */
  add(origin: Origin, request: SubscriptionRequest): Promise<Subscribed>
  list(origin: Origin): Promise<readonly SubscriptionSummary[]>
  show(origin: Origin, id: string): Promise<SubscriptionSummary>
  deadLetters(origin: Origin, id: string): Promise<readonly DeadLetter[]>
  replay(origin: Origin, id: string, replay: Replay): Promise<SubscriptionSummary>
  /** Forgets the dead letters; how many there were. */
  discard(origin: Origin, id: string): Promise<number>
  /** ERR_INVALID as for a new one. */
  change(origin: Origin, id: string, change: SubscriptionChange): Promise<SubscriptionSummary>
  /**
   * Gives it a new secret. The one before signs, too, for `overlapSeconds`; with 0 all before end at once. ERR_CONFLICT
   * while as many as may be are still valid.
   */
  rotate(origin: Origin, id: string, overlapSeconds: number): Promise<Subscribed>
  remove(origin: Origin, id: string): Promise<void>
}
