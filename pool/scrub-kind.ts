import { decodeBatchHeader } from './batch.ts'
import { readUint64 } from './bytes.ts'
import type { ScrubKind } from './scrub-report.ts'
import { decodeSegmentHeader } from './segment.ts'
import { decodeGuard, decodeSuperblock, type Guard } from './superblock.ts'

/** A structure of the pool that tells for itself what it is. */
export type Structure =
  | { readonly what: 'guard'; readonly guard: Guard }
  | { readonly what: 'superblock'; readonly serial: number }
  | { readonly what: 'segment'; readonly ordinal: number; readonly region: number }
  | { readonly what: 'batch'; readonly lsn: number }

/** What a block holds, when it is whole and this pool's. Payloads cannot imitate it: they do not know the pool's uuid. */
export function structureIn(block: Buffer, pool: Buffer): Structure | undefined {
  const batch = block.length >= 128 ? decodeBatchHeader(block, readUint64(block, 72), pool) : undefined
  if (batch) return { what: 'batch', lsn: batch.lsn }
  const segment = decodeSegmentHeader(block, pool)
  if (segment) return { what: 'segment', ordinal: segment.ordinal, region: segment.regions[0]! }
  const superblock = decodeSuperblock(block, pool)
  if (superblock) return { what: 'superblock', serial: superblock.serial }
  const guard = guardIn(block)
  return guard?.pool.equals(pool) ? { what: 'guard', guard } : undefined
}

function guardIn(block: Buffer): Guard | undefined {
  try {
    return decodeGuard(block)
  } catch {
    return undefined // Of a later program, or of nonsense: none of ours.
  }
}

/**
 * What wrong bytes are, going by the structures in them: `judge` says what finding one in block number so-and-so means,
 * or undefined when it belongs there.
 */
export function kindOfBlocks(
  bytes: Buffer,
  { pool, blockBytes }: { pool: Buffer; blockBytes: number },
  judge: (structure: Structure, block: number) => ScrubKind | undefined,
): ScrubKind {
  for (let block = 0; block * blockBytes < bytes.length; block++) {
    const structure = structureIn(bytes.subarray(block * blockBytes, (block + 1) * blockBytes), pool)
    const kind = structure && judge(structure, block)
    if (kind) return kind
  }
  return 'checksum'
}
