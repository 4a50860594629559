import { checkHost, type TargetRules } from '../protocols/index.ts'
import {
  type DeadLetter,
  type DeliveryProgress,
  type OpenStore,
  type Origin,
  permit,
  type Replay,
  type Sequence,
  StoreError,
  type Subscribed,
  type SubscriptionAdministration,
  type SubscriptionChange,
  type SubscriptionRegistration,
  type SubscriptionRequest,
  type SubscriptionState,
  type SubscriptionSummary,
} from '../streams/index.ts'
import { serverOrigin } from './bootstrap.ts'
import { DeliveryNotes, NOTES_LIMITS, type NotesLimits, type NotesOptions } from './delivery-notes.ts'
import type { RandomBytes } from './master-key.ts'
import { generateSubscriptionId, type SecretSeal } from './secrets.ts'
import { Subscriber, type SubscriberParts } from './subscriber.ts'
import { newSecret, type OpenSecrets, openSecrets, rotated } from './subscription-secrets.ts'

export interface SubscriptionsOptions extends SubscriberParts {
  readonly store: Pick<OpenStore, 'subscriptions' | 'subscribe' | 'noteDelivery' | 'tail' | 'status'>
  readonly seal: SecretSeal
  readonly rules: TargetRules
  readonly bytes: RandomBytes
  readonly log: NotesOptions['log']
  readonly subscriptionsMax?: number
  readonly notes?: NotesLimits
}

const SUBSCRIPTIONS_MAX = 100

/**
 * Every subscription there is, and its delivery.
 *
 *   add ──▶ DELIVERING ──replay, discard, change, rotate──▶ closed, noted, opened again at what was noted
 *             │  ▲  └──remove──▶ closed, gone
 *       pause ▼  │ resume (both are changes)
 *             PAUSED
 */
export class Subscriptions implements SubscriptionAdministration {
  readonly #options: SubscriptionsOptions
  readonly #notes: DeliveryNotes
  readonly #subscribers = new Map<string, Subscriber>()
  readonly #changing = new Set<string>()
  #adding = 0
  #isClosed = false

  private constructor(options: SubscriptionsOptions) {
    const { store, timers, log, notes: limits = NOTES_LIMITS } = options
    this.#options = options
    this.#notes = new DeliveryNotes({
      note: (progress) => store.noteDelivery(serverOrigin, progress),
      timers,
      limits,
      log,
    })
  }

  /** Goes on with every delivery. Throws ERR_CORRUPT when a secret was sealed under another master key. */
  static async open(options: SubscriptionsOptions): Promise<Subscriptions> {
    const subscriptions = new Subscriptions(options)
    const states = await options.store.subscriptions()
    const secrets = states.map(({ id, registration }) => openSecrets(options.seal, id, registration))
    for (const [index, state] of states.entries()) subscriptions.#start(state, secrets[index]!)
    return subscriptions
  }

  /** As they are now, for figures. */
  get summaries(): readonly SubscriptionSummary[] {
    return [...this.#subscribers.values()].map(({ summary }) => summary)
  }

  async add(
    origin: Origin,
    { url, query = '', format = 'json', after = 'now' }: SubscriptionRequest,
  ): Promise<Subscribed> {
    permit(origin, 'subscription:manage')
    this.#requireRoom()
    this.#adding += 1
    try {
      const { bytes, rules, seal, store } = this.#options
      const target = await targetOf(url, rules)
      const id = generateSubscriptionId(bytes)
      const { secret, sealed } = newSecret(seal, id, bytes)
      const state = await store.subscribe(origin, id, { url: target, query, format, after, secret: sealed })
      return { ...this.#start(state!, { current: secret, retiring: [] }).summary, secret }
    } finally {
      this.#adding -= 1
    }
  }

  async list(origin: Origin): Promise<readonly SubscriptionSummary[]> {
    permit(origin, 'subscription:manage')
    const visible = [...this.#subscribers.values()].filter(({ state }) => isVisible(origin, state))
    return visible.map(({ summary }) => summary)
  }

  async show(origin: Origin, id: string): Promise<SubscriptionSummary> {
    return this.#visible(origin, id).summary
  }

  async deadLetters(origin: Origin, id: string): Promise<readonly DeadLetter[]> {
    return this.#visible(origin, id).delivery.deadLetters
  }

  async replay(origin: Origin, id: string, replay: Replay): Promise<SubscriptionSummary> {
    const { delivery, state } = this.#visible(origin, id)
    if (!('deadLetters' in replay)) await this.#rewrite(origin, id, (state) => from(state, replay.after))
    else if (state.registration.paused) throw new StoreError('ERR_CONFLICT', `subscription ${id} is paused`)
    else delivery.revive()
    return this.#visible(origin, id).summary
  }

  async discard(origin: Origin, id: string): Promise<number> {
    const { delivery } = this.#visible(origin, id)
    const count = delivery.deadLetters.length
    if (count > 0) await this.#rewrite(origin, id, forgotten)
    return count
  }

  async change(origin: Origin, id: string, { url, paused, ...more }: SubscriptionChange): Promise<SubscriptionSummary> {
    this.#visible(origin, id)
    const target = url === undefined ? {} : { url: await targetOf(url, this.#options.rules) }
    await this.#register(origin, id, ({ paused: before, ...registration }) => ({
      ...registration,
      ...more,
      ...target,
      ...((paused ?? before) && { paused: true }),
    }))
    return this.#visible(origin, id).summary
  }

  async rotate(origin: Origin, id: string, overlapSeconds: number): Promise<Subscribed> {
    this.#visible(origin, id)
    const { seal, bytes, clock } = this.#options
    const { secret, sealed } = newSecret(seal, id, bytes)
    await this.#register(origin, id, (registration) => ({
      ...registration,
      ...rotated(registration, sealed, overlapSeconds, clock.now()),
    }))
    return { ...this.#visible(origin, id).summary, secret }
  }

  async remove(origin: Origin, id: string): Promise<void> {
    const subscriber = this.#visible(origin, id)
    await this.#change(id, async () => {
      await this.#options.store.subscribe(origin, id, null)
      this.#subscribers.delete(id)
      await subscriber.delivery.close()
    })
  }

  /** Begins no attempt any more, waits a moment for those underway, and notes how far all have come. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#subscribers.values()].map(({ delivery }) => delivery.close()))
    await this.#notes.flush().catch(() => {}) // It was logged: what is not noted is sent again.
    this.#notes.close()
  }

  #start(state: SubscriptionState, secrets: OpenSecrets): Subscriber {
    const subscriber = new Subscriber(state, secrets, this.#options, (delivery) => this.#notes.tell(delivery))
    this.#subscribers.set(state.id, subscriber)
    if (!this.#isClosed) subscriber.start() // Nobody would close it any more.
    return subscriber
  }

  /** Notes something else of a delivery than what it has come to, and goes on from there; from where it was if it may not. */
  #rewrite(origin: Origin, id: string, change: (state: SubscriptionState) => DeliveryProgress): Promise<void> {
    return this.#reopen(id, (state) => this.#options.store.noteDelivery(origin, change(state)))
  }

  /** Registers it otherwise, from where it has come to: also past what was read, and not asked for, but not noted. */
  #register(
    origin: Origin,
    id: string,
    change: (registration: SubscriptionRegistration) => SubscriptionRegistration,
  ): Promise<void> {
    return this.#reopen(id, async ({ registration, after }, reached) => {
      const changed = { ...change(registration), after: Math.max(after, reached) }
      await this.#options.store.subscribe(origin, id, changed)
    })
  }

  async #reopen(id: string, note: (state: SubscriptionState, reached: Sequence) => Promise<void>): Promise<void> {
    await this.#change(id, async () => {
      const { delivery } = this.#subscribers.get(id)!
      await delivery.close()
      try {
        await this.#notes.flush()
        await note(await this.#stateOf(id), delivery.after)
      } finally {
        const state = await this.#stateOf(id)
        this.#start(state, openSecrets(this.#options.seal, id, state.registration))
      }
    })
  }

  async #stateOf(id: string): Promise<SubscriptionState> {
    const state = (await this.#options.store.subscriptions()).find((one) => one.id === id)
    if (state === undefined) throw missing(id)
    return state
  }

  #visible(origin: Origin, id: string): Subscriber {
    permit(origin, 'subscription:manage')
    const subscriber = this.#subscribers.get(id)
    if (subscriber && isVisible(origin, subscriber.state)) return subscriber
    throw missing(id)
  }

  #requireRoom(): void {
    const { subscriptionsMax = SUBSCRIPTIONS_MAX } = this.#options
    if (this.#subscribers.size + this.#adding < subscriptionsMax) return
    throw new StoreError('ERR_QUOTA', `there are ${subscriptionsMax} subscriptions, and no more may be`)
  }

  /** One change of a subscription at a time; the second of two at once is refused rather than made to wait. */
  async #change(id: string, work: () => Promise<void>): Promise<void> {
    if (this.#changing.has(id)) throw new StoreError('ERR_CONFLICT', `subscription ${id} is being changed`)
    this.#changing.add(id)
    await work().finally(() => this.#changing.delete(id))
  }
}

function isVisible({ principal }: Origin, { application }: SubscriptionState): boolean {
  return application === principal.application || principal.permissions.includes('application:manage')
}

/** The URL of a target that may be. */
async function targetOf(url: string, rules: TargetRules): Promise<string> {
  const target = rules.parse(url)
  await checkHost(target, rules)
  return target.href
}

function missing(id: string): StoreError {
  return new StoreError('ERR_NOT_FOUND', `there is no subscription ${id}`)
}

/** Everything after a place is delivered again, the dead letters there with it. */
function from({ id, dead }: SubscriptionState, after: number): DeliveryProgress {
  return { id, after, dead: [], settled: sequencesOf(dead).filter((sequence) => sequence > after) }
}

function forgotten({ id, after, dead }: SubscriptionState): DeliveryProgress {
  return { id, after, dead: [], settled: sequencesOf(dead) }
}

function sequencesOf(dead: readonly DeadLetter[]): number[] {
  return dead.map(({ sequence }) => sequence)
}
