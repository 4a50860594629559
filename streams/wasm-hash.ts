import { createMD5, createSHA256, type IHasher } from 'hash-wasm'
import {
  assertHashState,
  CHAINING_WORDS,
  HASH_BLOCK_BYTES,
  type HashAlgorithm,
  type HashFunction,
  type HashFunctions,
  type HashState,
  hexToWords,
  wordsToHex,
} from '../system/index.ts'

/**
 * Offsets in what hash-wasm's save() gives: 4 bytes that name its build, then the C structure of the algorithm, little
 * endian. SHA-256: tail[64] | u64 length | words[8] | digest length. MD5: u32 length mod 2^29 | u32 length / 2^29 |
 * words[4] | tail[64] | scratch.
 */
const LAYOUTS = {
  sha256: { tail: 4, lengthLow: 68, lengthLowBits: 32, words: 76 },
  md5: { lengthLow: 4, lengthLowBits: 29, words: 12, tail: 28 },
} as const satisfies Record<HashAlgorithm, object>

/** A hash function in WebAssembly. Its context is the saved state; one hasher serves all contexts in turn. */
class WasmHash implements HashFunction {
  readonly #algorithm: HashAlgorithm
  readonly #hasher: IHasher

  constructor(algorithm: HashAlgorithm, hasher: IHasher) {
    this.#algorithm = algorithm
    this.#hasher = hasher
  }

  start(): Buffer {
    return Buffer.from(this.#hasher.init().save())
  }

  update(context: Buffer, bytes: Uint8Array): void {
    context.set(this.#hasher.load(context).update(bytes).save())
  }

  freeze(context: Buffer): HashState {
    const { tail, lengthLow, lengthLowBits } = LAYOUTS[this.#algorithm]
    const length = context.readUInt32LE(lengthLow + 4) * 2 ** lengthLowBits + context.readUInt32LE(lengthLow)
    return {
      algorithm: this.#algorithm,
      words: wordsToHex(this.#wordOffsets().map((offset) => context.readUInt32LE(offset))),
      length,
      tail: context.toString('hex', tail, tail + (length % HASH_BLOCK_BYTES)),
    }
  }

  thaw(state: HashState): Buffer {
    assertHashState(state, this.#algorithm)
    const { tail, lengthLow, lengthLowBits } = LAYOUTS[this.#algorithm]
    const context = this.start()
    const words = hexToWords(state.words)
    this.#wordOffsets().forEach((offset, index) => {
      context.writeUInt32LE(words[index]!, offset)
    })
    context.writeUInt32LE(state.length % 2 ** lengthLowBits, lengthLow)
    context.writeUInt32LE(Math.floor(state.length / 2 ** lengthLowBits), lengthLow + 4)
    context.write(state.tail, tail, 'hex')
    return context
  }

  finish(context: Buffer): string {
    return this.#hasher.load(context).digest()
  }

  #wordOffsets(): number[] {
    return Array.from(
      { length: CHAINING_WORDS[this.#algorithm] },
      (_, index) => LAYOUTS[this.#algorithm].words + 4 * index,
    )
  }
}

/** SHA-256 and MD5 wherever WebAssembly runs: SHA-256 at about a sixth of OpenSSL's speed. */
export async function wasmHashes(): Promise<HashFunctions> {
  const [sha256, md5] = await Promise.all([createSHA256(), createMD5()])
  return { sha256: new WasmHash('sha256', sha256), md5: new WasmHash('md5', md5) }
}
