import type { IncomingHttpHeaders } from 'node:http'
import { type Expected, StoreError } from '../../streams/index.ts'

const sha256Bytes = 32
const md5Bytes = 16
/** One member of a dictionary whose value is a byte sequence (RFC 9651 section 3.3.5), parameters ignored. */
const sha256Member = /^sha-256=:([A-Za-z0-9+/]*={0,2}):[ \t]*(?:;.*)?$/

/** What a request declares of its body: Content-Length, Content-Digest and Repr-Digest (RFC 9530), Content-MD5 (RFC 1864). */
export function expectedOf(headers: IncomingHttpHeaders): Expected {
  const size = headers['content-length']
  const sha256 = sameDigest(sha256Of(headers['content-digest']), sha256Of(headers['repr-digest']))
  const md5 = headers['content-md5']
  return {
    ...(size !== undefined && { size: Number(size) }),
    ...(sha256 !== undefined && { sha256 }),
    ...(md5 !== undefined && { md5: hexOf('Content-MD5', String(md5).trim(), md5Bytes) }),
  }
}

/** RFC 9530 section 3: the digest of the whole object, whichever part of it is sent. */
export function reprDigest(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`
}

/** Algorithms that we do not keep are ignored (RFC 9530 section 2); a sha-256 that is none is refused. */
function sha256Of(field: string | string[] | undefined): string | undefined {
  if (field === undefined) return undefined
  const member = String(field)
    .split(',')
    .map((text) => text.trim())
    .find((text) => text.startsWith('sha-256='))
  if (member === undefined) return undefined
  return hexOf('sha-256', sha256Member.exec(member)?.[1] ?? '', sha256Bytes)
}

/** Content-Digest and Repr-Digest are of the same bytes here, because a body is the whole object as it is. */
function sameDigest(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined || one === other) return one ?? other
  throw new StoreError('ERR_INVALID', 'Content-Digest and Repr-Digest declare different SHA-256 digests')
}

function hexOf(name: string, base64: string, length: number): string {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length === length && bytes.toString('base64') === base64) return bytes.toString('hex')
  throw new StoreError('ERR_INVALID', `the declared ${name} digest is not ${length} bytes in base64`)
}
