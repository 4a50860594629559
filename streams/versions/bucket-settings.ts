import type { Attributes } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { isoTime, RETENTION_UNTIL } from './retention.ts'

/**
 * Whether a bucket keeps the versions that are replaced and removed. `off` keeps none. `enabled` keeps each until it is
 * removed by its id, or expires. `suspended` keeps those that were kept, and makes versions of which each replaces the
 * one before (S3's null version). A bucket that was enabled once is never off again.
 */
export type Versioning = 'off' | 'enabled' | 'suspended'

export interface Expiry {
  /** Days after which an object is removed, from the put of its current version. */
  readonly currentDays?: number | undefined
  /** Days after which a version is removed for good, from when it was replaced or removed. */
  readonly noncurrentDays?: number | undefined
}

export interface BucketSettings {
  readonly versioning: Versioning
  /** Days for which each version put from now on is retained. */
  readonly retention?: { readonly days: number } | undefined
  readonly expiry?: Expiry | undefined
}

/** What is asked to be otherwise: null takes a setting away, and what is not named stays. */
export interface BucketChange {
  readonly versioning?: Versioning
  readonly retention?: { readonly days: number } | null
  readonly expiry?: Expiry | null
}

export const NEW_BUCKET: BucketSettings = { versioning: 'off' }
export const SETTING_DAYS_MAX = 36_500
export const DAY_MS = 86_400_000

/** The settings after a change. Throws ERR_INVALID for what no bucket can have, ERR_CONFLICT for the way back to off. */
export function changedSettings(before: BucketSettings, change: BucketChange): BucketSettings {
  const { versioning = before.versioning } = change
  if (versioning === 'off' && before.versioning !== 'off')
    throw new StoreError('ERR_CONFLICT', 'a bucket that has kept versions can be suspended, and not be off again')
  const retention = change.retention === undefined ? before.retention : (change.retention ?? undefined)
  const expiry = change.expiry === undefined ? before.expiry : (change.expiry ?? undefined)
  for (const days of [retention?.days, expiry?.currentDays, expiry?.noncurrentDays]) checkDays(days)
  const hasExpiry = expiry?.currentDays !== undefined || expiry?.noncurrentDays !== undefined
  return { versioning, ...(retention && { retention }), ...(hasExpiry && { expiry }) }
}

function checkDays(days: number | undefined): void {
  if (days === undefined || (Number.isInteger(days) && days >= 1 && days <= SETTING_DAYS_MAX)) return
  throw new StoreError('ERR_INVALID', `days are a whole number from 1 to ${SETTING_DAYS_MAX}`)
}

/** What a record says of the bucket it was made in; nothing where no version is kept. */
export function versioningIn({ versioning }: BucketSettings): 'enabled' | 'suspended' | undefined {
  return versioning === 'off' ? undefined : versioning
}

/** What a bucket's default retention makes of a version that is put at `time`. */
export function defaultRetention({ retention }: BucketSettings, time: number): Attributes {
  return retention === undefined ? {} : { [RETENTION_UNTIL]: isoTime(time + retention.days * DAY_MS) }
}
