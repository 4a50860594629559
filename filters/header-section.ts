import { Headers } from '@zone-eu/mailsplit'
import { Libmime } from 'libmime'
import type { Attributes, AttributeValue } from '../streams/index.ts'
import { type Mailbox, parseAddressList } from './address.ts'
import { bounded, LIST_LENGTH_MAX } from './bounds.ts'
import { parseMailDate } from './date.ts'

const libmime = new Libmime()

const LF = 0x0a
const CR = 0x0d

/**
 * The offset in `chunk` behind the empty line that ends a header section (RFC 5322 section 2.1) of which `kept` is
 * what came before; -1 when the end is still to come. A bare LF ends a line, too.
 */
export function headerSectionEnd(kept: Uint8Array, chunk: Uint8Array): number {
  const byteAt = (index: number) => (index >= 0 ? chunk[index] : (kept.at(index) ?? LF))
  for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
    const before = byteAt(at - 1)
    if (before === LF || (before === CR && byteAt(at - 2) === LF)) return at + 1
  }
  return -1
}

type Reader = (headers: Headers) => AttributeValue

const READERS: { readonly [attribute: string]: Reader } = {
  'email.from': (headers) => sender(headers)?.address ?? '',
  'email.from-name': (headers) => decoded(sender(headers)?.name ?? ''),
  'email.to': (headers) => recipients(headers, 'to'),
  'email.cc': (headers) => recipients(headers, 'cc'),
  'email.subject': (headers) => decoded(headers.getFirst('subject')),
  'email.message-id': (headers) => messageId(headers.getFirst('message-id')),
  'email.date': (headers) => parseMailDate(headers.getFirst('date')) ?? '',
  'email.in-reply-to': (headers) => messageId(headers.getFirst('in-reply-to')),
  'email.content-type': (headers) => mediaType(headers.getFirst('content-type')),
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
    if (value !== '' && !(Array.isArray(value) && value.length === 0)) attributes[name] = value
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

function sender(headers: Headers): Mailbox | undefined {
  return parseAddressList(headers.getFirst('from'), 1)[0]
}

function recipients(headers: Headers, name: string): readonly string[] {
  return headers
    .getDecoded(name)
    .flatMap(({ value }) => parseAddressList(value, LIST_LENGTH_MAX))
    .map(({ address }) => address)
    .filter((address) => address !== '')
    .slice(0, LIST_LENGTH_MAX)
}

/** Text for people: encoded words decoded, and no control character, since an encoded word may hide a line end. */
function decoded(text: string): string {
  return bounded(
    libmime
      .decodeWords(text)
      .replace(/[\s\p{Cc}]+/gu, ' ')
      .trim(),
  )
}

/** The first message identifier (RFC 5322 section 3.6.4), without its angle brackets where it has them. */
function messageId(text: string): string {
  return bounded((/<([^<>]*)>/.exec(text)?.[1] ?? text).replace(/[\s\p{Cc}]+/gu, ''))
}

/** The type and subtype (RFC 2045 section 5.1) in lower case, without parameters. */
function mediaType(text: string): string {
  return bounded(/^[!#$&^.+\w-]+\/[!#$&^.+\w-]+(?=\s*(?:[;(]|$))/.exec(text)?.[0].toLowerCase() ?? '')
}
