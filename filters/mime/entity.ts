import { Headers } from '@zone-eu/mailsplit'
import { Libmime } from 'libmime'
import { bounded } from '../bounds.ts'

const libmime = new Libmime()

/** The longest boundary that is taken for one; RFC 2046 section 5.1.1 allows 70 characters. */
export const BOUNDARY_BYTES_MAX = 256

/** What the header section of a message, or of a part of one, says of its body (RFC 2045, RFC 2183). */
export interface Entity {
  /** Type and subtype in lower case; what stands there when nothing, or nothing legible, is said (RFC 2045 section 5.2). */
  readonly type: string
  /** As it was declared, with parameters; '' when it was not. */
  readonly declared: string
  /** Of a multipart; '' where there is none that could be one. */
  readonly boundary: string
  /** In lower case. */
  readonly encoding: string
  readonly disposition: 'attachment' | 'inline' | ''
  /** Decoded, on one line; '' when there is none. */
  readonly name: string
  /** Without its angle brackets; '' when there is none. */
  readonly contentId: string
  /** Of application/pkcs7-mime: what was done to the content (RFC 8551 section 3.2.2), in lower case. */
  readonly smimeType: string
}

interface HeaderValue {
  readonly value: string
  readonly params: { readonly [name: string]: string }
  /** Parameters that RFC 2231 wrote, which are decoded already. */
  readonly decodedParams: readonly string[]
}

const NO_VALUE: HeaderValue = { value: '', params: {}, decodedParams: [] }

/** The entity whose header section this is; `typeDefault` is what its multipart makes of a part that says nothing. */
export function readEntity(section: Buffer, typeDefault = 'text/plain'): Entity {
  const headers = new Headers(section)
  const declared = fieldOf(headers, 'content-type')
  const type = parameters(declared)
  const disposition = parameters(fieldOf(headers, 'content-disposition'))
  const kind = disposition.value.toLowerCase()
  return {
    type: mediaType(type.value) || typeDefault,
    declared: oneLine(declared),
    boundary: boundaryOf(type),
    encoding:
      fieldOf(headers, 'content-transfer-encoding')
        .toLowerCase()
        .replace(/[;(\s].*$/s, '') || '7bit',
    disposition: kind === 'attachment' || kind === 'inline' ? kind : '',
    name: nameOf(disposition, 'filename') || nameOf(type, 'name'),
    contentId: messageId(fieldOf(headers, 'content-id')),
    smimeType: (type.params['smime-type'] ?? '').toLowerCase(),
  }
}

/** A mail is worth more than what a library stumbles over: that is taken for a field that is not there. */
function fieldOf(headers: Headers, name: string): string {
  try {
    return headers.getFirst(name)
  } catch {
    return ''
  }
}

function parameters(text: string): HeaderValue {
  try {
    return libmime.parseHeaderValue(text, { stripComments: true }) as unknown as HeaderValue
  } catch {
    return NO_VALUE
  }
}

/** A boundary does not end in a space (RFC 2046 section 5.1.1), and the lines that name it are stripped of theirs. */
function boundaryOf({ params }: HeaderValue): string {
  const boundary = (params.boundary ?? '').trimEnd()
  return Buffer.byteLength(boundary) > BOUNDARY_BYTES_MAX ? '' : boundary
}

/** Names come as parameters of RFC 2231, or as encoded words in quotes (RFC 2047 forbids it, and the world does it). */
function nameOf({ params, decodedParams }: HeaderValue, parameter: string): string {
  const value = params[parameter] ?? ''
  return decodedParams.includes(parameter) ? oneLine(value) : decoded(value)
}

/** Text for people: encoded words decoded, on one line. '' where the library stumbles. */
export function decoded(text: string): string {
  try {
    return oneLine(libmime.decodeWords(text))
  } catch {
    return ''
  }
}

/** No control character, since an encoded word may hide a line end. */
function oneLine(text: string): string {
  return bounded(text.replace(/[\s\p{Cc}]+/gu, ' ').trim())
}

/** The first message identifier (RFC 5322 section 3.6.4), without its angle brackets where it has them. */
export function messageId(text: string): string {
  return bounded((/<([^<>]*)>/.exec(text)?.[1] ?? text).replace(/[\s\p{Cc}]+/gu, ''))
}

/** The type and subtype (RFC 2045 section 5.1) in lower case, without parameters; '' when it is none. */
export function mediaType(text: string): string {
  return bounded(/^[!#$&^.+\w-]+\/[!#$&^.+\w-]+(?=\s*(?:[;(]|$))/.exec(text)?.[0].toLowerCase() ?? '')
}
