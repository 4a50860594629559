import type { SecureContext } from 'node:tls'
import type { ChallengeAccess, PartBounds, Store } from '../../streams/index.ts'
import { Guests } from '../guests.ts'
import { Networks } from '../networks.ts'
import type { SenderVerifier } from '../senders/contract.ts'
import { nobody } from '../senders/ended-check.ts'
import { type MailRoutes, RouteTable } from './route.ts'
import type { Clock, Random } from './ulid.ts'
import type { AllowedNetworks } from './verify.ts'

/** Every bound of the door. */
export interface SmtpLimits {
  /** Connections of a listener at once; one more is answered 421. */
  readonly connectionsMax: number
  /** Recipients of one message; the folders among them are `foldersMax` at most. */
  readonly recipientsMax: number
  /** Announced as SIZE (RFC 1870), and counted as it does: line ends included, dot-stuffing not. */
  readonly messageBytesMax: number
  /** What is read of a message after its refusal, before the connection is closed. */
  readonly discardBytesMax: number
  readonly commandBytesMax: number
  /** Commands of one connection until a message is stored, and from one to the next; then 421. */
  readonly commandsMax: number
  /** Of these the ones that are refused for good (5yz); then 421. */
  readonly errorsMax: number
  /** Failed AUTH commands of one connection. */
  readonly authenticationFailuresMax: number
  /** For a PROXY header, and for TLS to come up; then the connection is cut. */
  readonly handshakeMsMax: number
  /** From a reply to the next whole command, and from one byte of a message to the next; then 421. */
  readonly idleMsMax: number
  /** From MAIL to the final dot; then 421. */
  readonly transactionMsMax: number
  /** How long drain() waits for messages in flight. */
  readonly drainMsMax: number
  /** For a client that is turned away to close; then its connection is cut. */
  readonly closeMsMax: number
}

/** RFC 5321 section 4.5.3 asks for 100 recipients and five minutes, RFC 4954 section 4 for AUTH lines of 12,288 octets. */
export const smtpLimits: SmtpLimits = {
  connectionsMax: 1024,
  recipientsMax: 100,
  messageBytesMax: 64 * 1024 * 1024,
  discardBytesMax: 64 * 1024 * 1024,
  commandBytesMax: 16 * 1024,
  commandsMax: 1000,
  errorsMax: 20,
  authenticationFailuresMax: 3,
  handshakeMsMax: 30_000,
  idleMsMax: 300_000,
  transactionMsMax: 3_600_000,
  drainMsMax: 30_000,
  closeMsMax: 2_000,
}

/** The domains that mail is taken for when none are named. */
export const domainsDefault = ['cenote.local']

/** Long enough for a client that does not wait for the greeting to give itself away. */
export const BANNER_DELAY_MS = 100

/** As many as one reply line has room for their receipts: 512 octets (RFC 5321 section 4.5.3.1.5). */
export const foldersMax = 8

/** Parts of one message that become objects: in all of its folders together, and their bytes in each of them. */
export const partBounds: PartBounds = { countMax: 256, bytesMax: 1024 ** 3 }

export interface SmtpLogger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  error(details: object, message: string): void
}

/** How a door speaks TLS. */
export interface SmtpTls {
  /** `offered`: STARTTLS may be said (RFC 3207); `required`: it must; `implicit`: from the first byte on (RFC 8314). */
  readonly mode: 'offered' | 'required' | 'implicit'
  /** The certificate of the moment; connections that are open keep theirs. */
  context(): SecureContext
}

export interface SmtpOptions {
  readonly store: Store
  readonly access: ChallengeAccess
  readonly logger: SmtpLogger
  readonly clock: Clock
  readonly random: Random
  readonly host: string
  /** 0 takes any that is free; the frontend's `address` tells which. */
  readonly port: number
  /** LMTP (RFC 2033) is spoken: as SMTP, but for LHLO and a reply for each recipient. */
  readonly lmtp?: boolean
  /** The domains that mail is taken for, by default `cenote.local`; the first is the server's name. */
  readonly domains?: readonly string[]
  readonly allowedNetworks?: AllowedNetworks
  /** Attachments become objects of their own, beside the message. */
  readonly parts?: boolean
  /** Of addresses, besides the buckets' own; none by default. */
  readonly routes?: MailRoutes
  /** Asked about mail that routes take from strangers; without it all of that is put off. */
  readonly senders?: SenderVerifier
  /** Without it nothing here is encrypted. */
  readonly tls?: SmtpTls
  /** AUTH may be said in clear from everywhere, not from this machine alone. */
  readonly clearAuth?: boolean
  /** AUTH CRAM-MD5 (RFC 2195) is offered, too. */
  readonly cramMd5?: boolean
  /** Proxies that begin with a PROXY header, of version 1 or 2; none by default. */
  readonly proxyNetworks?: readonly string[]
  /**
   * The wait before the greeting, in which a client that talks first is refused: by default 100. This machine and the
   * allowed networks are not made to wait.
   */
  readonly bannerDelayMs?: number
  readonly limits?: Partial<SmtpLimits>
  /** Shared by all listeners of a server, so that bounds on who comes are bounds on all of them together. */
  readonly guests?: Guests
}

type Undefaulted = 'allowedNetworks' | 'tls' | 'limits' | 'proxyNetworks'

/** Options with every default filled in. */
export interface SmtpSettings extends Required<Omit<SmtpOptions, Undefaulted>> {
  readonly allowedNetworks: AllowedNetworks | undefined
  readonly tls: SmtpTls | undefined
  readonly proxies: Networks
  readonly limits: SmtpLimits
}

/** @throws {StoreError} ERR_INVALID for what is no network */
export function settingsOf(options: SmtpOptions): SmtpSettings {
  return {
    lmtp: false,
    parts: false,
    domains: domainsDefault,
    allowedNetworks: undefined,
    tls: undefined,
    clearAuth: false,
    cramMd5: false,
    bannerDelayMs: BANNER_DELAY_MS,
    guests: new Guests(),
    routes: new RouteTable(),
    senders: nobody,
    ...options,
    proxies: new Networks(options.proxyNetworks ?? []),
    limits: { ...smtpLimits, ...options.limits },
  }
}
