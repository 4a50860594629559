import { domainToASCII } from 'node:url'
import type { SMTPServerSession } from 'smtp-server'
import { type EmailFacts, type Envelope, type Origin, type Principal, StoreError } from '../../streams/index.ts'
import { hostPort } from '../address.ts'
import { dsnOf } from './dsn.ts'
import { partBounds } from './options.ts'
import { protectionOf } from './protection.ts'
import type { Ulid } from './ulid.ts'

/** Where a recipient's mail goes. */
export interface Mailbox {
  readonly bucket: string
  /** The part after the first `+` of the local part. */
  readonly tag?: string
  /** Whether attachments become objects of their own, beside the message. */
  readonly parts?: boolean
}

/** A mailbox and the address that named it, as the client gave it. */
export interface Recipient extends Mailbox {
  readonly address: string
}

/** Domains in the form that they are compared in: ASCII, lower case. */
export function domainSet(domains: readonly string[]): ReadonlySet<string> {
  const invalid = domains.find((domain) => domainToASCII(domain) === '')
  if (invalid !== undefined) throw new StoreError('ERR_INVALID', `'${invalid}' is no domain`)
  return new Set(domains.map(domainToASCII))
}

/**
 * `bucket@domain` and `bucket+tag@domain`, case-folded; undefined for another domain. A recipient without a domain,
 * which RFC 5321 section 4.1.1.3 allows to postmaster alone, is ours: `postmaster` is `postmaster@domain`.
 */
export function mailboxOf(address: string, domains: ReadonlySet<string>): Mailbox | undefined {
  const at = address.lastIndexOf('@')
  if (at >= 0 && !domains.has(domainToASCII(address.slice(at + 1)))) return undefined
  const local = (at >= 0 ? address.slice(0, at) : address).toLowerCase()
  const plus = local.indexOf('+')
  if (plus < 0) return { bucket: local }
  const tag = local.slice(plus + 1)
  return { bucket: local.slice(0, plus), ...(tag && { tag }) }
}

/** The recipients that a session's message has so far. */
export function recipientsOf(session: SMTPServerSession, domains: ReadonlySet<string>): readonly Recipient[] {
  return session.envelope.rcptTo.flatMap(({ address }) => {
    const mailbox = mailboxOf(address, domains)
    return mailbox ? [{ ...mailbox, address }] : []
  })
}

/** Mail of one day stands together, in the order in which it came: `2025/03/01/<ULID>.eml`. */
export function keyOf({ time, text }: Ulid): string {
  return `${new Date(time).toISOString().slice(0, 10).replaceAll('-', '/')}/${text}.eml`
}

export function originOf(session: SMTPServerSession, principal: Principal): Origin {
  const { remoteAddress, remotePort, id, transaction } = session
  const peer = hostPort(remoteAddress, remotePort)
  return { principal, protocol: 'smtp', peer, request: `${id}.${transaction}` }
}

/** One envelope for each distinct bucket among the recipients, all with the same key. */
export function envelopesOf(
  session: SMTPServerSession,
  origin: Origin,
  recipients: readonly Recipient[],
  key: string,
): readonly Envelope<EmailFacts>[] {
  const names = new Set(recipients.map(({ bucket }) => bucket))
  const buckets = [...names].map((name) => [name, recipients.filter(({ bucket }) => bucket === name)] as const)
  const hasParts = (those: readonly Recipient[]) => those.some(({ parts }) => parts)
  const sharing = buckets.filter(([, those]) => hasParts(those)).length
  const parts = { ...partBounds, countMax: Math.floor(partBounds.countMax / Math.max(1, sharing)) }
  const announced = sizeOf(session)
  return buckets.map(([bucket, those]) => ({
    origin,
    name: { bucket, key },
    facts: { ...factsOf(session, those), ...(hasParts(those) && { parts }) },
    expected: {},
    ...(announced !== undefined && { announced }),
    attributes: {},
  }))
}

/** What MAIL told of the message's size (RFC 1870), which need not be the size to the byte. */
function sizeOf({ envelope: { mailFrom } }: SMTPServerSession): number | undefined {
  const { SIZE: size } = (mailFrom ? mailFrom.args : false) || { SIZE: undefined }
  return typeof size === 'string' ? Number(size) : undefined
}

function factsOf(session: SMTPServerSession, recipients: readonly Recipient[]): EmailFacts {
  const { mailFrom } = session.envelope
  const tls = protectionOf(session)
  const dsn = dsnOf(session, recipients)
  const tag = recipients.find((recipient) => recipient.tag !== undefined)?.tag
  return {
    type: 'email',
    mailFrom: mailFrom ? mailFrom.address : '',
    rcptTo: recipients.map(({ address }) => address),
    helo: session.hostNameAppearsAs,
    secure: session.secure,
    ...(tls && { tls }),
    ...(session.user && { login: session.user.application }),
    ...(tag !== undefined && { tag }),
    ...(dsn && { dsn }),
  }
}
