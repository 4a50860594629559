import type { IncomingHttpHeaders } from 'node:http'

/** What a conditional GET or HEAD is answered with. */
export type Verdict = 'proceed' | 'not-modified' | 'failed'

/** What tells one representation from another. */
export interface Validators {
  /** A strong entity tag, quotes included. */
  readonly etag: string
  /** Milliseconds since 1970. */
  readonly modified: number
}

const conditional = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'] as const
const entityTag = /(W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g
/** IMF-fixdate, the one form that RFC 9110 section 5.6.7 lets a client send; another is no date, and ignored. */
const fixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** The first precondition that a request states, if any. */
export function preconditionOf(headers: IncomingHttpHeaders): string | undefined {
  return conditional.find((name) => headers[name] !== undefined)
}

/** RFC 9110 section 13.2.2, for GET and HEAD of a representation that exists. */
export function evaluate(headers: IncomingHttpHeaders, { etag, modified }: Validators): Verdict {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers
  const unmodifiedSince = parseDate(headers['if-unmodified-since'])
  const modifiedSince = parseDate(headers['if-modified-since'])
  const seconds = Math.floor(modified / 1000) * 1000
  if (match !== undefined) {
    if (!includesTag(match, etag, 'strong')) return 'failed'
  } else if (unmodifiedSince !== undefined && seconds > unmodifiedSince) return 'failed'
  if (noneMatch !== undefined) return includesTag(noneMatch, etag, 'weak') ? 'not-modified' : 'proceed'
  return modifiedSince !== undefined && seconds <= modifiedSince ? 'not-modified' : 'proceed'
}

/**
 * RFC 9110 section 13.1.5: whether Range counts. A date never makes it count, because two versions may be of the same
 * second, which makes ours a weak validator (section 8.8.2.2).
 */
export function rangeApplies(ifRange: string | string[] | undefined, etag: string): boolean {
  return ifRange === undefined || String(ifRange).trim() === etag
}

/** RFC 9110 section 8.8.3.2. */
function includesTag(list: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (list.trim() === '*') return true
  for (const [tag, weak] of list.matchAll(entityTag)) {
    if (weak === undefined ? tag === etag : comparison === 'weak' && tag.slice('W/'.length) === etag) return true
  }
  return false
}

function parseDate(text: string | undefined): number | undefined {
  const time = text !== undefined && fixdate.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}
