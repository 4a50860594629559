import type { AttributeValue, ObjectStat } from '../../streams/index.ts'
import { reprDigest } from './digest-fields.ts'

/** Media types that a browser shows without running anything of them. Every other one is offered as a download. */
const inert = /^(?:text\/plain|image\/(?:png|jpeg|gif|webp|avif|bmp)|audio\/[\w.+-]+|video\/[\w.+-]+)[ \t]*(?:;|$)/i
/** RFC 9110 sections 8.3.1 and 5.5: a type, and parameters of visible characters. */
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+*-]+[ \t]*(?:;[\x20-\x7e]*)?$/
const contentCoding = /^[\w.+-]+(?:[ \t]*,[ \t]*[\w.+-]+)*$/

/**
 * What comes from strangers is served from the server's own origin: the sandbox keeps it from running as that origin
 * whatever it is, nosniff keeps it what it says it is, and a download is never a page.
 */
const sandbox = ['X-Content-Type-Options', 'nosniff', 'Content-Security-Policy', "sandbox; default-src 'none'"]

export function etagOf({ digests }: Pick<ObjectStat, 'digests'>): string {
  return `"${digests.sha256}"`
}

/** Headers of an object that a 304 repeats (RFC 9110 section 15.4.5), alternately name and value. */
export function validatorHeaders(stat: ObjectStat): string[] {
  return [
    'ETag',
    etagOf(stat),
    'Last-Modified',
    new Date(stat.time).toUTCString(),
    'Cache-Control',
    'private, no-cache',
    ...sandbox,
  ]
}

/** Headers of an object that go with its bytes; Content-Length and Content-Range are the answer's. */
export function storedHeaders(stat: ObjectStat): string[] {
  const { attributes } = stat
  const type =
    matching(attributes['content.declared-type'], mediaType) ?? matching(attributes['content.type'], mediaType)
  const coding = matching(attributes['http.header.content-encoding'], contentCoding)
  return [
    'Content-Type',
    type ?? 'application/octet-stream',
    ...(coding === undefined ? [] : ['Content-Encoding', coding]),
    ...(inert.test(type ?? '') ? [] : ['Content-Disposition', 'attachment']),
    'Accept-Ranges',
    'bytes',
    'Repr-Digest',
    reprDigest(stat.digests.sha256),
    ...validatorHeaders(stat),
  ]
}

function matching(value: AttributeValue | undefined, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined
}
