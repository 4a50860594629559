/** Why the store said no. Closed: each door has one row for each code, and does not compile while one is missing. */
export type StoreErrorCode =
  | 'ERR_UNAUTHENTICATED'
  | 'ERR_FORBIDDEN'
  | 'ERR_NOT_FOUND'
  | 'ERR_INVALID'
  | 'ERR_TOO_LARGE'
  | 'ERR_LENGTH_MISMATCH'
  | 'ERR_DIGEST_MISMATCH'
  | 'ERR_PRECONDITION'
  | 'ERR_CONFLICT'
  | 'ERR_LOCKED'
  | 'ERR_QUARANTINED'
  | 'ERR_NAME'
  | 'ERR_CONTENT'
  | 'ERR_REFUSED'
  | 'ERR_UNSUPPORTED'
  | 'ERR_RANGE'
  | 'ERR_QUOTA'
  | 'ERR_NO_SPACE'
  | 'ERR_BUSY'
  | 'ERR_TIMEOUT'
  | 'ERR_OUTCOME_UNKNOWN'
  | 'ERR_HALTED'
  | 'ERR_CORRUPT'
  | 'ERR_INTERNAL'

/** An operating error of the store, in words that a door may show to its client. */
export class StoreError extends Error {
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.code = code
  }
}
