import type { FastifySchemaValidationError } from 'fastify'
import { StoreError, type StoreErrorCode } from '../../streams/index.ts'
import { http } from '../reply.ts'

/** RFC 9457. `code` is the store's, for programs that tell refusals apart. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: StoreErrorCode
}

/** A refusal whose status is not its code's, or that has headers of its own (alternately name and value). */
export class HttpError extends StoreError {
  readonly status: number
  readonly headers: readonly string[]

  constructor(status: number, code: StoreErrorCode, message: string, headers: readonly string[] = []) {
    super(code, message)
    this.status = status
    this.headers = headers
  }
}

const titles = {
  ERR_UNAUTHENTICATED: 'Credentials are needed',
  ERR_FORBIDDEN: 'Not allowed',
  ERR_NOT_FOUND: 'Not found',
  ERR_INVALID: 'Invalid request',
  ERR_TOO_LARGE: 'Too large',
  ERR_LENGTH_MISMATCH: 'The length differs from the declared one',
  ERR_DIGEST_MISMATCH: 'The digest differs from the declared one',
  ERR_PRECONDITION: 'A precondition does not hold',
  ERR_CONFLICT: 'Conflict',
  ERR_LOCKED: 'Locked',
  ERR_QUARANTINED: 'Quarantined',
  ERR_NAME: 'Name not allowed',
  ERR_CONTENT: 'Content not allowed',
  ERR_REFUSED: 'Refused by a scanner',
  ERR_UNSUPPORTED: 'Not supported',
  ERR_RANGE: 'Range beyond the end',
  ERR_QUOTA: 'Quota exceeded',
  ERR_NO_SPACE: 'No space left',
  ERR_BUSY: 'Busy',
  ERR_TIMEOUT: 'Timed out',
  ERR_OUTCOME_UNKNOWN: 'The outcome is unknown',
  ERR_HALTED: 'The store is halted',
  ERR_CORRUPT: 'Stored bytes are damaged',
  ERR_INTERNAL: 'Internal error',
} as const satisfies Record<StoreErrorCode, string>

const challenges = [
  'WWW-Authenticate',
  'Bearer realm="cenote"',
  'WWW-Authenticate',
  'Basic realm="cenote", charset="UTF-8"',
]
const retrySoon = ['Retry-After', '1']

/** What does not fit the schema of a route's `place`: its query, its body. */
export function invalid(problems: readonly FastifySchemaValidationError[], place: string): StoreError {
  const said = problems.filter(({ keyword }) => keyword !== 'boolean') // Each has a name of its own as well.
  return new StoreError('ERR_INVALID', said.map((problem) => describe(problem, place)).join(', '))
}

function describe({ instancePath, message, params }: FastifySchemaValidationError, place: string): string {
  const { additionalProperties: names = [] } = params as { readonly additionalProperties?: readonly string[] }
  return [`${place}${instancePath} ${message}`, names.join(', ')].filter(Boolean).join(': ')
}

/** What fastify throws at a request before a handler sees it. */
interface FrameworkError extends Error {
  readonly statusCode?: number
}

/** The store's word for any error. Of one that is none of a client's business, the client is told where to look. */
export function storeErrorOf(error: unknown, request: string): StoreError {
  if (error instanceof StoreError) return error
  const { statusCode = 500, message } = error as FrameworkError
  if (statusCode === 413) return new StoreError('ERR_TOO_LARGE', message)
  if (statusCode === 415) return new HttpError(415, 'ERR_UNSUPPORTED', message)
  if (statusCode >= 400 && statusCode < 500) return new StoreError('ERR_INVALID', message)
  return new StoreError('ERR_INTERNAL', `the server failed; its log says why, at request ${request}`, { cause: error })
}

export function problemOf(error: StoreError): Problem {
  const { code, message } = error
  const type = `urn:cenote:problem:${code.slice('ERR_'.length).toLowerCase().replaceAll('_', '-')}`
  const status = error instanceof HttpError ? error.status : http[code]
  return { type, title: titles[code], status, detail: message, code }
}

/** Headers that go with a refusal, alternately name and value. */
export function headersOf(error: StoreError): readonly string[] {
  if (error instanceof HttpError) return error.headers
  if (error.code === 'ERR_UNAUTHENTICATED') return challenges
  return error.code === 'ERR_BUSY' ? retrySoon : []
}
