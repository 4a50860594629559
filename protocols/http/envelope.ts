import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import {
  type AttributeValue,
  type Envelope,
  type HttpFacts,
  type ObjectName,
  type Origin,
  StoreError,
} from '../../streams/index.ts'
import { preconditionOf } from './conditions.ts'
import { expectedOf } from './digest-fields.ts'

const userHeader = 'x-cenote-user-'
/** Headers that prove who asks: they never leave the door. */
const secretHeaders: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization'])
const beyondAscii = /[\u0080-\uffff]/
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The object that a request's path names: `/v1/objects/{bucket}/{key…}`, or the same under /v1/attributes.
 *
 * A key is opaque, so the path is read as it came and decoded exactly once: a router would fold `..`, `//` and `%2F`,
 * which are just characters here. A query is refused rather than ignored, because it is most often a `?` of the key
 * that was not percent-encoded.
 */
export function objectNameOf(target: string): ObjectName {
  const path = target.startsWith('/') ? target : target.slice(target.indexOf('/', target.indexOf('://') + 3))
  if (/[?#]/.test(path)) throw invalid("an object's URL has no query: in a key, ? is %3F and # is %23")
  const bucketStart = path.indexOf('/', path.indexOf('/', 1) + 1) + 1
  const keyStart = path.indexOf('/', bucketStart) + 1
  return { bucket: decode(path.slice(bucketStart, keyStart - 1)), key: decode(path.slice(keyStart)) }
}

/** The same, with the one parameter that the query of such a path may have, alone. */
export function objectTargetOf(target: string, parameter: 'version' | 'versions' | 'at' | 'application'): ObjectTarget {
  const start = target.indexOf(`?${parameter}=`)
  if (start < 0) return { name: objectNameOf(target) }
  const value = decode(target.slice(start + parameter.length + 2))
  return { name: objectNameOf(target.slice(0, start)), value }
}

export interface ObjectTarget {
  readonly name: ObjectName
  readonly value?: string
}

/** Everything that the request says of the object to come. Throws ERR_INVALID for what it says wrongly. */
export function envelopeOf({ url = '', method = '', headers }: IncomingMessage, origin: Origin): Envelope<HttpFacts> {
  refuseConditions(headers)
  const facts: { [name: string]: string } = {}
  const attributes: { [name: string]: AttributeValue } = {}
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || secretHeaders.has(name)) continue
    const text = textOf(Array.isArray(value) ? value.join(', ') : value)
    if (name.startsWith(userHeader)) attributes[userAttribute(name)] = text
    else facts[name] = text
  }
  return {
    origin,
    name: objectNameOf(url),
    facts: { type: 'http', method, headers: facts },
    expected: expectedOf(headers),
    attributes,
  }
}

/** A condition or a part that we would not heed could overwrite what the client meant to keep. */
export function refuseConditions(headers: IncomingHttpHeaders): void {
  const precondition = preconditionOf(headers)
  if (precondition) throw new StoreError('ERR_UNSUPPORTED', `${precondition} is not supported on a change`)
  // RFC 9110 section 14.5.
  if (headers['content-range']) throw invalid('a body is the whole object: Content-Range is not taken')
}

function userAttribute(header: string): string {
  if (header.length > userHeader.length) return `user.${header.slice(userHeader.length)}`
  throw invalid('the header x-cenote-user- lacks a name')
}

/** Node reads header bytes as Latin-1. They are UTF-8 for whoever sends more than ASCII today, if they can be. */
function textOf(value: string): string {
  if (!beyondAscii.test(value)) return value
  try {
    return utf8.decode(Buffer.from(value, 'latin1'))
  } catch {
    return value
  }
}

function decode(text: string): string {
  if (beyondAscii.test(text)) throw invalid('characters beyond ASCII are percent-encoded in a URL')
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new StoreError('ERR_INVALID', 'the URL is not percent-encoded UTF-8', { cause })
  }
}

function invalid(message: string): StoreError {
  return new StoreError('ERR_INVALID', message)
}
