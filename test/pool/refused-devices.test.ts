import { linkSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { createPool } from '../../pool/index.ts'
import { judge, type PoolRequest, type RefusalCode, refusalsOf } from '../../pool/refusals.ts'
import { storageFacts } from '../../system/index.ts'
import { atomicWriteOf } from '../support/atomic-write.ts'
import { request } from '../support/invented-members.ts'
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
        // Else the kernel zeroes inode tables in the background, and punches holes into the file below.
        mounted(device, ['mkfs.ext4', '-q', '-E', 'nodiscard'], 'noinit_itable')
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
