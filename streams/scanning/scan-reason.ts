import type { ScanOutcome } from './scanner-port.ts'

/** Of a reason, in UTF-8: with what is said before it, it fits a line of a reply by mail (RFC 5321 section 4.5.3.1.5). */
export const SCAN_REASON_BYTES_MAX = 256

/** An outcome whose reason, which may be anything, is made one line of at most `SCAN_REASON_BYTES_MAX` bytes. */
export function inPlainWords(outcome: ScanOutcome): ScanOutcome {
  return outcome.verdict === 'clean' ? outcome : { ...outcome, reason: plain(outcome.reason) }
}

/** Without what ends a line, turns its direction, or is no character. */
function plain(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}]+/gu, ' ').trim() || 'no reason was given'
  const bytes = Buffer.alloc(SCAN_REASON_BYTES_MAX)
  const { written } = new TextEncoder().encodeInto(line, bytes)
  return bytes.toString('utf8', 0, written)
}
