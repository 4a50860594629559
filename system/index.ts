export { type AtomicWriteClaim, atomicWriteClaim, believe, isPowerOfTwo, writeOnce } from './atomic-write.ts'
export { type BlockDeviceSizes, blockDeviceSizes } from './block-device.ts'
export { type BlockFacts, blockFacts, type CacheMode } from './block-facts.ts'
export { type DirectAlignment, directAlignment, openDirect, turnDirect } from './direct-io.ts'
export type { ExtentFacts, FileFlags } from './file-extents.ts'
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
export { cutOf } from './socket-error.ts'
export { giveMemory, takeMemory } from './spare-memory.ts'
export { type FilesystemFacts, type StorageFacts, storageFacts } from './storage-facts.ts'
export { beginWriteback } from './writeback.ts'
