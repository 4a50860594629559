export { type AtomicWriteClaim, atomicWriteClaim, believe, isPowerOfTwo, writeOnce } from './atomic-write.ts'
export { type BlockDeviceSizes, blockDeviceSizes } from './block-device.ts'
export { type DirectAlignment, directAlignment, turnDirect } from './direct-io.ts'
export {
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
export { lockExclusively } from './lock.ts'
export { alignedSharedBuffer, isAligned } from './memory.ts'
export { agreesWithNode, opensslHashes } from './openssl.ts'
export { dropCleanPages } from './page-cache.ts'
export { queueLimit, queueLimitNumber } from './queue-limits.ts'
export { beginWriteback } from './writeback.ts'
