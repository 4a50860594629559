import { readUint64, roundUp, writeUint64 } from './bytes.ts'
import { crc32c, DIGEST_BYTES, sha256 } from './checksum.ts'

/**
 * A batch: one group commit, one contiguous write of whole blocks, never rewritten.
 *
 *   0 u32 magic   4 u32 crc32c(pool uuid | 8…128)   8 u8[32] digest = SHA-256(pool uuid | 40 … 128 + entry bytes)
 *   40 u8[32] digest of the batch before
 *   72 u64 lsn   80 u64 epoch   88 u64 superblock serial   96 u64 durable lsn   104 u64 first sequence
 *   112 u32 blocks   116 u32 entry bytes   120 u32 entries   124 u32 flags (1 seal)
 *   128 entries | padding to 8 | inline payloads (checksummed by their entries) | padding to a block
 *
 * The digest covers what replay reads and, through the entries, the checksums of the payloads. It is the chain.
 * Clients choose what lies in blocks that a batch may come to lie in, or before: the pool's uuid, which they are not
 * told, is in both checks, so that no payload can imitate a batch.
 */
export interface BatchHeader {
  readonly digest: Buffer
  readonly previous: Buffer
  /** Position in the journal, in blocks; grows for ever. */
  readonly lsn: number
  readonly epoch: number
  /** Serial of the superblock in force: one found older than this has been lost. */
  readonly superblockSerial: number
  /** Everything before this position was flushed when the batch was written: a hole there is corruption, no torn tail. */
  readonly durableLsn: number
  readonly firstSequence: number
  readonly blocks: number
  readonly entryBytes: number
  readonly entries: number
  readonly seal: boolean
}

export const BATCH_HEADER_BYTES = 128
const MAGIC = 0x48_43_54_42
const DIGEST_OFFSET = 8
const HASHED_OFFSET = DIGEST_OFFSET + DIGEST_BYTES
const SEAL = 1

/** Where the inline payloads begin, from the start of the batch. */
export const payloadOffset = (entryBytes: number): number => roundUp(BATCH_HEADER_BYTES + entryBytes, 8)

/** Completes the header of a batch whose entries lie in `target` already; returns the batch's digest. */
export function encodeBatchHeader(target: Buffer, header: Omit<BatchHeader, 'digest'>, pool: Buffer): Buffer {
  target.writeUInt32LE(MAGIC, 0)
  header.previous.copy(target, HASHED_OFFSET)
  writeUint64(target, 72, header.lsn)
  writeUint64(target, 80, header.epoch)
  writeUint64(target, 88, header.superblockSerial)
  writeUint64(target, 96, header.durableLsn)
  writeUint64(target, 104, header.firstSequence)
  target.writeUInt32LE(header.blocks, 112)
  target.writeUInt32LE(header.entryBytes, 116)
  target.writeUInt32LE(header.entries, 120)
  target.writeUInt32LE(header.seal ? SEAL : 0, 124)
  const digest = sha256(pool, target.subarray(HASHED_OFFSET, BATCH_HEADER_BYTES + header.entryBytes))
  digest.copy(target, DIGEST_OFFSET)
  target.writeUInt32LE(crc32c(target.subarray(8, BATCH_HEADER_BYTES), seedOf(pool)), 4)
  return digest
}

/** Undefined when these bytes are no batch header of `pool` at position `lsn`. */
export function decodeBatchHeader(source: Buffer, lsn: number, pool: Buffer): BatchHeader | undefined {
  if (source.length < BATCH_HEADER_BYTES || source.readUInt32LE(0) !== MAGIC) return undefined
  if (readUint64(source, 72) !== lsn) return undefined
  if (source.readUInt32LE(4) !== crc32c(source.subarray(8, BATCH_HEADER_BYTES), seedOf(pool))) return undefined
  return {
    digest: Buffer.from(source.subarray(DIGEST_OFFSET, HASHED_OFFSET)),
    previous: Buffer.from(source.subarray(HASHED_OFFSET, HASHED_OFFSET + DIGEST_BYTES)),
    lsn,
    epoch: readUint64(source, 80),
    superblockSerial: readUint64(source, 88),
    durableLsn: readUint64(source, 96),
    firstSequence: readUint64(source, 104),
    blocks: source.readUInt32LE(112),
    entryBytes: source.readUInt32LE(116),
    entries: source.readUInt32LE(120),
    seal: (source.readUInt32LE(124) & SEAL) !== 0,
  }
}

const seeds = new WeakMap<Buffer, number>()

/** The checksum of a pool's uuid, with which those of its headers begin. A uuid never changes. */
function seedOf(pool: Buffer): number {
  let seed = seeds.get(pool)
  if (seed === undefined) {
    seed = crc32c(pool)
    seeds.set(pool, seed)
  }
  return seed
}

/** True when header and entries are what was hashed. `source` holds at least the header and the entries. */
export function isDigestRight(source: Buffer, header: BatchHeader, pool: Buffer): boolean {
  const end = BATCH_HEADER_BYTES + header.entryBytes
  return end <= source.length && sha256(pool, source.subarray(HASHED_OFFSET, end)).equals(header.digest)
}
