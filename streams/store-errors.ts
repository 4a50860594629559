import { PoolError, type PoolErrorCode } from '../pool/index.ts'
import { StoreError, type StoreErrorCode } from './errors.ts'

/** What each refusal of the pool is called here. */
const CODES = {
  ERR_LIMITS: 'ERR_TOO_LARGE',
  ERR_NO_SPACE: 'ERR_NO_SPACE',
  ERR_BUSY: 'ERR_BUSY',
  ERR_LOCKED: 'ERR_LOCKED',
  ERR_CONFLICT: 'ERR_CONFLICT',
  ERR_NOT_FOUND: 'ERR_NOT_FOUND',
  ERR_CORRUPT: 'ERR_CORRUPT',
  ERR_FORMAT: 'ERR_CORRUPT',
  ERR_IO: 'ERR_INTERNAL',
  ERR_HALTED: 'ERR_HALTED',
  ERR_OUTCOME_UNKNOWN: 'ERR_OUTCOME_UNKNOWN',
  ERR_CLOSED: 'ERR_HALTED',
} as const satisfies Record<PoolErrorCode, StoreErrorCode>

/** Any error in the store's words; what is nobody's refusal is a fault of ours, and its cause is for the log. */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  if (error instanceof PoolError) return new StoreError(CODES[error.code], error.message, { cause: error })
  return new StoreError('ERR_INTERNAL', 'the store failed', { cause: error })
}

/** Says the errors of `work` in the store's words. */
export async function inStoreWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toStoreError(error)
  }
}
