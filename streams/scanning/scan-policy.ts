import type { Attributes } from '../envelope.ts'
import { StoreError } from '../errors.ts'
import { quarantined } from '../quarantine/quarantine.ts'
import { isoTime } from '../versions/retention.ts'
import type { ScanOutcome, UnknownOutcome } from './scanner-port.ts'

export const SCAN_POLICIES = ['off', 'accept', 'quarantine', 'refuse'] as const

/** Whether a scanner is asked about what is uploaded and, unless it is `off`, what becomes of that whose verdict is unknown. */
export type ScanPolicy = (typeof SCAN_POLICIES)[number]

export function isScanPolicy(value: unknown): value is ScanPolicy {
  return (SCAN_POLICIES as readonly unknown[]).includes(value)
}

/** Who was asked, if there was anybody, and when it was, in milliseconds since 1970. */
export interface Asked {
  readonly scanner: string | undefined
  readonly time: number
}

/**
 * What a put says of its scan; it is quarantined by that from its first moment on. Throws ERR_REFUSED for what a scanner
 * refused and, where the policy refuses what nobody has judged, ERR_BUSY, or ERR_TOO_LARGE when nobody ever will.
 */
export function attributesOf(policy: ScanPolicy, outcome: ScanOutcome, { scanner, time }: Asked): Attributes {
  const { verdict } = outcome
  const asked = {
    'scan.verdict': verdict,
    'scan.time': isoTime(time),
    ...(scanner !== undefined && { 'scan.scanner': scanner }),
  }
  if (verdict === 'clean') return asked
  const { reason } = outcome
  if (verdict === 'refused') throw new StoreError('ERR_REFUSED', `a scanner refused it: ${reason}`)
  const words = `it was not scanned: ${reason}`
  if (policy === 'refuse') throw refusalOf(outcome, words)
  return { ...asked, 'scan.reason': reason, ...(policy === 'quarantine' && quarantined({}, words, time)) }
}

/** What goes wrong between scanner and server is nothing for senders. */
function refusalOf({ isLasting }: UnknownOutcome, words: string): StoreError {
  return isLasting ? new StoreError('ERR_TOO_LARGE', words) : new StoreError('ERR_BUSY', 'it could not be scanned')
}
