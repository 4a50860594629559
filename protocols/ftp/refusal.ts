import { StoreError } from '../../streams/index.ts'
import { TurnedAway } from '../guests.ts'
import { ftp } from '../reply.ts'

/** A refusal that only FTP knows: wrong sequence, no data connection. Others are the store's. */
export class Refusal extends Error {
  /** The reply code (RFC 959 section 4.2). */
  readonly code: number

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Refusal'
    this.code = code
  }
}

export interface Reply {
  readonly code: number
  readonly message: string
}

/** The one place where errors become replies. What we did not foresee says nothing of itself to the client. */
export function replyOf(error: unknown): Reply {
  if (error instanceof Refusal) return { code: error.code, message: error.message }
  if (error instanceof TurnedAway) return { code: ftp.ERR_UNAUTHENTICATED, message: error.message }
  if (error instanceof StoreError) return { code: ftp[error.code], message: error.message }
  return { code: ftp.ERR_INTERNAL, message: 'Internal error' }
}

/** One line of a reply: a name or a message must not be able to end it and speak on in our voice. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}
