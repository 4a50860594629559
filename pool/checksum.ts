import { createHash } from 'node:crypto'
import { crc32c as crc32cNative } from '@node-rs/crc32'

export const DIGEST_BYTES = 32

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`, going on from `seed`. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  return crc32cNative(bytes, seed)
}

/** SHA-256 of the parts laid end to end. */
export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
