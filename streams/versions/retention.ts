import type { Attributes, ObjectName } from '../envelope.ts'
import { StoreError } from '../errors.ts'

/*
 * Retention and legal hold are attributes of a version, so that queries find it and its stream says who set it. What is
 * locked by either is not replaced, removed, expired or renamed, whoever asks and through which door.
 */
export const RETENTION_UNTIL = 'retention.until'
export const RETENTION_HOLD = 'retention.hold'

/** The part of a version's attributes that locks it. */
export interface Lock {
  /** Milliseconds since 1970. */
  readonly until?: number | undefined
  readonly held?: true | undefined
}

export function lockIn(attributes: Attributes): Lock {
  const until = attributes[RETENTION_UNTIL]
  return {
    ...(typeof until === 'string' && { until: Date.parse(until) }),
    ...(attributes[RETENTION_HOLD] === true && { held: true as const }),
  }
}

export function isLocked({ until, held }: Lock, now: number): boolean {
  return held === true || (until !== undefined && until > now)
}

/** Throws ERR_LOCKED for a version that is retained at `now`, or held. */
export function requireUnlocked({ bucket, key }: ObjectName, lock: Lock, now: number): void {
  if (!isLocked(lock, now)) return
  const why = lock.held ? 'under legal hold' : `retained until ${isoTime(lock.until ?? now)}`
  throw new StoreError('ERR_LOCKED', `${bucket}/${key} is ${why}`)
}

export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
