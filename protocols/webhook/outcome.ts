import type { IncomingMessage } from 'node:http'
import type { Outcome } from '../../streams/index.ts'

/** Any status of success is a yes; any other one, a redirect too, is none. */
export function outcomeOf({ statusCode = 0, headers }: IncomingMessage, now: number): Outcome {
  if (statusCode >= 200 && statusCode < 300) return { kind: 'accepted' }
  const retryAfterMs = retryAfter(headers['retry-after'], now)
  return { kind: 'refused', reason: statusWords(statusCode), ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

/** What is said of an answer that is no yes. */
export function statusWords(statusCode = 0): string {
  return `it answered ${statusCode}${isRedirect(statusCode) ? ', and redirects are not followed' : ''}`
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400 && status !== 304
}

/** RFC 9110 section 10.2.3: a number of seconds, or a date. */
function retryAfter(field: string | undefined, now: number): number | undefined {
  if (field === undefined) return undefined
  if (/^\d{1,9}$/.test(field)) return Number(field) * 1000
  const date = Date.parse(field)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** Of several addresses that were tried in vain, the first one's says enough. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof AggregateError ? error.errors[0] : error
  return cause instanceof Error ? cause.message : String(cause)
}
