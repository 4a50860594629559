import type { IncomingHttpHeaders } from 'node:http'
import { type Expected, StoreError } from '../../streams/index.ts'

type Algorithm = Exclude<keyof Expected, 'size'>

/** Digests that are compared, by their names in a field (RFC 9530 section 5), and their lengths in bytes. */
const algorithms: { readonly [name: string]: readonly [Algorithm, number] } = {
  'sha-256': ['sha256', 32],
  md5: ['md5', 16],
  crc32c: ['crc32c', 4],
}
/** A member of a dictionary (RFC 9651 section 3.2), and a value of it that is a byte sequence, parameters ignored. */
const member = /^([A-Za-z*][\w.*-]*)[ \t]*=[ \t]*(.*)$/
const byteSequence = /^:([A-Za-z0-9+/]*={0,2}):[ \t]*(?:;.*)?$/

/** What a request declares of its body: Content-Length, Content-Digest and Repr-Digest (RFC 9530), Content-MD5 (RFC 1864). */
export function expectedOf(headers: IncomingHttpHeaders): Expected {
  const size = headers['content-length']
  const expected: { -readonly [Name in keyof Expected]: Expected[Name] } =
    size === undefined ? {} : { size: Number(size) }
  // Both are of the same bytes here, because a body is the whole object as it is.
  for (const field of ['content-digest', 'repr-digest'])
    for (const [name, value] of membersOf(field, headers[field]))
      declare(expected, name, byteSequence.exec(value)?.[1] ?? '')
  const md5 = headers['content-md5']
  if (md5 !== undefined) declare(expected, 'md5', String(md5).trim())
  return expected
}

/** RFC 9530 section 3: the digest of the whole object, whichever part of it is sent. */
export function reprDigest(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`
}

/** Names and values of those that are compared; others are ignored (RFC 9530 section 2). */
function membersOf(field: string, value: string | string[] | undefined): readonly (readonly [string, string])[] {
  if (value === undefined) return []
  const members = String(value)
    .split(',')
    .map((text) => {
      const [, name, digest] = member.exec(text.trim()) ?? []
      if (name === undefined || digest === undefined)
        throw new StoreError('ERR_INVALID', `${field} is no list of digests (RFC 9530)`)
      return [name.toLowerCase(), digest] as const
    })
  return members.filter(([name]) => Object.hasOwn(algorithms, name))
}

/** A digest may be declared more than once, and is the same then: a body that is one of two is not what was meant. */
function declare(expected: { [A in Algorithm]?: string }, name: string, base64: string): void {
  const [algorithm, length] = algorithms[name]!
  const digest = hexOf(name, base64, length)
  if ((expected[algorithm] ?? digest) !== digest)
    throw new StoreError('ERR_INVALID', `the request declares different ${name} digests`)
  expected[algorithm] = digest
}

function hexOf(name: string, base64: string, length: number): string {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length === length && bytes.toString('base64') === base64) return bytes.toString('hex')
  throw new StoreError('ERR_INVALID', `the declared ${name} digest is not ${length} bytes in base64`)
}
