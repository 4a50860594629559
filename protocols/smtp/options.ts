import type { Access, Store } from '../../streams/index.ts'
import type { Clock, Random } from './ulid.ts'
import type { AllowedNetworks } from './verify.ts'

export interface SmtpLimits {
  readonly clientsMax: number
  /** Recipients of one message; the buckets among them are `bucketsMax` at most. */
  readonly recipientsMax: number
  /** Announced as SIZE (RFC 1870), and counted as it does: line ends included, dot-stuffing not. */
  readonly messageBytesMax: number
  /** What is read of a message after its refusal, before the connection is closed. */
  readonly discardBytesMax: number
  readonly commandBytesMax: number
  /** How long a client may owe us input. */
  readonly idleMsMax: number
  /** How long drain() waits for messages in flight. */
  readonly drainMsMax: number
  /** Failed AUTH commands of one connection. */
  readonly authenticationFailuresMax: number
}

/** RFC 5321 section 4.5.3 asks for 100 recipients and five minutes, RFC 4954 section 4 for AUTH lines of 12,288 octets. */
export const smtpLimits: SmtpLimits = {
  clientsMax: 100,
  recipientsMax: 100,
  messageBytesMax: 64 * 1024 * 1024,
  discardBytesMax: 64 * 1024 * 1024,
  commandBytesMax: 16 * 1024,
  idleMsMax: 300_000,
  drainMsMax: 30_000,
  authenticationFailuresMax: 3,
}

/** The domains that mail is taken for when none are named. */
export const domainsDefault = ['cenote.local']

/** As many as one reply line has room for their receipts: 512 octets (RFC 5321 section 4.5.3.1.5). */
export const bucketsMax = 8

export interface SmtpLogger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  error(details: object, message: string): void
}

export interface SmtpOptions {
  readonly store: Store
  readonly access: Access
  readonly logger: SmtpLogger
  readonly clock: Clock
  readonly random: Random
  readonly host: string
  /** 0 takes any that is free; the frontend's `address` tells which. */
  readonly port: number
  /** The domains that mail is taken for, by default `cenote.local`; the first is the server's name. */
  readonly domains?: readonly string[]
  readonly allowedNetworks?: AllowedNetworks
  /** PEM. Without it STARTTLS is not offered. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer }
  /** The wait before the greeting, in which a client that talks first is refused: by default 100, on loopback 0. */
  readonly bannerDelayMs?: number
  readonly limits?: Partial<SmtpLimits>
}
