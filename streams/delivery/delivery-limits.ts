import type { BackoffBounds } from './backoff.ts'
import type { WindowBounds } from './delivery-window.ts'

export interface DeliveryLimits extends WindowBounds, BackoffBounds {
  /** Of one record; then it is a dead letter. */
  readonly attemptsMax: number
  /** Attempts underway at once. */
  readonly sendsMax: number
  /** While there are so many, what fails is tried on and on. */
  readonly deadLettersMax: number
  /** For attempts underway when it closes. */
  readonly closeMsMax: number
}

/** Twenty attempts take nine hours. */
export const DELIVERY_LIMITS: DeliveryLimits = {
  windowRecordsMax: 256,
  windowCharactersMax: 4 << 20,
  backoffMsMin: 1000,
  backoffMsMax: 3_600_000,
  attemptsMax: 20,
  sendsMax: 8,
  deadLettersMax: 1000,
  closeMsMax: 5000,
}
