import type { StorageFacts } from '../system/index.ts'
import { roundUp } from './bytes.ts'
import { isPowerOfTwo } from './limits.ts'
import { layersOf, type MemberFacts, overlap, physicalBlockOf, placeOf, startOf } from './member-facts.ts'
import { mirrorsOf, type PoolRequest } from './pool-request.ts'
import { type Refusal, refusal } from './refusal.ts'

/** What is wrong with the members, each on its own and beside each other. */
export function memberRefusals(request: PoolRequest, members: readonly MemberFacts[]): readonly Refusal[] {
  const alone = members.flatMap((member) => [...refusalsOfOne(request, member)])
  return [...alone, ...sharingRefusals(request, members, mirrorsOf(request, members))]
}

/** What is wrong with a member on its own. */
export function* refusalsOfOne(request: PoolRequest, member: MemberFacts): Generator<Refusal> {
  yield* sizeRefusals(request, member)
  yield* alignmentRefusals(request, member)
  yield* blockRefusals(request, member)
  yield* useRefusals(member)
  yield* discardRefusals(request, member)
  for (const layer of layersOf(member)) {
    yield* flushRefusals(layer)
    yield* spaceRefusals(layer)
    yield* transformRefusals(layer)
  }
}

/** R03 */
function* sizeRefusals({ layout, atomicUnit }: PoolRequest, { path, size }: MemberFacts): Generator<Refusal> {
  if (layout !== 'concat' || size === undefined || size % atomicUnit === 0) return
  const whole = size - (size % atomicUnit)
  yield refusal('R03_CONCAT_SEAM', `${path} of ${size} bytes and atomic units of ${atomicUnit}`, {
    nearest: `${whole || atomicUnit}`,
  })
}

/** R04 */
function* alignmentRefusals(request: PoolRequest, member: MemberFacts): Generator<Refusal> {
  const { path, atomicWrite } = member
  const start = startOf(member)
  const boundary = request.native === 'off' ? 0 : (atomicWrite?.boundary ?? 0)
  const alignment = Math.max(request.atomicUnit, physicalBlockOf(member, true), boundary)
  if (start !== undefined && start % alignment !== 0) {
    yield refusal('R04_MISALIGNED_START', `${path} begins at ${start}, off a multiple of ${alignment}`, {
      nearest: `${roundUp(start, alignment)}`,
    })
  }
  for (const { block } of layersOf(member)) {
    if (!block?.alignmentOffset) continue
    const value = `${path} lies on ${block.name}, whose alignment_offset is ${block.alignmentOffset}`
    yield refusal('R04_MISALIGNED_START', value, { nearest: '0' })
  }
}

/** R05, R06, R20 */
function* blockRefusals(request: PoolRequest, member: MemberFacts): Generator<Refusal> {
  const { atomicUnit, io } = request
  const { path, block, kind } = member
  const physical = physicalBlockOf(member, io === 'direct')
  if (atomicUnit < physical) {
    const value = `blocks of ${atomicUnit} bytes on physical blocks of ${physical} (${path})`
    yield refusal('R05_UNIT_LT_PHYSICAL', value, { nearest: `${physical}` })
  }
  const logical = block?.logicalBlockSize
  if (logical !== undefined && atomicUnit % logical !== 0) {
    const value = `blocks of ${atomicUnit} bytes on logical blocks of ${logical} (${path})`
    yield refusal('R06_LBS_MIXED', value, { nearest: isPowerOfTwo(logical) ? `${logical}` : undefined })
  }
  // Where a file lies on its disk is not known, and its file system keeps off bad blocks.
  if (kind === 'block' && (block?.badRanges ?? 0) > 0) {
    yield refusal('R20_BAD_BLOCKS', `${path} has ${block!.badRanges} known bad ranges`)
  }
}

/** R17 */
function* useRefusals({ path, users, readOnly, flags }: MemberFacts): Generator<Refusal> {
  const found = [...users]
  if (readOnly) found.push('read-only')
  if (flags?.immutable) found.push('immutable')
  if (flags?.appendOnly) found.push('append-only')
  if (found.length > 0) yield refusal('R17_NOT_EXCLUSIVE', `${path} is ${found.join(', ')}`)
}

/** R26: a hole in a file reads as zeros (fallocate(2)); of a block device only what it vouches for. */
function* discardRefusals(request: PoolRequest, { path, kind, block }: MemberFacts): Generator<Refusal> {
  if (!request.discard || mirrorsOf(request, []).length === 0) return
  if (kind === 'file' || block?.discardReadsZero) return
  yield refusal('R26_DISCARD_NONDET', `discard on ${path}`, { nearest: 'no discard' })
}

/** File systems whose fsync(2) reaches the medium of an overwritten block. */
const FLUSHING: readonly string[] = ['ext4', 'xfs', 'btrfs', 'zfs', 'bcachefs', 'f2fs', 'jfs']
const FLUSHLESS_OPTION = /^(nobarrier|barrier=0|barrier=none|fsync_mode=nobarrier|journal_flush_disabled)$/

/** R10, R12 */
function* flushRefusals(layer: StorageFacts): Generator<Refusal> {
  const { path, kind, filesystem, block } = layer
  if (kind === 'other') yield refusal('R10_NO_FLUSH', `${path} is neither a file nor a block device`)
  if (kind === 'file') {
    const name = filesystem?.name ?? 'unknown'
    if (!FLUSHING.includes(name)) {
      // Only of FUSE may someone know better: which program serves it is not to be seen from here.
      yield refusal('R10_NO_FLUSH', `${path} on ${filesystem?.type ?? name}`, { acceptable: name === 'fuse' })
    }
    for (const option of filesystem?.options.filter((each) => FLUSHLESS_OPTION.test(each)) ?? []) {
      yield refusal('R10_NO_FLUSH', `${path} on ${name} mounted with ${option}`)
    }
  }
  if (kind === 'block' && (block?.writeCache ?? 'unknown') === 'unknown') {
    yield refusal('R10_NO_FLUSH', `${path}, of whose cache nothing is known`)
  }
  if (block?.memory) yield refusal('R10_NO_FLUSH', `${path} on ${block.name}, which is memory`)
  if (block?.flushesWithheld) {
    const value = `${path} on ${block.name}, whose drive caches writes while the kernel was told otherwise`
    yield refusal('R10_NO_FLUSH', value, { nearest: 'write back in queue/write_cache' })
  }
  if (block?.loopFile !== undefined && !layer.backing) {
    yield refusal('R10_NO_FLUSH', `${path} over ${block.loopFile}, which cannot be looked at`)
  }
  const { level, consistency } = block?.parity ?? {}
  if (level !== undefined && consistency !== 'journal' && consistency !== 'ppl') {
    const value = `${path} on ${level} with consistency policy ${consistency}`
    yield refusal('R12_PARITY', value, { nearest: 'journal' })
  }
}

const COPY_ON_WRITE: readonly string[] = ['btrfs', 'zfs', 'bcachefs', 'nilfs2']

/** R14, R15 */
function* spaceRefusals({ path, size, allocatedBytes, filesystem, extents, block }: StorageFacts): Generator<Refusal> {
  if (size !== undefined && allocatedBytes !== undefined && allocatedBytes < size) {
    yield refusal('R14_THIN', `${path} has ${allocatedBytes} of ${size} bytes`, { nearest: `${size} bytes, written` })
  }
  if (block?.thin) yield refusal('R14_THIN', `${path} on the thin ${block.name}`)
  if (filesystem && COPY_ON_WRITE.includes(filesystem.name)) {
    yield refusal('R15_COW_BACKING', `${path} on ${filesystem.name}`, { nearest: 'xfs or ext4' })
  } else if (extents?.shared) {
    yield refusal('R15_COW_BACKING', `${path} shares extents with another file`, { nearest: 'a copy of its own' })
  }
}

const COMPRESSING_OPTION = /^(compress|compress-force|compression)(=(?!no$|none$|off$).*)?$/

/** R21: what cannot be copied on write is not compressed either (btrfs). */
function* transformRefusals({ path, flags, extents, filesystem, block }: StorageFacts): Generator<Refusal> {
  const option = filesystem?.options.find((each) => COMPRESSING_OPTION.test(each))
  if (flags?.compressed || extents?.encoded) yield refusal('R21_INPLACE_TRANSFORM', `${path} is compressed`)
  else if (option && !flags?.noCopyOnWrite) yield refusal('R21_INPLACE_TRANSFORM', `${path} is mounted with ${option}`)
  if (block?.transformed) yield refusal('R21_INPLACE_TRANSFORM', `${path} on ${block.name}, which packs blocks`)
}

/** R16 */
export function* sharingRefusals(
  request: PoolRequest,
  members: readonly MemberFacts[],
  mirrors: readonly (readonly MemberFacts[])[],
): Generator<Refusal> {
  for (const [first, second] of pairsOf(members)) {
    if (!overlap(placeOf(first), placeOf(second))) continue
    yield refusal('R16_SAME_DISK', `${first.path} and ${second.path} hold the same bytes`, { acceptable: false })
  }
  if (request.atomicity === 'none') return
  for (const [first, second] of mirrors.flatMap(pairsOf)) {
    if (overlap(placeOf(first), placeOf(second))) continue
    const shared = sharedDisk(first, second)
    if (shared) yield refusal('R16_SAME_DISK', `${first.path} and ${second.path} on ${shared}`)
  }
}

/** Two members on one file system share its disks, known or not; where one is unknown, nothing says that they differ. */
function sharedDisk(first: MemberFacts, second: MemberFacts): string | undefined {
  if (first.kind === 'file' && second.kind === 'file' && first.device === second.device) return 'one file system'
  if (!first.disks || !second.disks) return 'disks that are not known'
  const disk = first.disks.find((each) => second.disks!.includes(each))
  return disk === undefined ? undefined : `the disk ${disk}`
}

const pairsOf = <Member>(members: readonly Member[]): [Member, Member][] =>
  members.flatMap((first, index) => members.slice(index + 1).map((second): [Member, Member] => [first, second]))
