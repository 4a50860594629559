import type { RecoverySummary } from './contract.ts'
import { PoolError } from './errors.ts'
import type { JournalEnd } from './journal-scan.ts'
import type { Superblock } from './superblock.ts'

/**
 * What the end of the journal means. A torn tail is the normal trace of a crash; acknowledged history that is gone is
 * not, and is never cut off silently. X is the position of the first batch that is not whole.
 *
 *   | X                     | whole batches of this life beyond X    | verdict                                    |
 *   | before K              | any                                    | ERR_CORRUPT: X was acknowledged            |
 *   | elsewhere             | one whose durable position is beyond X | ERR_CORRUPT: X was acknowledged            |
 *   | elsewhere             | some, none that knew X durable         | reordered tail: cut at X, not acknowledged |
 *   | elsewhere             | none; X begins like a batch            | torn tail: cut at X                        |
 *   | the clean end         | none                                   | clean                                      |
 *   | elsewhere             | none; X begins like nothing            | complete                                   |
 *
 * K is what was known to be durable: the epoch's start, a clean end, or what the superblock says, whichever is last.
 */
export function verdict(end: JournalEnd, superblock: Superblock): RecoverySummary['verdict'] {
  const { epochStartLsn, cleanEndLsn, knownDurableLsn } = superblock
  const known = Math.max(epochStartLsn, cleanEndLsn, knownDurableLsn)
  const acknowledged = Math.max(known, ...end.later.map(({ durableLsn }) => durableLsn))
  if (end.lsn < acknowledged) {
    throw new PoolError(
      'ERR_CORRUPT',
      `acknowledged records are damaged: the journal ends at position ${end.lsn} but was durable up to ${acknowledged}`,
    )
  }
  if (end.later.length > 0) return 'reordered-tail'
  if (end.torn) return 'torn-tail'
  return end.lsn === cleanEndLsn ? 'clean' : 'complete'
}
