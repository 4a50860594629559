import type { NativeAtomicity, PoolAtomicity, PoolStatus } from './contract.ts'
import { joinMembers } from './data-device.ts'
import { ENTRY_PAYLOADS_MAX } from './entry.ts'
import { columnsOf } from './geometry.ts'
import type { Members } from './members.ts'
import type { PoolParts } from './pool.ts'
import { acceptedCodes, refusedOptions } from './refusal.ts'
import { segmentPayloadsMax } from './segment.ts'
import type { Guard } from './superblock.ts'

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
  const enforced = guard.atomicity === 'enforced'
  const accepted = acceptedCodes(guard.accepted)
  return {
    enforced,
    state: state !== 'open' ? state : stale.length > 0 ? 'degraded' : 'ok',
    unitBytes: zones.blockBytes,
    alignmentBytes: zones.blockBytes,
    transactionBytesMax: tuning.transactionBytesMax,
    transactionPayloadsMax: Math.min(ENTRY_PAYLOADS_MAX, segmentPayloadsMax(zones) / 2),
    inlineBytesMax: tuning.inlineBytesMax,
    largePath: 'extent-publish',
    native: nativeOf(guard, members),
    durability: enforced ? 'flush-before-acknowledge' : 'not promised',
    isolation: 'nobody reads what is not durable',
    writeCache: limits.writeCache,
    flushMicrosecondsP50: flushP50(members),
    ordering: 'commit order: a crash leaves a prefix of it',
    redundancy: { dataCopies, journalCopies: dataCopies * guard.geometry.runs, stale },
    checksums: { block: 'crc32c', batch: 'sha256', outOfLine: true },
    faultModel: enforced ? 'v1' : null,
    journal: {
      bytes: allocator.segmentRegions * zones.segmentBytes,
      sinceCheckpointBytes: journal.sinceCheckpoint.bytes,
    },
    stripeUnitBytes: guard.geometry.stripeUnit,
    optimalWriteBytes: optimalWrite(tuning.stagingBytesMax, guard.geometry.stripeUnit),
    accepted,
    refusedOptions: refusedOptions(guard.atomicity, accepted),
    epoch,
    lastRecovery: recovery,
  }
}

/** Payloads go to the devices in writes of `staging`, or in stripe units where those are smaller. */
const optimalWrite = (staging: number, stripeUnit: number): number =>
  stripeUnit > 0 ? Math.min(staging, stripeUnit) : staging

/** As the members are now, which may have changed since the pool was opened; null as soon as one gives a doubt. */
function nativeOf(guard: Guard, members: Members): NativeAtomicity | null {
  const { atomicWrite } = joinMembers(guard, members).device.limits
  if (!atomicWrite) return null
  const isOfDevices = members.all.every(({ device }) => device?.figures?.kind === 'block device')
  return { ...atomicWrite, source: isOfDevices ? 'block device' : 'file system' }
}

/** A flush waits for every member, so the slowest counts. */
function flushP50(members: Members): number {
  const inSync = members.all.filter(({ isInSync }) => isInSync)
  return Math.round(Math.max(0, ...inSync.map(({ device }) => device?.figures?.flushes.quantile(0.5) ?? 0)))
}
