export { type BlockFacts, blockFacts, type CacheMode } from './block-facts.ts'
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
export { agreesWithNode, opensslHashes } from './openssl.ts'
export { type FilesystemFacts, type StorageFacts, storageFacts } from './storage-facts.ts'
export { beginWriteback } from './writeback.ts'
