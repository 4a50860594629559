import { Headers } from '@zone-eu/mailsplit'
import type { Attributes, AttributeValue } from '../streams/index.ts'
import { type Mailbox, parseAddressList } from './address.ts'
import { bounded, LIST_LENGTH_MAX } from './bounds.ts'
import { parseMailDate } from './date.ts'
import { decoded, mediaType, messageId } from './mime/entity.ts'

/** The hops of a mail that are told, the last ones, and what is told of each. */
export const HOPS_MAX = 8
export const HOP_BYTES_MAX = 512
/** The messages that a mail refers to, the last ones. */
export const REFERENCES_MAX = 64
export const REFERENCE_BYTES_MAX = 256
/** Addresses in fields that have one or two. */
export const FEW_ADDRESSES_MAX = 16
/** Fields of a scanner of spam that have no attribute of their own. */
export const SPAM_FIELDS_MAX = 16
const SPAM_FIELD_BYTES_MAX = 512

type Reader = (headers: Headers) => AttributeValue

const READERS: { readonly [attribute: string]: Reader } = {
  'email.from': (headers) => sender(headers, 'from')?.address ?? '',
  'email.from-name': (headers) => decoded(sender(headers, 'from')?.name ?? ''),
  'email.sender': (headers) => sender(headers, 'sender')?.address ?? '',
  'email.reply-to': (headers) => addresses(headers, 'reply-to', FEW_ADDRESSES_MAX),
  'email.to': (headers) => addresses(headers, 'to'),
  'email.cc': (headers) => addresses(headers, 'cc'),
  'email.bcc': (headers) => addresses(headers, 'bcc', FEW_ADDRESSES_MAX),
  'email.subject': (headers) => decoded(headers.getFirst('subject')),
  'email.message-id': (headers) => messageId(headers.getFirst('message-id')),
  'email.date': (headers) => parseMailDate(headers.getFirst('date')) ?? '',
  'email.in-reply-to': (headers) => messageId(headers.getFirst('in-reply-to')),
  'email.references': references,
  'email.list-id': (headers) => messageId(headers.getFirst('list-id')),
  'email.content-type': (headers) => mediaType(headers.getFirst('content-type')),
  'email.received': (headers) =>
    fields(headers, 'received')
      .slice(0, HOPS_MAX)
      .map((hop) => bounded(hop, HOP_BYTES_MAX)),
  'email.received-count': (headers) => fields(headers, 'received').length,
  'email.spam-flag': (headers) => decoded(headers.getFirst('x-spam-flag')),
  'email.spam-status': (headers) => decoded(headers.getFirst('x-spam-status')),
  'email.spam-score': (headers) => decoded(headers.getFirst('x-spam-score')),
  'email.spam-fields': spamFields,
}

/**
 * The attributes in a header section (RFC 5322, 2047, 6532). A header that is missing, empty or malformed yields no
 * attribute; of one that stands there twice the first counts, except that recipients add up.
 */
export function headerAttributes(section: Buffer): Attributes {
  const headers = new Headers(section)
  const attributes: { [name: string]: AttributeValue } = {}
  for (const [name, read] of Object.entries(READERS)) {
    const value = attempt(read, headers)
    if (value !== '' && value !== 0 && !(Array.isArray(value) && value.length === 0)) attributes[name] = value
  }
  return attributes
}

/** A mail is worth more than its attributes: what a library stumbles over costs an attribute, never the mail. */
function attempt(read: Reader, headers: Headers): AttributeValue {
  try {
    return read(headers)
  } catch {
    return ''
  }
}

function sender(headers: Headers, name: string): Mailbox | undefined {
  return parseAddressList(headers.getFirst(name), 1)[0]
}

function addresses(headers: Headers, name: string, lengthMax = LIST_LENGTH_MAX): readonly string[] {
  return headers
    .getDecoded(name)
    .flatMap(({ value }) => parseAddressList(value, lengthMax))
    .map(({ address }) => address)
    .filter((address) => address !== '')
    .slice(0, lengthMax)
}

/** Every field of a name, each on one line, the topmost first: of Received that is the last hop (RFC 5321 section 4.4). */
function fields(headers: Headers, name: string): readonly string[] {
  return headers.getDecoded(name).map(({ value }) => value.replace(/[\s\p{Cc}]+/gu, ' ').trim())
}

/** The last ones: those are next to this message (RFC 5322 section 3.6.4). */
function references(headers: Headers): readonly string[] {
  const found = headers.getFirst('references').match(/<[^<>\s]+>/g) ?? []
  return found.slice(-REFERENCES_MAX).map((id) => bounded(id.slice(1, -1), REFERENCE_BYTES_MAX))
}

const OWN_ATTRIBUTE = new Set(['x-spam-flag', 'x-spam-status', 'x-spam-score'])

/** `x-spam-level: ***`: what a scanner upstream wrote of it, or whoever sent it. */
function spamFields(headers: Headers): readonly string[] {
  const names = new Set(headers.getList().map(({ key }) => key))
  return [...names]
    .filter((key) => key.startsWith('x-spam-') && !OWN_ATTRIBUTE.has(key))
    .slice(0, SPAM_FIELDS_MAX)
    .map((key) => [key, decoded(headers.getFirst(key))])
    .filter(([, value]) => value !== '')
    .map((field) => bounded(field.join(': '), SPAM_FIELD_BYTES_MAX))
}
