/** Why the pool said no. The set is closed: the store translates each, and a new one does not compile until it does. */
export type PoolErrorCode =
  | 'ERR_LIMITS' /* a request or an option that breaks a limit; nothing was written */
  | 'ERR_NO_SPACE' /* refused at admission; nothing was written */
  | 'ERR_BUSY' /* a bounded queue is full; try again */
  | 'ERR_LOCKED' /* another process holds the device */
  | 'ERR_CONFLICT' /* a precondition does not hold, or a name is taken; nothing was written */
  | 'ERR_NOT_FOUND' /* no such record or volume, or its payload was released */
  | 'ERR_CORRUPT' /* bytes on the medium contradict their checksum, or acknowledged history is gone */
  | 'ERR_FORMAT' /* not a pool, or of a version this program does not know */
  | 'ERR_IO' /* the medium failed */
  | 'ERR_HALTED' /* an earlier failure ended this incarnation of the pool; reopen it */
  | 'ERR_OUTCOME_UNKNOWN' /* the commit may or may not have become durable */
  | 'ERR_CLOSED'

/** An operating error of the pool. A broken invariant is an assertion, never a PoolError. */
export class PoolError extends Error {
  readonly code: PoolErrorCode

  constructor(code: PoolErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PoolError'
    this.code = code
  }
}

/** True for an operating error of the pool with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly PoolErrorCode[]): error is PoolError {
  return error instanceof PoolError && codes.includes(error.code)
}

/** Of something that was read: it is wrong on every copy. */
export const isCorrupt = (error: unknown): boolean => hasCode(error, 'ERR_CORRUPT')

/** Of something that was read: it is wrong, or the medium does not give it. */
export const isUnreadable = (error: unknown): boolean => hasCode(error, 'ERR_CORRUPT', 'ERR_IO')
