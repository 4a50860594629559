import { parseSubscription, progressed, subscribed } from '../delivery/subscription-state.ts'
import type { DeliveryRecord, SubscriptionRecord } from '../records/record.ts'
import { erase, type Heads, type Operations, store } from './catalog-current.ts'
import { keyIn } from './catalog-keys.ts'

/* The fold of subscriptions: one entry for each that there is, whole, so that one that ends leaves nothing behind. */

export function subscriptionKey(id: string): string {
  return keyIn('u', id)
}

export function foldSubscription(record: SubscriptionRecord, heads: Heads, operations: Operations): void {
  const key = subscriptionKey(record.id)
  const text = heads.get(key)
  const state = subscribed(record, text === undefined ? undefined : parseSubscription(text))
  if (state === undefined) erase(key, heads, operations)
  else store(key, state, heads, operations)
}

/** Of a subscription that ended meanwhile nothing is told any more. */
export function foldDelivery(record: DeliveryRecord, heads: Heads, operations: Operations): void {
  const key = subscriptionKey(record.id)
  const text = heads.get(key)
  if (text !== undefined) store(key, progressed(parseSubscription(text), record), heads, operations)
}
