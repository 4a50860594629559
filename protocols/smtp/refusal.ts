import { StoreError, type StoreErrorCode } from '../../streams/index.ts'
import { smtp } from '../reply.ts'

/** The enhanced status code of each refusal (RFC 3463); its class is the first digit of the reply code. */
export const enhancedStatus = {
  ERR_UNAUTHENTICATED: '5.7.8',
  ERR_FORBIDDEN: '5.7.1',
  ERR_NOT_FOUND: '5.1.1',
  ERR_INVALID: '5.6.0',
  ERR_TOO_LARGE: '5.3.4',
  ERR_LENGTH_MISMATCH: '4.6.0',
  ERR_DIGEST_MISMATCH: '4.6.0',
  ERR_PRECONDITION: '5.5.0',
  ERR_CONFLICT: '4.5.0',
  ERR_LOCKED: '4.2.0',
  ERR_QUARANTINED: '5.7.1',
  ERR_NAME: '5.7.1',
  ERR_CONTENT: '5.6.1',
  ERR_REFUSED: '5.7.1',
  ERR_UNSUPPORTED: '5.3.3',
  ERR_RANGE: '5.5.4',
  ERR_QUOTA: '4.2.2',
  ERR_NO_SPACE: '4.3.1',
  ERR_BUSY: '4.3.2',
  ERR_TIMEOUT: '4.4.0',
  ERR_OUTCOME_UNKNOWN: '4.3.0',
  ERR_HALTED: '4.3.2',
  ERR_CORRUPT: '4.3.0',
  ERR_INTERNAL: '4.3.0',
} as const satisfies Record<StoreErrorCode, string>

/** A reply that says no: smtp-server sends `responseCode` and, as the text, the message with its enhanced status code. */
export class Refusal extends Error {
  readonly responseCode: number

  constructor(responseCode: number, status: string, text: string, options?: ErrorOptions) {
    super(`${status} ${printable(text)}`, options)
    this.name = 'Refusal'
    this.responseCode = responseCode
  }
}

/** The text of a reply has no other characters (RFC 5321 section 4.2). */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, '?')
}

/** Any error in this door's words. What is not ours to show becomes an internal error, and stays in `cause`. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (!(error instanceof StoreError)) {
    return new Refusal(smtp.ERR_INTERNAL, enhancedStatus.ERR_INTERNAL, 'Internal error', { cause: error })
  }
  return new Refusal(smtp[error.code], enhancedStatus[error.code], error.message, { cause: error })
}
