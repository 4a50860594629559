import type { AtomicWriteLimits } from '../../pool/device.ts'
import type { MemberFacts, PoolRequest, RefusalCode } from '../../pool/refusals.ts'
import type { BlockFacts, FilesystemFacts } from '../../system/index.ts'

/** Members that no machine need have: sound ones, but for what is given. */

const MIB = 1 << 20

/** A request and members that are refused, and what is said of it. */
export interface RefusedRow {
  readonly code: RefusalCode
  readonly why: string
  readonly request?: Partial<PoolRequest>
  /** By default one sound disk. */
  readonly members?: readonly MemberFacts[]
  readonly value: RegExp
  readonly nearest?: string
  readonly acceptable?: true
  /** A code that cannot but come with it. */
  readonly with?: RefusalCode
  /** Whether it is refused on a pool of atomicity 'none', too. */
  readonly alsoWithout: boolean
}

export const request = (given: Partial<PoolRequest> = {}): PoolRequest => ({
  atomicity: 'enforced',
  layout: 'concat',
  atomicUnit: 4096,
  unitBytes: 65_536,
  segmentBytes: MIB,
  accept: [],
  acknowledge: 'after-flush',
  mirrorAcknowledge: 'all',
  native: 'off',
  discard: false,
  io: 'auto',
  ...given,
})

let disks = 0

/** A disk of its own, on which nothing else lies. */
export function invent(given: Partial<BlockFacts> = {}): BlockFacts {
  const number = `8:${disks++ * 16}`
  return {
    number,
    name: `sd-${number}`,
    size: 64 * MIB,
    readOnly: false,
    logicalBlockSize: 512,
    physicalBlockSize: 4096,
    start: 0,
    alignmentOffset: 0,
    writeCache: 'write-back',
    flushesWithheld: false,
    rotational: true,
    discardReadsZero: true,
    medium: number,
    disks: [number],
    memory: false,
    thin: false,
    transformed: false,
    parity: undefined,
    badRanges: 0,
    holders: [],
    parts: [number],
    loopFile: undefined,
    ...given,
  }
}

export function blockMember(given: Partial<MemberFacts> = {}, block: Partial<BlockFacts> = {}): MemberFacts {
  const invented = invent(block)
  return {
    path: `/dev/${invented.name}`,
    kind: 'block',
    device: invented.number,
    inode: 1,
    size: invented.size,
    readOnly: false,
    allocatedBytes: undefined,
    extents: undefined,
    flags: undefined,
    filesystem: undefined,
    block: invented,
    backing: undefined,
    disks: invented.disks,
    users: [],
    ...given,
  }
}

let inodes = 100

export function fileMember(
  given: Partial<MemberFacts> = {},
  filesystem: Partial<FilesystemFacts> = {},
  block: Partial<BlockFacts> = {},
): MemberFacts {
  const inode = inodes++
  return {
    ...blockMember({}, block),
    path: `/pool/file-${inode}`,
    kind: 'file',
    inode,
    allocatedBytes: 64 * MIB,
    extents: { shared: false, encoded: false },
    flags: { compressed: false, noCopyOnWrite: false, immutable: false, appendOnly: false },
    filesystem: {
      name: 'ext4',
      type: 'ext4',
      blockSize: 4096,
      mountPoint: '/pool',
      options: ['rw', 'relatime'],
      ...filesystem,
    },
    ...given,
  }
}

/** A loop device over `backing`. */
export function loopMember(backing: MemberFacts, block: Partial<BlockFacts> = {}): MemberFacts {
  return blockMember({ backing, disks: backing.disks }, { loopFile: backing.path, physicalBlockSize: 512, ...block })
}

export const native = (unitMin: number, unitMax: number, boundary = 0): { atomicWrite: AtomicWriteLimits } => ({
  atomicWrite: { unitMin, unitMax, boundary },
})

export const blocks = (count: number, given: Partial<MemberFacts> = {}): MemberFacts[] =>
  Array.from({ length: count }, () => blockMember(given))

/** One file, wherever it is named. */
export const shared = fileMember({ inode: 7 })

export const oneDisk = { disks: ['one'] }
