import { linkSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { createPool, PoolError } from '../../pool/index.ts'
import {
  ACCEPTABLE_CODES,
  judge,
  type MemberFacts,
  type PoolRequest,
  REFUSAL_CODES,
  type RefusalCode,
  refusal,
  refusalError,
  refusalsOf,
} from '../../pool/refusals.ts'
import { REGIONS_MIN } from '../../pool/zones.ts'
import { storageFacts } from '../../system/index.ts'
import { atomicWriteOf } from '../support/atomic-write.ts'
import { blockMember, fileMember, loopMember, native, request } from '../support/invented-members.ts'
import {
  btrfs,
  command,
  digest,
  ext4,
  fuseOver,
  loopOver,
  loopTest,
  mounted,
  partitionOf,
  sparseFile,
  xfs,
  zeroFile,
} from '../support/loop-devices.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const KIB = 1024
const MIB = 1 << 20

const blocks = (count: number, given: Partial<MemberFacts> = {}) =>
  Array.from({ length: count }, () => blockMember(given))

interface Row {
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

const shared = fileMember({ inode: 7 })
const oneDisk = { disks: ['one'] }

/** Each row breaks one rule, and that one only where it can be broken alone. */
const TABLE: readonly Row[] = [
  {
    code: 'R01_STRIPE_LT_UNIT',
    why: 'a stripe unit below the atomic unit',
    request: { layout: 'stripe', stripeUnit: 4 * KIB, atomicUnit: 8 * KIB, unitBytes: 8 * KIB },
    members: blocks(2),
    value: /4096 bytes and atomic units of 8192/,
    with: 'R02_STRIPE_NOT_POW2_AU',
    nearest: '8192',
    alsoWithout: false,
  },
  {
    code: 'R01_STRIPE_LT_UNIT',
    why: 'a stripe unit that is no multiple of it',
    request: { layout: 'stripe-of-mirrors', stripeUnit: 66_000 },
    members: blocks(4),
    value: /66000 bytes/,
    with: 'R02_STRIPE_NOT_POW2_AU',
    nearest: '69632',
    alsoWithout: false,
  },
  {
    code: 'R02_STRIPE_NOT_POW2_AU',
    why: 'three allocation units',
    request: { layout: 'stripe', stripeUnit: 192 * KIB },
    members: blocks(2),
    value: /196608 bytes and allocation units of 65536/,
    nearest: '262144',
    alsoWithout: true,
  },
  {
    code: 'R02_STRIPE_NOT_POW2_AU',
    why: 'less than one allocation unit',
    request: { layout: 'stripe', stripeUnit: 24 * KIB },
    members: blocks(2),
    value: /24576 bytes/,
    nearest: '65536',
    alsoWithout: true,
  },
  {
    code: 'R03_CONCAT_SEAM',
    why: 'a member that is not whole units',
    members: [blockMember({ size: 64 * MIB + 512 }), blockMember()],
    value: /67109376 bytes and atomic units of 4096/,
    nearest: '67108864',
    alsoWithout: false,
  },
  {
    code: 'R04_MISALIGNED_START',
    why: 'a partition from sector 63 on',
    members: [blockMember({}, { start: 63 * 512 })],
    value: /begins at 32256, off a multiple of 4096/,
    nearest: '32768',
    alsoWithout: false,
  },
  {
    code: 'R04_MISALIGNED_START',
    why: 'the physical block is larger than the unit',
    request: { atomicUnit: 16 * KIB },
    members: [blockMember({}, { start: 8 * KIB, physicalBlockSize: 16 * KIB })],
    value: /off a multiple of 16384/,
    nearest: '16384',
    alsoWithout: false,
  },
  {
    code: 'R04_MISALIGNED_START',
    why: 'the physical block alone is larger',
    members: [blockMember({}, { start: 4 * KIB, physicalBlockSize: 8 * KIB })],
    value: /off a multiple of 8192/,
    nearest: '8192',
    with: 'R05_UNIT_LT_PHYSICAL',
    alsoWithout: false,
  },
  {
    code: 'R04_MISALIGNED_START',
    why: 'a start within the boundary of native writes',
    request: { native: 'probe' },
    members: [blockMember(native(4 * KIB, 64 * KIB, 64 * KIB), { start: 32 * KIB })],
    value: /off a multiple of 65536/,
    nearest: '65536',
    alsoWithout: false,
  },
  {
    code: 'R04_MISALIGNED_START',
    why: 'a loop offset on an aligned file',
    members: [loopMember(fileMember({}, {}, { start: MIB }), { start: 512 })],
    value: /begins at 1049088/,
    nearest: '1052672',
    alsoWithout: false,
  },
  {
    code: 'R04_MISALIGNED_START',
    why: 'a file system on a partition that the kernel calls misaligned',
    members: [fileMember({}, {}, { start: undefined, alignmentOffset: -1 })],
    value: /alignment_offset is -1/,
    nearest: '0',
    alsoWithout: false,
  },
  {
    code: 'R05_UNIT_LT_PHYSICAL',
    why: 'a disk of larger physical blocks',
    members: [blockMember(), blockMember({}, { physicalBlockSize: 8 * KIB, start: 0 })],
    value: /4096 bytes on physical blocks of 8192/,
    nearest: '8192',
    alsoWithout: false,
  },
  {
    code: 'R05_UNIT_LT_PHYSICAL',
    why: 'a disk below the loop device',
    request: { atomicUnit: 512 },
    members: [loopMember(fileMember({}, { blockSize: 512 }))],
    value: /512 bytes on physical blocks of 4096/,
    nearest: '4096',
    alsoWithout: false,
  },
  {
    code: 'R05_UNIT_LT_PHYSICAL',
    why: 'a file system that writes its larger blocks in place',
    members: [fileMember({}, { name: 'xfs', blockSize: 16 * KIB })],
    value: /physical blocks of 16384/,
    nearest: '16384',
    alsoWithout: false,
  },
  {
    code: 'R06_LBS_MIXED',
    why: 'logical blocks larger than the unit',
    request: { atomicUnit: 512 },
    members: [
      blockMember({}, { physicalBlockSize: 512 }),
      blockMember({}, { logicalBlockSize: 4096, physicalBlockSize: 512 }),
    ],
    value: /512 bytes on logical blocks of 4096/,
    nearest: '4096',
    alsoWithout: true,
  },
  {
    code: 'R06_LBS_MIXED',
    why: 'logical blocks of 520 bytes',
    members: [blockMember({}, { logicalBlockSize: 520 })],
    value: /logical blocks of 520/,
    alsoWithout: true,
  },
  {
    code: 'R07_NATIVE_DISJOINT',
    why: 'no common size',
    request: { native: 'probe' },
    members: [blockMember(native(16 * KIB, 64 * KIB)), blockMember(native(4 * KIB, 8 * KIB))],
    value: /no less than 16384 bytes, another no more than 8192/,
    nearest: 'off',
    alsoWithout: false,
  },
  {
    code: 'R08_NATIVE_BOUNDARY',
    why: 'boundaries that differ',
    request: { native: 'probe' },
    members: [blockMember(native(4 * KIB, 64 * KIB, 64 * KIB)), blockMember(native(4 * KIB, 64 * KIB))],
    value: /boundaries of 65536 and 0 bytes/,
    nearest: 'off',
    alsoWithout: false,
  },
  {
    code: 'R08_NATIVE_BOUNDARY',
    why: 'a boundary that is in no relation to the stripe',
    request: { native: 'probe', layout: 'stripe', stripeUnit: 256 * KIB },
    members: blocks(2, native(4 * KIB, 64 * KIB, 384 * KIB)),
    value: /a boundary of 393216 bytes and a stripe unit of 262144/,
    nearest: 'a stripe unit of 393216',
    alsoWithout: false,
  },
  {
    code: 'R09_NATIVE_AMBIGUOUS',
    why: 'a unit that someone asserts, even one that the kernel would confirm',
    request: { native: 16 * KIB },
    members: [blockMember(native(4 * KIB, 64 * KIB))],
    value: /16384 bytes, by assertion/,
    nearest: 'probe',
    alsoWithout: true,
  },
  ...['tmpfs', 'overlay', 'nfs', 'cifs', 'smb2', '9p', 'unknown'].map(
    (name): Row => ({
      code: 'R10_NO_FLUSH',
      why: `a file on ${name}`,
      members: [fileMember({}, { name, type: name })],
      value: new RegExp(`on ${name}$`),
      alsoWithout: false,
    }),
  ),
  {
    code: 'R10_NO_FLUSH',
    why: 'a file on FUSE, whose program someone may know',
    members: [fileMember({}, { name: 'fuse', type: 'fuse.sshfs' })],
    value: /on fuse\.sshfs/,
    acceptable: true,
    alsoWithout: false,
  },
  {
    code: 'R10_NO_FLUSH',
    why: 'a file of which not even the file system is known',
    members: [fileMember({ filesystem: undefined })],
    value: /on unknown/,
    alsoWithout: false,
  },
  ...['nobarrier', 'barrier=0', 'fsync_mode=nobarrier', 'journal_flush_disabled'].map(
    (option): Row => ({
      code: 'R10_NO_FLUSH',
      why: `mounted with ${option}`,
      members: [fileMember({}, { options: ['rw', option] })],
      value: new RegExp(`ext4 mounted with ${option}`),
      alsoWithout: false,
    }),
  ),
  {
    code: 'R10_NO_FLUSH',
    why: 'a block device of whose cache nothing is known',
    members: [blockMember({}, { writeCache: 'unknown' })],
    value: /of whose cache nothing is known/,
    alsoWithout: false,
  },
  {
    code: 'R10_NO_FLUSH',
    why: 'a block device of which nothing is known',
    members: [blockMember({ block: undefined })],
    value: /of whose cache nothing is known/,
    alsoWithout: false,
  },
  {
    code: 'R10_NO_FLUSH',
    why: 'a drive that caches while its queue says write through',
    members: [fileMember({}, {}, { writeCache: 'write-through', flushesWithheld: true })],
    value: /the kernel was told otherwise/,
    nearest: 'write back in queue/write_cache',
    alsoWithout: false,
  },
  {
    code: 'R10_NO_FLUSH',
    why: 'a disk in memory',
    members: [blockMember({}, { memory: true })],
    value: /which is memory/,
    alsoWithout: false,
  },
  {
    code: 'R10_NO_FLUSH',
    why: 'a loop device over a file in memory',
    members: [loopMember(fileMember({}, { name: 'tmpfs', type: 'tmpfs' }))],
    value: /on tmpfs/,
    alsoWithout: false,
  },
  {
    code: 'R10_NO_FLUSH',
    why: 'a loop device over a file that is gone',
    members: [blockMember({}, { loopFile: '/gone (deleted)' })],
    value: /over \/gone \(deleted\), which cannot be looked at/,
    alsoWithout: false,
  },
  {
    code: 'R10_NO_FLUSH',
    why: 'a folder',
    members: [fileMember({ kind: 'other', path: '/pool' })],
    value: /neither a file nor a block device/,
    alsoWithout: false,
  },
  {
    code: 'R11_ASYNC_ACK',
    why: 'an acknowledgement before the flush',
    request: { acknowledge: 'after-write' },
    value: /acknowledge after-write/,
    nearest: 'after-flush',
    alsoWithout: true,
  },
  ...['raid5', 'RAID6', 'raid50', 'raidz2', 'parity'].map(
    (layout): Row => ({
      code: 'R12_PARITY',
      why: `layout ${layout}`,
      request: { layout },
      members: blocks(3),
      value: new RegExp(`layout ${layout}`),
      nearest: 'mirror',
      alsoWithout: true,
    }),
  ),
  {
    code: 'R12_PARITY',
    why: 'a member on an array of the kernel with a write hole',
    members: [fileMember({}, {}, { parity: { level: 'raid5', consistency: 'bitmap' } })],
    value: /on raid5 with consistency policy bitmap/,
    nearest: 'journal',
    alsoWithout: true,
  },
  {
    code: 'R13_WRITE_BEHIND',
    why: 'an acknowledgement of one leg',
    request: { layout: 'mirror', mirrorAcknowledge: 'one' },
    members: blocks(2),
    value: /mirrorAcknowledge one/,
    nearest: 'all',
    alsoWithout: true,
  },
  {
    code: 'R14_THIN',
    why: 'a sparse file',
    members: [fileMember({ allocatedBytes: 31 * MIB })],
    value: /32505856 of 67108864 bytes/,
    nearest: '67108864 bytes, written',
    acceptable: true,
    alsoWithout: false,
  },
  {
    code: 'R14_THIN',
    why: 'a loop device over a sparse file',
    members: [loopMember(fileMember({ allocatedBytes: 0 }))],
    value: /0 of 67108864 bytes/,
    nearest: '67108864 bytes, written',
    acceptable: true,
    alsoWithout: false,
  },
  {
    code: 'R14_THIN',
    why: 'a thin volume',
    members: [blockMember({}, { thin: true, name: 'dm-3' })],
    value: /on the thin dm-3/,
    acceptable: true,
    alsoWithout: false,
  },
  ...['btrfs', 'zfs', 'bcachefs'].map(
    (name): Row => ({
      code: 'R15_COW_BACKING',
      why: `a file on ${name}`,
      members: [fileMember({}, { name, blockSize: 128 * KIB })],
      value: new RegExp(`on ${name}`),
      nearest: 'xfs or ext4',
      acceptable: true,
      alsoWithout: false,
    }),
  ),
  {
    code: 'R15_COW_BACKING',
    why: 'a reflinked file on XFS',
    members: [fileMember({ extents: { shared: true, encoded: false } }, { name: 'xfs' })],
    value: /shares extents/,
    nearest: 'a copy of its own',
    acceptable: true,
    alsoWithout: false,
  },
  {
    code: 'R16_SAME_DISK',
    why: 'one file twice, in any layout',
    members: [shared, { ...shared, path: '/pool/link' }],
    value: /\/pool\/link hold the same bytes/,
    alsoWithout: true,
  },
  {
    code: 'R16_SAME_DISK',
    why: 'one file twice, mirrored',
    request: { layout: 'mirror' },
    members: [shared, { ...shared, path: '/pool/link' }],
    value: /hold the same bytes/,
    alsoWithout: true,
  },
  {
    code: 'R16_SAME_DISK',
    why: 'two paths to one disk',
    request: { layout: 'stripe' },
    members: [blockMember({}, { medium: 'naa.1' }), blockMember({}, { medium: 'naa.1' })],
    value: /hold the same bytes/,
    alsoWithout: true,
  },
  {
    code: 'R16_SAME_DISK',
    why: 'a loop device and its own file',
    members: [shared, loopMember(shared, { start: 4096 })],
    value: /hold the same bytes/,
    alsoWithout: true,
  },
  {
    code: 'R16_SAME_DISK',
    why: 'a disk and its partition',
    members: [blockMember({}, { medium: 'sda' }), blockMember({}, { medium: 'sda', start: 63 * MIB })],
    value: /hold the same bytes/,
    alsoWithout: true,
  },
  {
    code: 'R16_SAME_DISK',
    why: 'legs on two partitions of one disk',
    request: { layout: 'mirror' },
    members: [blockMember(oneDisk, { medium: 'sda' }), blockMember(oneDisk, { medium: 'sda', start: 64 * MIB })],
    value: /on the disk one/,
    acceptable: true,
    alsoWithout: false,
  },
  {
    code: 'R16_SAME_DISK',
    why: 'legs of the second mirror of a stripe',
    request: { layout: 'stripe-of-mirrors', legs: 2 },
    members: [
      blockMember(),
      blockMember(),
      blockMember({ path: '/a', ...oneDisk }),
      blockMember({ path: '/b', ...oneDisk }),
    ],
    value: /^\/a and \/b on the disk one/,
    acceptable: true,
    alsoWithout: false,
  },
  {
    code: 'R16_SAME_DISK',
    why: 'legs on disks that are not known',
    request: { layout: 'mirror' },
    members: [blockMember(), blockMember({ disks: undefined })],
    value: /on disks that are not known/,
    acceptable: true,
    alsoWithout: false,
  },
  {
    code: 'R16_SAME_DISK',
    why: 'legs on one file system, whatever its disks',
    request: { layout: 'mirror' },
    members: [fileMember({ device: '0:40', disks: undefined }), fileMember({ device: '0:40', disks: undefined })],
    value: /on one file system/,
    acceptable: true,
    alsoWithout: false,
  },
  {
    code: 'R17_NOT_EXCLUSIVE',
    why: 'in use elsewhere',
    members: [blockMember({ users: ['mounted at /data', 'held by dm-0'] })],
    value: /is mounted at \/data, held by dm-0/,
    alsoWithout: true,
  },
  {
    code: 'R17_NOT_EXCLUSIVE',
    why: 'not to be written by anyone',
    members: [
      fileMember({
        readOnly: true,
        flags: { compressed: false, noCopyOnWrite: false, immutable: true, appendOnly: true },
      }),
    ],
    value: /is read-only, immutable, append-only/,
    alsoWithout: true,
  },
  {
    code: 'R18_JOURNAL_SMALL',
    why: 'one segment less than the reserve and the least beside it',
    members: [blockMember({ size: 23 * MIB })],
    value: /23 segments of 1048576 bytes/,
    nearest: `24 segments, ${24 * MIB} bytes`,
    alsoWithout: true,
  },
  {
    code: 'R18_JOURNAL_SMALL',
    why: 'a mirror has the size of its smallest leg',
    request: { layout: 'mirror' },
    members: [blockMember({ size: 23 * MIB }), blockMember()],
    value: /23 segments/,
    nearest: `24 segments, ${24 * MIB} bytes`,
    alsoWithout: true,
  },
  {
    code: 'R18_JOURNAL_SMALL',
    why: 'a stripe of mirrors has whole stripes of the smallest mirror',
    request: { layout: 'stripe-of-mirrors', stripeUnit: 8 * MIB },
    members: [...blocks(2), blockMember(), blockMember({ size: 15 * MIB })],
    value: /16 segments/,
    nearest: `24 segments, ${24 * MIB} bytes`,
    alsoWithout: true,
  },
  {
    code: 'R19_JOURNAL_COPIES',
    why: 'fewer than the data',
    request: { layout: 'mirror', journalCopies: 2 },
    members: blocks(3),
    value: /2 journal copies of data kept 3 times/,
    nearest: '3',
    alsoWithout: true,
  },
  {
    code: 'R19_JOURNAL_COPIES',
    why: 'more than members',
    request: { journalCopies: 3 },
    members: blocks(2),
    value: /3 journal copies on 2 members/,
    nearest: '2',
    alsoWithout: true,
  },
  {
    code: 'R19_JOURNAL_COPIES',
    why: 'more than a mirror has legs',
    request: { layout: 'stripe-of-mirrors', journalCopies: 4 },
    members: blocks(4),
    value: /4 journal copies of data kept 2 times/,
    nearest: '2',
    alsoWithout: true,
  },
  {
    code: 'R19_JOURNAL_COPIES',
    why: 'more than a segment may have',
    request: { journalCopies: 5 },
    members: blocks(6),
    value: /5 journal copies, of 4 at the most/,
    nearest: '4',
    alsoWithout: true,
  },
  {
    code: 'R20_BAD_BLOCKS',
    why: 'known bad blocks',
    members: [blockMember({}, { badRanges: 2 })],
    value: /2 known bad ranges/,
    alsoWithout: true,
  },
  {
    code: 'R21_INPLACE_TRANSFORM',
    why: 'a file with the flag',
    members: [fileMember({ flags: { compressed: true, noCopyOnWrite: false, immutable: false, appendOnly: false } })],
    value: /is compressed/,
    alsoWithout: false,
  },
  {
    code: 'R21_INPLACE_TRANSFORM',
    why: 'a file whose extents are',
    members: [fileMember({ extents: { shared: false, encoded: true } })],
    value: /is compressed/,
    alsoWithout: false,
  },
  ...['compress=zstd:3', 'compress-force=lzo', 'compression=lz4'].map(
    (option): Row => ({
      code: 'R21_INPLACE_TRANSFORM',
      why: `mounted with ${option}`,
      members: [fileMember({}, { options: [option] })],
      value: new RegExp(`mounted with ${option}`),
      alsoWithout: false,
    }),
  ),
  {
    code: 'R21_INPLACE_TRANSFORM',
    why: 'a device that packs blocks',
    members: [blockMember({}, { transformed: true })],
    value: /packs blocks/,
    alsoWithout: false,
  },
  {
    code: 'R23_MIXED_IO',
    why: 'both ways to one member',
    request: { io: 'mixed' },
    value: /io mixed/,
    nearest: 'auto',
    alsoWithout: true,
  },
  {
    code: 'R26_DISCARD_NONDET',
    why: 'a leg that reads as it likes after a discard',
    request: { layout: 'mirror', discard: true },
    members: [blockMember(), blockMember({ path: '/dev/sdx' }, { discardReadsZero: false })],
    value: /discard on \/dev\/sdx/,
    nearest: 'no discard',
    alsoWithout: true,
  },
]

/** What shows only later, where the requests, locks and superblocks are. */
const LATER: readonly RefusalCode[] = ['R17_NOT_EXCLUSIVE', 'R22_REQ_SHAPE', 'R24_RESHAPE', 'R25_FOREIGN']

describe('invented members', () => {
  test.each([...TABLE])('$code: $why', ({ code, request: asked, members = blocks(1), alsoWithout, ...row }) => {
    const found = refusalsOf(request(asked), members)
    expect(found.map((each) => each.code)).toEqual(row.with ? [code, row.with] : [code])
    expect(found[0]!.value).toMatch(row.value)
    expect(found[0]!.nearest).toBe(row.nearest)
    expect(found[0]!.acceptable).toBe(row.acceptable ?? false)
    // Of what comes along with another, only R02 holds on a pool without atomicity.
    const without = found.filter((each) => (each.code === code ? alsoWithout : each.code === 'R02_STRIPE_NOT_POW2_AU'))
    expect(refusalsOf(request({ ...asked, atomicity: 'none' }), members)).toEqual(without)
  })

  test.each<[string, Partial<PoolRequest>, readonly MemberFacts[]]>([
    ['one disk', {}, blocks(1)],
    ['one file', {}, [fileMember()]],
    ['files of one disk, end to end', {}, [fileMember(oneDisk), fileMember(oneDisk)]],
    [
      'partitions of one disk, striped',
      { layout: 'stripe' },
      [blockMember(oneDisk, { medium: 'sda' }), blockMember(oneDisk, { medium: 'sda', start: 64 * MIB })],
    ],
    [
      'the second half of a disk before the first',
      {},
      [blockMember({}, { medium: 'sda', start: 64 * MIB }), blockMember({}, { medium: 'sda' })],
    ],
    [
      'a loop device over the second half of a disk, and the first half',
      {},
      [loopMember(blockMember({}, { medium: 'sda', start: 64 * MIB })), blockMember({}, { medium: 'sda' })],
    ],
    ['two loop devices over one file, end to end', {}, [loopMember(shared), loopMember(shared, { start: 64 * MIB })]],
    ['a mirror of three', { layout: 'mirror', journalCopies: 3 }, blocks(3)],
    [
      'mirrors on one disk each, striped',
      { layout: 'stripe-of-mirrors' },
      [
        blockMember({ disks: ['a'] }),
        blockMember({ disks: ['b'] }),
        blockMember({ disks: ['a'] }),
        blockMember({ disks: ['b'] }),
      ],
    ],
    ['as many segments as need be', {}, blocks(1, { size: (8 + REGIONS_MIN) * MIB })],
    ['ends off a unit, mirrored', { layout: 'mirror' }, blocks(2, { size: 64 * MIB + 512 })],
    ['an unknown start', {}, [blockMember({}, { start: undefined, alignmentOffset: undefined })]],
    ['native writes where all have them', { native: 'probe' }, blocks(2, native(4 * KIB, 64 * KIB, 64 * KIB))],
    [
      'native writes that one lacks, and so none',
      { native: 'probe' },
      [blockMember(native(16 * KIB, 64 * KIB)), blockMember(native(512, 512)), blockMember()],
    ],
    [
      'native writes that are not asked for',
      {},
      [blockMember(native(16 * KIB, 16 * KIB, 64 * KIB), { start: 32 * KIB }), blockMember(native(512, 512))],
    ],
    ['one leg acknowledged where there is one', { mirrorAcknowledge: 'one' }, blocks(2)],
    ['no discard', { layout: 'mirror' }, [blockMember({}, { discardReadsZero: false }), blockMember()]],
    ['discard without a mirror', { discard: true }, [blockMember({}, { discardReadsZero: false })]],
    [
      'discard in files, whose holes read as zeros',
      { layout: 'mirror', discard: true },
      [fileMember({}, {}, { discardReadsZero: false }), fileMember({}, {}, { discardReadsZero: false })],
    ],
    [
      'large blocks of a file system, past its cache',
      { io: 'direct' },
      [fileMember({}, { name: 'xfs', blockSize: 16 * KIB })],
    ],
    ['bad blocks of a disk under a file system', {}, [fileMember({}, {}, { badRanges: 2 })]],
    ['an array that journals its parity', {}, [blockMember({}, { parity: { level: 'raid5', consistency: 'ppl' } })]],
    ['compression turned off', {}, [fileMember({}, { options: ['compress=no', 'compression=none'] })]],
    ['the file behind a loop device that is behind it', {}, [loopMember(fileMember({ users: ['behind loop0'] }))]],
  ])('%s: nothing is refused', (_, asked, members) => {
    expect(refusalsOf(request(asked), members)).toEqual([])
  })

  test('compression does not reach what is not copied on write', () => {
    const flags = { compressed: false, noCopyOnWrite: true, immutable: false, appendOnly: false }
    const member = fileMember({ flags }, { name: 'btrfs', options: ['compress=zstd'] })
    expect(refusalsOf(request(), [member]).map(({ code }) => code)).toEqual(['R15_COW_BACKING'])
  })

  test('all that applies is told at once', () => {
    const member = fileMember(
      { allocatedBytes: 0, users: ['used for swap'] },
      { name: 'btrfs', options: ['nobarrier'] },
    )
    const asked = request({ layout: 'mirror', acknowledge: 'after-write', io: 'mixed' })
    const codes = refusalsOf(asked, [member, member]).map(({ code }) => code.slice(0, 3))
    expect([...new Set(codes)].sort()).toEqual(['R10', 'R11', 'R14', 'R15', 'R16', 'R17', 'R23'])
  })
})

describe('what is accepted by name', () => {
  test.each(TABLE.filter(({ acceptable }) => acceptable))('$code: $why', ({ code, request: asked, members = [] }) => {
    const { refused, accepted } = judge(request({ ...asked, accept: [code] }), members)
    expect(refused).toEqual([])
    expect(accepted.map((each) => each.code)).toEqual([code])
  })

  test.each(TABLE.filter(({ code, acceptable }) => !acceptable && ACCEPTABLE_CODES.includes(code)))(
    '$code is still refused: $why',
    ({ code, request: asked, members = [] }) => {
      expect(refusalsOf(request({ ...asked, accept: [code] }), members)).toHaveLength(1)
    },
  )

  test.each([...REFUSAL_CODES.filter((code) => !ACCEPTABLE_CODES.includes(code))])('%s cannot be', (code) => {
    expect(() => refusalsOf(request({ accept: [code] }), blocks(1))).toThrow(
      expect.objectContaining({
        code: 'ERR_LIMITS',
        message: `accept ${code}: this is not a refusal that can be accepted; those are R10_NO_FLUSH, R14_THIN, R15_COW_BACKING, R16_SAME_DISK`,
      }),
    )
  })

  test.each(['R14', 'r14_thin', 'R99_NOTHING', ''])('"%s" is no code', (code) => {
    expect(() => refusalsOf(request({ accept: ['R14_THIN', code] }), blocks(1))).toThrow(
      expect.objectContaining({
        code: 'ERR_LIMITS',
        message: expect.stringMatching(`^accept ${code}: this is no refusal`),
      }),
    )
  })
})

describe('a request that makes no sense', () => {
  test.each<[string, Partial<PoolRequest>, number]>([
    ['layout raid10', { layout: 'raid10' }, 4],
    ['layout ', { layout: '' }, 1],
    ['layout concat', {}, 0],
    ['layout stripe', { layout: 'stripe' }, 1],
    ['layout mirror', { layout: 'mirror' }, 1],
    ['layout stripe-of-mirrors', { layout: 'stripe-of-mirrors' }, 5],
    ['layout stripe-of-mirrors', { layout: 'stripe-of-mirrors' }, 2],
    ['legs 1', { layout: 'stripe-of-mirrors', legs: 1 }, 4],
    ['atomicUnit 3000', { atomicUnit: 3000 }, 1],
    ['atomicUnit 256', { atomicUnit: 256 }, 1],
    ['unitBytes 2048', { unitBytes: 2048 }, 1],
    ['segmentBytes 32768', { segmentBytes: 32_768 }, 1],
    ['segmentBytes NaN', { segmentBytes: Number.NaN }, 1],
    ['stripeUnit 0', { layout: 'stripe', stripeUnit: 0 }, 2],
    ['journalCopies 0', { journalCopies: 0 }, 1],
    ['native -1', { native: -1 }, 1],
  ])('%s', (message, asked, members) => {
    expect(() => refusalsOf(request(asked), blocks(members))).toThrow(
      expect.objectContaining({ code: 'ERR_LIMITS', message: expect.stringContaining(message) }),
    )
  })
})

describe('the codes', () => {
  test('each is triggered by a row above, so that no new one passes without a test', () => {
    expect(new Set([...TABLE.map(({ code }) => code), ...LATER])).toEqual(new Set(REFUSAL_CODES))
  })

  test('are numbered from R01 to R26', () => {
    const numbers = Array.from({ length: 26 }, (_, index) => `R${String(index + 1).padStart(2, '0')}`)
    expect(REFUSAL_CODES.map((code) => code.slice(0, 3))).toEqual(numbers)
  })

  test.each(LATER)('%s can be said by whoever finds it', (code) => {
    expect(refusal(code, 'a thing', { nearest: 'another' })).toEqual({
      code,
      value: 'a thing',
      reason: expect.stringMatching(/^[a-z]/),
      nearest: 'another',
      acceptable: false,
    })
  })

  test('an error lists them all', () => {
    const error = refusalError([
      refusal('R24_RESHAPE', 'stripe to mirror'),
      refusal('R11_ASYNC_ACK', 'acknowledge after-write', { nearest: 'after-flush' }),
    ])
    expect(error).toBeInstanceOf(PoolError)
    expect(error.code).toBe('ERR_LIMITS')
    expect(error.message).toBe(
      'R24_RESHAPE: stripe to mirror: the layout of a pool with data does not change, or units would be left half moved; ' +
        'R11_ASYNC_ACK: acknowledge after-write: an acknowledgement says that the bytes are durable, ' +
        'which before the flush nobody knows (nearest: after-flush)',
    )
  })
})

describe('real members, which are left as they were', () => {
  const SIZE = 4 * MIB
  /** Small segments, so that small members hold enough of them. */
  const small = { segmentBytes: 64 * KIB }

  /** What this machine's temporary folder is refused for, whatever is tried there; on a disk of ext4, nothing. */
  let ground: readonly RefusalCode[]
  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'cenote-test-'))
    ground = codesOf(request(small), [zeroFile(SIZE, folder)])
    rmSync(folder, { recursive: true })
  })

  function codesOf(asked: PoolRequest, paths: readonly string[]): RefusalCode[] {
    const members = paths.map((path) => ({ ...storageFacts(path), ...atomicWriteOf(path) }))
    return [...new Set(refusalsOf(asked, members).map(({ code }) => code))].sort()
  }

  const traceOf = (path: string) => {
    const { mtimeNs, ctimeNs, size, blocks: allocated } = statSync(path, { bigint: true })
    return { digest: digest(path), mtimeNs, ctimeNs, size, allocated }
  }

  /** With every reason at once, and no file made. */
  async function refusesToCreate(
    asked: Partial<PoolRequest> | undefined,
    paths: readonly string[],
    codes: readonly RefusalCode[],
  ): Promise<void> {
    const parent = temporaryFolder()
    const creating = createPool(join(parent, 'main'), { ...asked, members: paths.map((path) => ({ path })) })
    const error: Error = await creating.then(
      () => expect.fail('it was created'),
      (reason) => reason,
    )
    expect(codes.filter((code) => !error.message.includes(`${code}: `))).toEqual([])
    expect(readdirSync(parent)).toEqual([])
  }

  interface Real {
    readonly name: string
    readonly needs?: readonly string[]
    /** Files will do, which need no root. */
    readonly plain?: true
    readonly request?: Partial<PoolRequest>
    readonly members: () => readonly string[]
    readonly expected: readonly RefusalCode[]
  }

  const loop = (bytes = SIZE, ...options: readonly string[]) => loopOver(zeroFile(bytes), ...options)
  /** A file system whose space is all there: without discard the file below stays whole. */
  const solidExt4 = () => mounted(loop(16 * MIB), ['mkfs.ext4', '-q', '-E', 'nodiscard'])

  const REAL: readonly Real[] = [
    { name: 'a loop device', members: () => [loop()], expected: [] },
    { name: 'a file on ext4', needs: ['mkfs.ext4'], members: () => [zeroFile(SIZE, solidExt4())], expected: [] },
    {
      name: 'a stripe unit of 24 KiB',
      request: { layout: 'stripe', stripeUnit: 24 * KIB },
      members: () => [loop(), loop()],
      expected: ['R02_STRIPE_NOT_POW2_AU'],
    },
    {
      name: 'a stripe unit below the unit',
      request: { layout: 'stripe', stripeUnit: 2 * KIB },
      members: () => [loop(), loop()],
      expected: ['R01_STRIPE_LT_UNIT', 'R02_STRIPE_NOT_POW2_AU'],
    },
    {
      name: 'a file of 512 bytes more',
      plain: true,
      members: () => [zeroFile(SIZE + 512)],
      expected: ['R03_CONCAT_SEAM'],
    },
    {
      name: 'a loop device from byte 512 on',
      request: { layout: 'stripe' },
      members: () => [loop(SIZE, '--offset', '512'), loop()],
      expected: ['R04_MISALIGNED_START'],
    },
    {
      name: 'a partition from sector 63 on',
      needs: ['addpart'],
      members: () => [partitionOf(loop(), 1, 63, 8000)],
      expected: ['R04_MISALIGNED_START'],
    },
    {
      name: 'units of 512 bytes on logical blocks of 4096',
      request: { atomicUnit: 512 },
      members: () => [loop(SIZE, '--sector-size', '4096')],
      expected: ['R05_UNIT_LT_PHYSICAL', 'R06_LBS_MIXED'],
    },
    {
      name: 'XFS with blocks of 16 KiB',
      needs: ['mkfs.xfs'],
      members: () => [zeroFile(SIZE, xfs(['-b', 'size=16384']))],
      expected: ['R05_UNIT_LT_PHYSICAL', 'R14_THIN'],
    },
    {
      name: 'an asserted unit',
      request: { native: 16 * KIB },
      members: () => [loop()],
      expected: ['R09_NATIVE_AMBIGUOUS'],
    },
    {
      name: 'a file in memory',
      plain: true,
      members: () => [zeroFile(SIZE, temporaryFolder('/dev/shm'))],
      expected: ['R10_NO_FLUSH'],
    },
    {
      name: 'a loop device over a file in memory',
      members: () => [loopOver(zeroFile(SIZE, temporaryFolder('/dev/shm')))],
      expected: ['R10_NO_FLUSH'],
    },
    {
      name: 'ext4 without barriers',
      needs: ['mkfs.ext4'],
      members: () => [zeroFile(SIZE, ext4('nobarrier'))],
      expected: ['R10_NO_FLUSH', 'R14_THIN'],
    },
    { name: 'a folder', plain: true, members: () => [temporaryFolder()], expected: ['R10_NO_FLUSH'] },
    {
      name: 'an acknowledgement before the flush',
      request: { acknowledge: 'after-write' },
      members: () => [loop()],
      expected: ['R11_ASYNC_ACK'],
    },
    { name: 'raid5', request: { layout: 'raid5' }, members: () => [loop(), loop(), loop()], expected: ['R12_PARITY'] },
    {
      name: 'an acknowledgement by one leg, and a journal on one of two',
      request: { layout: 'mirror', mirrorAcknowledge: 'one', journalCopies: 1 },
      members: () => [loop(), loop()],
      expected: ['R13_WRITE_BEHIND', 'R16_SAME_DISK', 'R19_JOURNAL_COPIES'],
    },
    { name: 'a sparse file', plain: true, members: () => [sparseFile(SIZE)], expected: ['R14_THIN'] },
    {
      name: 'a loop device over a sparse file',
      members: () => [loopOver(sparseFile(SIZE))],
      expected: ['R14_THIN'],
    },
    {
      name: 'a file on btrfs',
      needs: ['mkfs.btrfs'],
      members: () => [zeroFile(SIZE, btrfs())],
      expected: ['R14_THIN', 'R15_COW_BACKING'],
    },
    {
      name: 'a reflinked file on XFS',
      needs: ['mkfs.xfs', 'xfs_io'],
      members: () => {
        const path = zeroFile(SIZE, xfs())
        command('sync', path)
        command('cp', '--reflink=always', path, `${path}-copy`)
        return [path]
      },
      expected: ['R14_THIN', 'R15_COW_BACKING'],
    },
    {
      name: 'a file by two names',
      plain: true,
      members: () => {
        const path = zeroFile(SIZE)
        linkSync(path, `${path}-hard`)
        symlinkSync(path, join(dirname(path), 'soft'))
        return [`${path}-hard`, join(dirname(path), 'soft')]
      },
      expected: ['R16_SAME_DISK'],
    },
    {
      name: 'two loop devices over the same part of a file',
      members: () => {
        const file = zeroFile(2 * SIZE)
        const half = String(SIZE)
        return [loopOver(file, '--sizelimit', half), loopOver(file, '--offset', String(SIZE / 2), '--sizelimit', half)]
      },
      expected: ['R16_SAME_DISK'],
    },
    {
      name: 'two halves of one file, end to end',
      members: () => {
        const file = zeroFile(2 * SIZE)
        const half = String(SIZE)
        return [loopOver(file, '--sizelimit', half), loopOver(file, '--offset', half)]
      },
      expected: [],
    },
    {
      name: 'legs on one disk',
      request: { layout: 'mirror' },
      members: () => [loop(), zeroFile(SIZE)],
      expected: ['R16_SAME_DISK'],
    },
    {
      name: 'a loop device and its file',
      members: () => {
        const file = zeroFile(SIZE)
        return [loopOver(file), file]
      },
      expected: ['R16_SAME_DISK', 'R17_NOT_EXCLUSIVE'],
    },
    {
      name: 'a device that is mounted',
      needs: ['mkfs.ext4'],
      members: () => {
        const device = loop(16 * MIB)
        mounted(device, ['mkfs.ext4', '-q', '-E', 'nodiscard'])
        return [device]
      },
      expected: ['R17_NOT_EXCLUSIVE'],
    },
    {
      name: 'a device that is read-only',
      members: () => [loop(SIZE, '--read-only')],
      expected: ['R17_NOT_EXCLUSIVE'],
    },
    { name: 'a small file', plain: true, members: () => [zeroFile(MIB)], expected: ['R18_JOURNAL_SMALL'] },
    {
      name: 'a file that btrfs compresses',
      needs: ['mkfs.btrfs'],
      members: () => [zeroFile(SIZE, btrfs('compress-force=zstd'))],
      expected: ['R14_THIN', 'R15_COW_BACKING', 'R21_INPLACE_TRANSFORM'],
    },
    { name: 'both ways of I/O', request: { io: 'mixed' }, members: () => [loop()], expected: ['R23_MIXED_IO'] },
    {
      name: 'discard on a mirror of loop devices',
      request: { layout: 'mirror', discard: true },
      members: () => [loop(), loop()],
      expected: ['R16_SAME_DISK', 'R26_DISCARD_NONDET'],
    },
  ]

  for (const { name, needs = [], plain, request: asked, members, expected } of REAL) {
    const run = plain ? test : (title: string, body: () => Promise<void>) => loopTest(title, needs, body)
    run(`${expected.join(', ') || 'nothing'}: ${name}`, async () => {
      const paths = members()
      const files = paths.filter((path) => !statSync(path).isDirectory())
      const before = files.map(traceOf)
      expect(codesOf(request({ ...small, ...asked }), paths)).toEqual([...new Set([...ground, ...expected])].sort())
      if (expected.length > 0) await refusesToCreate(asked, paths, expected)
      expect(files.map(traceOf)).toEqual(before)
    })
  }

  loopTest('R07_NATIVE_DISJOINT: two XFS whose atomic writes have no size in common', ['mkfs.xfs'], async () => {
    const large = zeroFile(SIZE, xfs(['-b', 'size=16384']))
    const little = zeroFile(SIZE, xfs([], 'max_atomic_write=8k'))
    expect(atomicWriteOf(large).atomicWrite?.unitMin).toBe(16_384)
    expect(atomicWriteOf(little).atomicWrite?.unitMax).toBe(8192)
    const before = [large, little].map(traceOf)
    const asked = request({ native: 'probe', io: 'direct' })
    expect(codesOf(asked, [large, little])).toContain('R07_NATIVE_DISJOINT')
    expect(codesOf({ ...asked, native: 'off' }, [large, little])).not.toContain('R07_NATIVE_DISJOINT')
    expect(codesOf(asked, [large])).not.toContain('R07_NATIVE_DISJOINT')
    await refusesToCreate({ native: 'probe', io: 'direct' }, [large, little], ['R07_NATIVE_DISJOINT'])
    expect([large, little].map(traceOf)).toEqual(before)
  })

  loopTest('R10_NO_FLUSH: FUSE, which alone can be accepted', ['qemu-storage-daemon'], () => {
    const path = fuseOver(zeroFile(SIZE))
    const facts = storageFacts(path)
    expect(facts.filesystem).toMatchObject({ name: 'fuse' })
    const { refused } = judge(request(small), [facts])
    expect(refused).toContainEqual(expect.objectContaining({ code: 'R10_NO_FLUSH', acceptable: true }))
    const { accepted } = judge(request({ ...small, accept: ['R10_NO_FLUSH'] }), [facts])
    expect(accepted.map(({ code }) => code)).toEqual(['R10_NO_FLUSH'])
  })
})
