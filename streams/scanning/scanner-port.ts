import type { ObjectName, Origin } from '../envelope.ts'

/** What a scanner is told of an upload, all of whose bytes have come. */
export interface ScanSubject {
  readonly origin: Origin
  readonly name: ObjectName
  /** Bytes. */
  readonly size: number
  /** Lower-case hex. */
  readonly sha256: string
  /** A media type, as content was found to be. */
  readonly contentType: string
}

/** What it made of that. Reasons are in words. */
export type ScanOutcome =
  | { readonly verdict: 'clean' }
  | { readonly verdict: 'refused'; readonly reason: string }
  | UnknownOutcome

/** Nobody knows: it did not answer, or not in words that are understood, or was not asked. */
export interface UnknownOutcome {
  readonly verdict: 'unknown'
  readonly reason: string
  /** Asked again, it would be no better. */
  readonly isLasting?: true
}

/** Somebody outside who judges what is to be stored. */
export interface Scanner {
  /** For the attributes of what it judged, and the log. */
  readonly name: string
  /**
   * Resolves in any case, soon after `signal` is aborted at the latest. `bytes` may be iterated once and be left before
   * their end.
   */
  scan(subject: ScanSubject, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ScanOutcome>
}

export function noVerdict(reason: string): UnknownOutcome {
  return { verdict: 'unknown', reason }
}
