import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import type { ManagedPool } from '../pool/index.ts'
import { TargetRules, WebhookSender } from '../protocols/index.ts'
import { DELIVERY_LIMITS, type OpenStore, type Timers } from '../streams/index.ts'
import { partition } from './applications.ts'
import type { Gate } from './bootstrap.ts'
import type { Configuration } from './config.ts'
import { NOTES_LIMITS } from './delivery-notes.ts'
import { SecretSeal } from './secrets.ts'
import { Subscriptions } from './subscriptions.ts'

export interface ServedSubscriptionsOptions {
  readonly webhooks: Configuration['webhooks']
  readonly pool: ManagedPool
  readonly store: OpenStore
  readonly gate: Gate
  readonly timers: Timers
  readonly log: Logger
}

/** The subscriptions of a server, and what closes them. */
export interface ServedSubscriptions {
  readonly administration: Subscriptions
  close(): Promise<void>
}

/** Goes on with every delivery, by webhook. */
export async function openSubscriptions(options: ServedSubscriptionsOptions): Promise<ServedSubscriptions> {
  const { webhooks, pool, store, gate, timers, log } = options
  const { networks, timeoutMsMax, attemptsMax, backoffMsMin, backoffMsMax, noteMsMax } = webhooks
  const rules = new TargetRules(networks)
  const sender = new WebhookSender({ rules, clock: Date, limits: { timeoutMsMax } })
  const administration = await Subscriptions.open({
    store,
    sender,
    rules,
    principalOf: gate.principalOf,
    seal: new SecretSeal(gate.master, randomBytes, 'webhook secret'),
    source: `/cenote/${pool.status().position.pool}/${partition}`,
    timers,
    clock: Date,
    random: Math.random,
    bytes: randomBytes,
    limits: { ...DELIVERY_LIMITS, attemptsMax, backoffMsMin, backoffMsMax: Math.max(backoffMsMin, backoffMsMax) },
    notes: { ...NOTES_LIMITS, noteMsMax },
    log,
  })
  const close = async (): Promise<void> => {
    await administration.close()
    sender.close()
  }
  return { administration, close }
}
