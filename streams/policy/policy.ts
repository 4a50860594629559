import type { Disposition } from '../quarantine/verdict.ts'
import type { ScanPolicy } from '../scanning/scan-policy.ts'

/**
 * What the server holds an application to, whichever door it comes through; what is absent bounds nothing. It stands in
 * the application's registration.
 */
export interface Policy {
  /** Bytes of one object. */
  readonly objectBytesMax?: number
  /** Patterns (glob.ts): what is stored must meet one of them. */
  readonly names?: readonly string[]
  /** Media types that content may be found to have, as `application/pdf` or `image/*`. */
  readonly contentTypes?: readonly string[]
  /** Bytes of all that it has stored and that is kept. */
  readonly quotaBytes?: number
  /** Objects, and versions of them, that it has stored and that are kept. */
  readonly quotaObjects?: number
  /** Addresses and ranges that it may come from. */
  readonly networks?: readonly string[]
  /** Where its FTP sessions begin, and beyond which they see nothing: BUCKET or BUCKET/PREFIX. */
  readonly home?: string
  /** FTP sessions at once. */
  readonly connectionsMax?: number
  /** Of all its FTP sessions together, both ways. */
  readonly bytesPerSecond?: number
  /** What becomes of a file whose sender vanished before it said another word, over FTP; quarantined by default. */
  readonly controlLost?: Disposition
  /** Whether what it uploads is scanned, and what becomes of that whose verdict is unknown; as the server has it by default. */
  readonly scan?: ScanPolicy
}

/** Members that are null are taken away; those that are absent stay. */
export type PolicyChange = { readonly [Member in keyof Policy]?: Policy[Member] | null }
