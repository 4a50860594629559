import assert from 'node:assert/strict'

export type HashAlgorithm = 'sha256' | 'md5'

/** A block of either algorithm, in bytes (FIPS 180-4 section 1; RFC 1321 section 3.4). */
export const HASH_BLOCK_BYTES = 64

/**
 * The state of a hash function between two bytes, in the terms of its definition and of no implementation.
 * It holds up to 63 bytes of the input: keep it as close as the input itself.
 */
export type HashState = {
  readonly algorithm: HashAlgorithm
  /** The chaining value, 8 hex digits for each 32-bit word, the first word first. */
  readonly words: string
  /** Bytes taken in so far. */
  readonly length: number
  /** The last `length % 64` bytes, which fill no block yet, in hex. */
  readonly tail: string
}

/** A hash function whose state can leave the process. A context belongs to the implementation that made it. */
export interface HashFunction {
  start(): Buffer
  /** Takes in `bytes`; changes the context in place. */
  update(context: Buffer, bytes: Uint8Array): void
  freeze(context: Buffer): HashState
  thaw(state: HashState): Buffer
  /** The digest in lower-case hex. Uses the context up. */
  finish(context: Buffer): string
}

export type HashFunctions = Readonly<Record<HashAlgorithm, HashFunction>>

export const CHAINING_WORDS = { sha256: 8, md5: 4 } as const satisfies Record<HashAlgorithm, number>

export function wordsToHex(words: Iterable<number>): string {
  return Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('')
}

export function hexToWords(hex: string): number[] {
  return (hex.match(/.{8}/g) ?? []).map((word) => Number.parseInt(word, 16))
}

/** A state that came from outside is checked before an implementation copies it into memory of a fixed size. */
export function assertHashState(state: HashState, algorithm: HashAlgorithm): void {
  assert.equal(state.algorithm, algorithm)
  assert(
    /^[0-9a-f]*$/.test(state.words) && state.words.length === 8 * CHAINING_WORDS[algorithm],
    'words of a hash state',
  )
  assert(Number.isSafeInteger(state.length) && state.length >= 0, 'length of a hash state')
  assert(
    /^[0-9a-f]*$/.test(state.tail) && state.tail.length === 2 * (state.length % HASH_BLOCK_BYTES),
    'tail of a hash state',
  )
}
