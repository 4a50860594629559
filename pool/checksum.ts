import { createHash, hash } from 'node:crypto'
import { crc32c as crc32cNative } from '@node-rs/crc32'

export const DIGEST_BYTES = 32

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, going on from `seed`. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  return crc32cNative(bytes, seed)
}

/** Up to so many bytes one call of OpenSSL and a copy take less time than a hash that is fed (measured: 2 µs, not 4). */
const ONE_CALL_BYTES_MAX = 16_384

/** SHA-256 of the parts laid end to end. */
export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const bytes = parts.reduce((sum, { length }) => sum + length, 0)
  if (bytes <= ONE_CALL_BYTES_MAX) return hash('sha256', Buffer.concat(parts, bytes), 'buffer')
  const fed = createHash('sha256')
  for (const part of parts) fed.update(part)
  return fed.digest()
}
