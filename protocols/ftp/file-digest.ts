import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { ObjectStat } from '../../streams/index.ts'

/** By the names of the FTP HASH command (draft-bryan-ftpext-hash-02, and FEAT of servers that have CRC32). */
export type DigestName = 'SHA-256' | 'SHA-1' | 'MD5' | 'CRC32'
export const digestNames: readonly DigestName[] = ['SHA-256', 'SHA-1', 'MD5', 'CRC32']

/** Where a digest that cost a read is kept, for whoever asks next. */
export const digestAttributes = {
  'SHA-1': 'checksum.sha1',
  MD5: 'checksum.md5',
  CRC32: 'checksum.crc32',
} as const satisfies { readonly [Name in Exclude<DigestName, 'SHA-256'>]: string }

/** What the store has of a whole file; the others are calculated from its bytes. */
export function storedDigest({ digests, attributes }: ObjectStat, name: DigestName): string | undefined {
  if (name === 'SHA-256') return digests.sha256
  const known = attributes[digestAttributes[name]]
  return typeof known === 'string' ? known : undefined
}

/** In lower-case hex. */
export async function digestOf(body: AsyncIterable<Uint8Array>, name: DigestName): Promise<string> {
  if (name === 'CRC32') return crc32Of(body)
  const hash = createHash(name)
  for await (const chunk of body) hash.update(chunk)
  return hash.digest('hex')
}

async function crc32Of(body: AsyncIterable<Uint8Array>): Promise<string> {
  let value = 0
  for await (const chunk of body) value = crc32(chunk, value)
  return value.toString(16).padStart(8, '0')
}
