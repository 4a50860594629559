import type { PoolAtomicity, PoolStatus } from './contract.ts'
import { ENTRY_PAYLOADS_MAX } from './entry.ts'
import { columnsOf } from './geometry.ts'
import type { PoolParts } from './pool.ts'
import { segmentPayloadsMax } from './segment.ts'

/** What the pool promises, from what it was configured with and how it is. */
export function atomicityOf(
  { core, guard, journal, epoch, recovery }: PoolParts,
  state: PoolStatus['state'],
): PoolAtomicity {
  const { zones, tuning, device, members, allocator } = core
  const { limits } = device
  const stale = members.all.flatMap(({ isInSync }, index) => (isInSync ? [] : [index]))
  const dataCopies = Math.min(
    ...columnsOf(guard.geometry, members.all).map((column) => column.filter(({ isInSync }) => isInSync).length),
  )
  return {
    enforced: guard.atomicity === 'enforced',
    state: state !== 'open' ? state : stale.length > 0 ? 'degraded' : 'ok',
    unitBytes: zones.blockBytes,
    alignmentBytes: zones.blockBytes,
    transactionBytesMax: tuning.transactionBytesMax,
    transactionPayloadsMax: Math.min(ENTRY_PAYLOADS_MAX, segmentPayloadsMax(zones) / 2),
    inlineBytesMax: tuning.inlineBytesMax,
    largePath: 'extent-publish',
    native: limits.atomicWrite ?? null,
    durability: 'flush-before-acknowledge',
    writeCache: limits.writeCache,
    ordering: 'commit order: a crash leaves a prefix of it',
    redundancy: { dataCopies, journalCopies: dataCopies * guard.geometry.runs, stale },
    checksums: { block: 'crc32c', batch: 'sha256', outOfLine: true },
    faultModel: 'v1',
    journal: {
      bytes: allocator.segmentRegions * zones.segmentBytes,
      sinceCheckpointBytes: journal.bytesSinceCheckpoint,
    },
    stripeUnitBytes: guard.geometry.stripeUnit,
    optimalWriteBytes: tuning.stagingBytesMax,
    accepted: acceptedCodes(guard.accepted),
    epoch,
    lastRecovery: recovery,
  }
}

function acceptedCodes(accepted: number): string[] {
  return Array.from({ length: 32 }, (_, number) => number)
    .filter((number) => (accepted >>> number) & 1)
    .map((number) => `R${String(number).padStart(2, '0')}`)
}
