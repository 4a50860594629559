import type { Sequence } from '../../pool/index.ts'
import { StoreError } from '../errors.ts'
import type { DeadLetter, DeliveryRecord, SubscriptionRecord, SubscriptionRegistration } from '../records/record.ts'

/** A subscription as it is: a fold of the records about it, and so there again after a crash. */
export interface SubscriptionState {
  readonly id: string
  /** The application that asked for it first, and whose eyes it has. */
  readonly application: string
  /** Milliseconds since 1970. */
  readonly created: number
  readonly registration: SubscriptionRegistration
  /** Every record up to this one was delivered, is a dead letter, or was not asked for. */
  readonly after: Sequence
  /** In the order of their sequences. */
  readonly dead: readonly DeadLetter[]
}

/** Undefined when it ended. One that there was is changed, and stays whose it was. */
export function subscribed(
  { id, application, time, registration }: SubscriptionRecord,
  before?: SubscriptionState,
): SubscriptionState | undefined {
  if (registration === null) return undefined
  const { after } = registration
  return { ...(before ?? { id, application, created: time, dead: [] }), registration, after }
}

/** What was delivered or given up since the record before. */
export function progressed(state: SubscriptionState, { after, dead, settled }: DeliveryRecord): SubscriptionState {
  const replaced = new Set([...settled, ...dead.map(({ sequence }) => sequence)])
  const kept = state.dead.filter(({ sequence }) => !replaced.has(sequence))
  return { ...state, after, dead: [...kept, ...dead].sort((left, right) => left.sequence - right.sequence) }
}

/** A state as the catalog keeps it; throws ERR_CORRUPT for anything else. */
export function parseSubscription(text: string): SubscriptionState {
  try {
    const state = JSON.parse(text) as SubscriptionState
    if (typeof state.id === 'string' && Array.isArray(state.dead)) return state
  } catch {
    // Told below, without the text.
  }
  throw new StoreError('ERR_CORRUPT', 'a subscription in the catalog is damaged')
}
