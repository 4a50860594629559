import { createHash } from 'node:crypto'
import koffi, { type LibraryHandle } from 'koffi'
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
} from './hash.ts'

/** A call with (context), (context, bytes, length) or (digest, context); OpenSSL answers 1 for success. */
type Call = (...parameters: readonly unknown[]) => number

/**
 * OpenSSL's own contexts, which are plain memory (include/openssl/sha.h, md5.h), in the byte order of the machine:
 *
 *   uint32 words[n] | uint32 bits, low | uint32 bits, high | byte tail[64] | uint32 bytes in tail | SHA-256: uint32 32
 *
 * node:crypto runs the same code and hides this state; an upload that can be frozen needs it.
 */
const LAYOUTS = {
  sha256: { prefix: 'SHA256', contextBytes: 112, digestBytes: 32 },
  md5: { prefix: 'MD5', contextBytes: 92, digestBytes: 16 },
} as const satisfies Record<HashAlgorithm, object>

class OpensslHash implements HashFunction {
  readonly #algorithm: HashAlgorithm
  readonly #init: Call
  readonly #update: Call
  readonly #final: Call
  readonly #digest: Buffer

  constructor(library: LibraryHandle, algorithm: HashAlgorithm) {
    const { prefix, digestBytes } = LAYOUTS[algorithm]
    this.#algorithm = algorithm
    this.#init = library.func(`int ${prefix}_Init(void*)`)
    this.#update = library.func(`int ${prefix}_Update(void*, const void*, size_t)`)
    this.#final = library.func(`int ${prefix}_Final(void*, void*)`)
    this.#digest = Buffer.alloc(digestBytes)
  }

  // The context comes from node's slab: aligned to 8 bytes, and several times cheaper than memory of its own.
  start(): Buffer {
    const context = Buffer.allocUnsafe(LAYOUTS[this.#algorithm].contextBytes)
    this.#init(context)
    return context
  }

  update(context: Buffer, bytes: Uint8Array): void {
    if (bytes.length > 0) this.#update(context, bytes, bytes.length)
  }

  freeze(context: Buffer): HashState {
    const fields = this.#fields(context)
    const length = fields.bits[1]! * 2 ** 29 + fields.bits[0]! / 8
    const tail = fields.tail.toString('hex', 0, length % HASH_BLOCK_BYTES)
    return { algorithm: this.#algorithm, words: wordsToHex(fields.words), length, tail }
  }

  thaw(state: HashState): Buffer {
    assertHashState(state, this.#algorithm)
    const context = this.start()
    const fields = this.#fields(context)
    fields.words.set(hexToWords(state.words))
    fields.bits[0] = (state.length % 2 ** 29) * 8
    fields.bits[1] = Math.floor(state.length / 2 ** 29)
    fields.tailLength[0] = fields.tail.write(state.tail, 'hex')
    return context
  }

  finish(context: Buffer): string {
    this.#final(this.#digest, context)
    return this.#digest.toString('hex')
  }

  #fields(context: Buffer) {
    const words = CHAINING_WORDS[this.#algorithm]
    const view = (index: number, length: number) =>
      new Uint32Array(context.buffer, context.byteOffset + 4 * index, length)
    const tailAt = 4 * (words + 2)
    return {
      words: view(0, words),
      bits: view(words, 2),
      tail: context.subarray(tailAt, tailAt + HASH_BLOCK_BYTES),
      tailLength: view(words + 18, 1),
    }
  }
}

/** True when `hash` agrees with node:crypto on every cut that meets a border of its blocks, a freeze and a thaw between. */
export function agreesWithNode(hash: HashFunction, algorithm: HashAlgorithm): boolean {
  const sample = Uint8Array.from({ length: 3 * HASH_BLOCK_BYTES + 9 }, (_, index) => (index * 167) & 0xff)
  const digest = createHash(algorithm).update(sample).digest('hex')
  return [0, 1, 63, 64, 65, 127, 128, 129, sample.length].every((cut) => {
    const before = hash.start()
    hash.update(before, sample.subarray(0, cut))
    const after = hash.thaw(hash.freeze(before))
    hash.update(after, sample.subarray(cut))
    return hash.finish(after) === digest
  })
}

/**
 * SHA-256 and MD5 of the OpenSSL that node itself exports, or undefined when a symbol is missing or an answer is
 * wrong: the calls are deprecated since OpenSSL 3.0, and a distribution's node may be built without them.
 */
export function opensslHashes(): HashFunctions | undefined {
  try {
    const library = koffi.load(null)
    const hashes = { sha256: new OpensslHash(library, 'sha256'), md5: new OpensslHash(library, 'md5') }
    return agreesWithNode(hashes.sha256, 'sha256') && agreesWithNode(hashes.md5, 'md5') ? hashes : undefined
  } catch {
    return undefined
  }
}
