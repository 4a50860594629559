import type { Policy } from './policy/policy.ts'

/** Data with no identity and no behaviour: what JSON can carry. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain }

export type AttributeValue = string | number | boolean | readonly string[]

/** Dotted names (docs/GLOSSARY.md lists them with type and unit) to values. Times are ISO 8601 strings in UTC. */
export type Attributes = { readonly [name: string]: AttributeValue }

/** What an application asks to do, after US 8,601,147: each type has a filter of its own. */
export type RequestType = 'http' | 'ftp' | 'email'

/** The door that a request came through. */
export type Protocol = 'http' | 'ftp' | 'smtp'

export type Permission =
  | 'object:read'
  | 'object:write'
  | 'object:retain'
  | 'object:hold'
  | 'object:quarantine'
  | 'bucket:create'
  | 'bucket:manage'
  | 'pool:inspect'
  | 'pool:manage'
  | 'subscription:manage'
  | 'application:manage'

/** An application, as its door proved it. */
export interface Principal {
  readonly application: string
  readonly partition: string
  readonly permissions: readonly Permission[]
  readonly policy?: Policy
}

/** Who asks, and through which door; every record carries it. */
export interface Origin {
  readonly principal: Principal
  readonly protocol: Protocol
  /** The network peer, `address:port`; absent for what the server does of itself. */
  readonly peer?: string
  /** Names one request in logs and records. */
  readonly request?: string
}

export interface ObjectName {
  readonly bucket: string
  /** Opaque UTF-8, 1 to 1,024 bytes. */
  readonly key: string
}

export interface HttpFacts {
  readonly type: 'http'
  readonly method: string
  /** Header names in lower case. */
  readonly headers: { readonly [name: string]: string }
}

export interface FtpFacts {
  readonly type: 'ftp'
  readonly user: string
  readonly path: string
  readonly secure: boolean
  /** It came as text (TYPE A): its line ends are CR LF on the way, and LF here. */
  readonly ascii?: boolean
}

export interface EmailFacts {
  readonly type: 'email'
  /** The envelope's sender (RFC 5321 MAIL FROM), '' for the null sender. */
  readonly mailFrom: string
  readonly rcptTo: readonly string[]
  readonly helo: string
  readonly secure: boolean
  /** The part after `+` in the recipient's local part, when there is one. */
  readonly tag?: string
  /** The pattern of the route that took it; absent where its recipient named the bucket itself. */
  readonly route?: string
  /** How it was protected on the way here: `TLSv1.3`, and the cipher suite's name. */
  readonly tls?: { readonly version: string; readonly cipher: string }
  /** The application that AUTH proved; absent where the network was enough. */
  readonly login?: string
  /** What the client asked of reports on delivery; absent where it asked nothing. */
  readonly dsn?: DsnFacts
  /** How much of the message becomes objects of their own; absent when nothing does. */
  readonly parts?: PartBounds
  /** There when it is such a part, and not the message itself. */
  readonly part?: PartFacts
}

/** The parameters of MAIL and RCPT by RFC 3461 section 4, with xtext undone. */
export interface DsnFacts {
  /** `FULL` or `HDRS`: what of the message a report is to hold. */
  readonly ret?: string
  /** The sender's name for the transaction. */
  readonly envid?: string
  /** Of those of which something was asked: when to report, such as `FAILURE,DELAY`, and who they were at first. */
  readonly recipients: readonly { readonly address: string; readonly notify?: string; readonly orcpt?: string }[]
}

/** Of the parts of one message. */
export interface PartBounds {
  readonly countMax: number
  /** Of all of them together, decoded. */
  readonly bytesMax: number
}

/** A part of a message (RFC 2045), and what the message says of it. */
export interface PartFacts {
  /** The key of the message. */
  readonly message: string
  /** Its place in the message: `2`, `2.1` (RFC 9051 section 6.4.5.1). */
  readonly number: string
  readonly mediaType: string
  /** As declared, with parameters; '' when it was not. This and what follows is decoded, and on one line. */
  readonly declaredType: string
  readonly name: string
  readonly disposition: 'attachment' | 'inline' | ''
  readonly contentId: string
}

export type Facts = HttpFacts | FtpFacts | EmailFacts

/** What the client declared of the bytes to come; a difference at the end stores nothing. Digests in lower-case hex. */
export interface Expected {
  readonly size?: number
  readonly sha256?: string
  readonly md5?: string
  readonly crc32c?: string
}

/** Everything known about an upload before its first byte. */
export interface Envelope<F extends Facts = Facts> {
  readonly origin: Origin
  readonly name: ObjectName
  readonly facts: F
  readonly expected: Expected
  /** Bytes that the client said would come, perhaps not exactly: room is kept for them, and nothing is compared. */
  readonly announced?: number
  /** Declared by the client, stored as given: `content.type`, `user.*`. */
  readonly attributes: Attributes
  /** Attributes that are to be the ids of the objects under these names, as it gets its place. */
  readonly refers?: { readonly [attribute: string]: ObjectName }
}

/** As far as the client has said; 0 when it has not. */
export function bytesToCome({ expected, announced = 0 }: Envelope): number {
  return expected.size ?? announced
}
