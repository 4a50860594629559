import type { SMTPServerSession } from 'smtp-server'
import type { EmailFacts, Envelope, Origin, Principal } from '../../streams/index.ts'
import { hostPort } from '../address.ts'
import { dsnOf } from './dsn.ts'
import type { Mailbox } from './mailbox.ts'
import { partBounds } from './options.ts'
import { protectionOf } from './protection.ts'
import type { Ulid } from './ulid.ts'

/** An address that a message goes to, as the client gave it, what that stands for, and as whom it is stored there. */
export interface Recipient extends Mailbox {
  readonly address: string
  readonly principal: Principal
  /** Anybody may be its sender, who is verified first. */
  readonly isStranger: boolean
}

/** Mail of one day stands together, in the order in which it came: `2025/03/01/<ULID>.eml`. */
export function keyOf({ time, text }: Ulid): string {
  return `${new Date(time).toISOString().slice(0, 10).replaceAll('-', '/')}/${text}.eml`
}

function originOf({ remoteAddress, remotePort, id, transaction }: SMTPServerSession, principal: Principal): Origin {
  const peer = hostPort(remoteAddress, remotePort)
  return { principal, protocol: 'smtp', peer, request: `${id}.${transaction}` }
}

/** Where the message is one object, for however many recipients. */
export function folderOf({ bucket, prefix }: Mailbox): string {
  return `${bucket}/${prefix}`
}

/** The recipients of each folder. */
export function groupsOf(recipients: readonly Recipient[]): readonly (readonly Recipient[])[] {
  const folders = [...new Set(recipients.map(folderOf))]
  return folders.map((folder) => recipients.filter((recipient) => folderOf(recipient) === folder))
}

/** One envelope for each folder of the recipients, in the order of groupsOf(); keys differ by their prefixes alone. */
export function envelopesOf(
  session: SMTPServerSession,
  recipients: readonly Recipient[],
  key: string,
): readonly Envelope<EmailFacts>[] {
  const groups = groupsOf(recipients)
  const hasParts = (those: readonly Recipient[]) => those.some(({ parts }) => parts)
  const sharing = groups.filter(hasParts).length
  const parts = { ...partBounds, countMax: Math.floor(partBounds.countMax / Math.max(1, sharing)) }
  const announced = sizeOf(session)
  return groups.map((those) => {
    const { bucket, prefix, principal } = those[0]!
    return {
      origin: originOf(session, principal),
      name: { bucket, key: `${prefix}${key}` },
      facts: { ...factsOf(session, those), ...(hasParts(those) && { parts }) },
      expected: {},
      ...(announced !== undefined && { announced }),
      attributes: {},
    }
  })
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
  const route = recipients.find((recipient) => recipient.route)?.route?.id
  return {
    type: 'email',
    mailFrom: mailFrom ? mailFrom.address : '',
    rcptTo: recipients.map(({ address }) => address),
    helo: session.hostNameAppearsAs,
    secure: session.secure,
    ...(tls && { tls }),
    ...(session.user && { login: session.user.application }),
    ...(tag !== undefined && { tag }),
    ...(route !== undefined && { route }),
    ...(dsn && { dsn }),
  }
}
