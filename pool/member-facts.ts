import type { StorageFacts } from '../system/index.ts'
import type { AtomicWriteLimits } from './device.ts'

/** What is known of a path that is to be a member of a pool. */
export interface MemberFacts extends StorageFacts {
  /** What the kernel itself says that is written there all or nothing. */
  readonly atomicWrite?: AtomicWriteLimits
}

/** Where the bytes of a member lie in the end. */
export interface Place {
  readonly medium: string
  readonly start: number
  readonly length: number
}

/** The member, then what its loop device is made of, and so on down: each must keep what the pool promises. */
export function layersOf(member: StorageFacts): readonly StorageFacts[] {
  return member.backing ? [member, ...layersOf(member.backing)] : [member]
}

/** Bytes between the beginning of the disk and that of the member, or of its file system; undefined is unknown. */
export function startOf(member: StorageFacts): number | undefined {
  const starts = layersOf(member).map(({ block }) => block?.start)
  return starts.every((start) => start !== undefined) ? starts.reduce((sum, start) => sum + start, 0) : undefined
}

/** File systems that write a block of theirs in place, whole, when a part of it changes. */
const IN_PLACE = ['ext4', 'xfs', 'f2fs', 'jfs']

/**
 * What a torn write may damage at once: the largest physical block in any layer, and the block of a file system unless
 * the pool writes past its cache.
 */
export function physicalBlockOf(member: StorageFacts, direct: boolean): number {
  const sizes = layersOf(member).flatMap(({ block, filesystem }, layer) => [
    block?.physicalBlockSize ?? 0,
    filesystem && IN_PLACE.includes(filesystem.name) && !(direct && layer === 0) ? filesystem.blockSize : 0,
  ])
  return Math.max(0, ...sizes)
}

/** A loop device lies in its file, a partition in its disk. */
export function placeOf(member: StorageFacts): Place {
  const { kind, device, inode, block, backing } = member
  const length = member.size ?? Number.POSITIVE_INFINITY
  if (kind !== 'block') return { medium: `file ${device} ${inode}`, start: 0, length }
  const start = block?.start ?? 0
  if (!backing) return { medium: block?.loopFile ?? block?.medium ?? device, start, length }
  const below = placeOf(backing)
  return { medium: below.medium, start: below.start + start, length }
}

export const overlap = (first: Place, second: Place): boolean =>
  first.medium === second.medium &&
  first.start < second.start + second.length &&
  second.start < first.start + first.length
