import type { Attributes, AttributeValue, HttpFacts, Stage } from '../streams/index.ts'
import { bounded } from './bounds.ts'

/**
 * The request headers that describe the object or who sent it (RFC 9110 sections 8 and 10.1, RFC 9111, RFC 6266,
 * RFC 6454). A list of what is taken, so that a header that proves identity (authorization, cookie, a signature)
 * never becomes an attribute.
 */
export const DESCRIBING_HEADERS = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-location',
  'expires',
  'from',
  'last-modified',
  'origin',
  'referer',
  'user-agent',
] as const

/** The filter of request type http. All is known before the first byte. */
export const http: Stage<Attributes, HttpFacts> = {
  name: 'http',
  start({ facts: { method, headers } }) {
    const attributes: { [name: string]: AttributeValue } = { 'http.method': bounded(method) }
    for (const name of DESCRIBING_HEADERS) {
      const value = headers[name]
      if (value) attributes[`http.header.${name}`] = bounded(value)
    }
    const declared = headers['content-type']
    if (declared) attributes['content.declared-type'] = bounded(declared)
    return attributes
  },
  step: (state) => state,
  freeze: () => null,
  thaw: (_plain, envelope) => http.start(envelope),
  finish: (state) => state,
}
