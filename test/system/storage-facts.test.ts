import { closeSync, fsyncSync, linkSync, openSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { storageFacts } from '../../system/index.ts'
import { parseMounts, parseSwaps } from '../../system/mounts.ts'
import { deviceNumber } from '../../system/storage-facts.ts'
import {
  btrfs,
  command,
  digest,
  ext4,
  loopOver,
  loopTest,
  mounted,
  partitionOf,
  sparseFile,
  xfs,
  zeroFile,
} from '../support/loop-devices.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const MIB = 1 << 20

describe('what any user may see', () => {
  test('a file, by whatever name', () => {
    const path = zeroFile(MIB)
    const other = join(dirname(path), 'link')
    symlinkSync(path, other)
    const { ino } = statSync(path)
    for (const name of [path, other]) {
      expect(storageFacts(name)).toMatchObject({
        path: name,
        kind: 'file',
        inode: ino,
        size: MIB,
        readOnly: false,
        users: [],
      })
    }
    const { allocatedBytes } = storageFacts(path)
    expect(allocatedBytes).toBeGreaterThanOrEqual(MIB)
    expect(allocatedBytes).toBeLessThan(2 * MIB)
  })

  test('a sparse file has less space than size', () => {
    const { size, allocatedBytes } = storageFacts(sparseFile(MIB))
    expect(size).toBe(MIB)
    expect(allocatedBytes).toBeLessThan(MIB)
  })

  test.skipIf(process.platform !== 'linux')('a file in memory', () => {
    const facts = storageFacts(zeroFile(MIB, temporaryFolder('/dev/shm')))
    expect(facts).toMatchObject({ kind: 'file', filesystem: { name: 'tmpfs' }, block: undefined, disks: undefined })
  })

  test.each(['/', '/dev/null', '/proc/self/status'])('%s holds nothing of ours', (path) => {
    const { kind, size } = storageFacts(path)
    expect({ kind, size }).toEqual(path.startsWith('/proc') ? { kind: 'file', size: 0 } : { kind: 'other' })
  })

  test('what is not there throws', () => {
    expect(() => storageFacts('/nowhere/at/all')).toThrow('ENOENT')
  })

  test('looking changes nothing, not even a time', () => {
    const path = zeroFile(MIB)
    const before = statSync(path, { bigint: true })
    storageFacts(path)
    expect(statSync(path, { bigint: true })).toEqual(before)
  })

  test('facts are plain data', () => {
    const facts = storageFacts(zeroFile(4096))
    expect(JSON.parse(JSON.stringify(facts))).toEqual(JSON.parse(JSON.stringify(structuredClone(facts))))
  })
})

describe('loop devices', () => {
  loopTest('blocks of 4096, an offset, the file behind and its disk', [], () => {
    const file = zeroFile(8 * MIB)
    const device = loopOver(file, '--sector-size', '4096', '--offset', String(MIB + 512))
    const below = storageFacts(file)
    expect(storageFacts(device)).toMatchObject({
      kind: 'block',
      size: 7 * MIB - 512,
      filesystem: undefined,
      allocatedBytes: undefined,
      block: {
        logicalBlockSize: 4096,
        physicalBlockSize: 4096,
        start: MIB + 512,
        loopFile: file,
        parts: [expect.any(String)],
      },
      backing: { path: file, kind: 'file', inode: below.inode, filesystem: below.filesystem },
      disks: below.disks,
      users: [],
    })
    expect(below.users).toEqual([`behind ${basename(device)}`])
    expect(storageFacts(zeroFile(MIB)).users).toEqual([])
  })

  loopTest('read-only', [], () => {
    expect(storageFacts(loopOver(zeroFile(MIB), '--read-only')).readOnly).toBe(true)
    expect(storageFacts(loopOver(zeroFile(MIB))).readOnly).toBe(false)
  })

  loopTest('a file that has lost its name is not looked for', [], () => {
    const file = zeroFile(MIB)
    const device = loopOver(file)
    command('mv', file, `${file}.moved`)
    writeFileSync(file, 'another')
    expect(storageFacts(device)).toMatchObject({ backing: { path: `${file}.moved` } })
    command('rm', `${file}.moved`)
    writeFileSync(`${file}.moved (deleted)`, 'a trap')
    expect(storageFacts(device)).toMatchObject({ backing: undefined, disks: undefined })
  })

  loopTest('a partition begins where it does, and its disk has it for a part', ['addpart'], () => {
    const file = zeroFile(8 * MIB)
    const device = loopOver(file)
    const first = partitionOf(device, 1, 63, 1000)
    const second = partitionOf(device, 2, 2048, 2048)
    expect(storageFacts(first)).toMatchObject({ size: 1000 * 512, block: { start: 63 * 512, loopFile: file } })
    expect(storageFacts(second)).toMatchObject({ size: MIB, block: { start: MIB, physicalBlockSize: 512 } })
    const parts = [device, first, second].map((path) => storageFacts(path).device)
    expect([...storageFacts(device).block!.parts].sort()).toEqual(parts.sort())
    expect(storageFacts(second).backing?.path).toBe(file)
  })

  loopTest(
    'a mounted device names who uses it; so does a disk one part of which is mounted',
    ['mkfs.ext4', 'addpart'],
    () => {
      const device = loopOver(zeroFile(16 * MIB))
      const part = partitionOf(device, 1, 2048, 20_000)
      expect(storageFacts(device).users).toEqual([])
      const folder = mounted(part, ['mkfs.ext4', '-q'])
      for (const path of [device, part]) {
        expect(storageFacts(path).users).toEqual([
          `mounted at ${folder}`,
          'claimed by the kernel or by another program',
        ])
      }
    },
  )

  loopTest('a file on a file system on a loop device lies on the disk below', ['mkfs.ext4'], () => {
    const image = zeroFile(32 * MIB)
    const device = loopOver(image)
    const path = zeroFile(MIB, mounted(device, ['mkfs.ext4', '-q']))
    expect(storageFacts(path)).toMatchObject({
      filesystem: { name: 'ext4', type: 'ext4' },
      block: { number: storageFacts(device).device },
      backing: { path: image },
      disks: storageFacts(image).disks,
    })
  })
})

describe('file systems', () => {
  loopTest('ext4, and how it was mounted', ['mkfs.ext4'], () => {
    const plain = storageFacts(zeroFile(MIB, ext4()))
    expect(plain).toMatchObject({
      filesystem: { name: 'ext4', type: 'ext4' },
      extents: { shared: false, encoded: false },
    })
    expect(plain.filesystem!.options).not.toContain('nobarrier')
    expect(storageFacts(zeroFile(MIB, ext4('nobarrier'))).filesystem!.options).toContain('nobarrier')
  })

  loopTest('XFS: a file and its reflink share their extents', ['mkfs.xfs'], () => {
    const folder = xfs()
    const path = zeroFile(MIB, folder)
    command('sync', path)
    expect(storageFacts(path)).toMatchObject({ filesystem: { name: 'xfs' }, extents: { shared: false } })
    command('cp', '--reflink=always', path, join(folder, 'copy'))
    for (const name of ['zeros', 'copy']) {
      expect(storageFacts(join(folder, name)).extents).toEqual({ shared: true, encoded: false })
    }
  })

  loopTest('XFS: more extents than one request tells', ['mkfs.xfs', 'xfs_io'], () => {
    const folder = xfs()
    const path = join(folder, 'holes')
    const pieces = 600
    const file = openSync(path, 'w')
    for (let piece = 0; piece < pieces; piece++) writeSync(file, Buffer.alloc(4096), 0, 4096, piece * 8192)
    fsyncSync(file)
    closeSync(file)
    expect(storageFacts(path).extents).toEqual({ shared: false, encoded: false })
    command('xfs_io', '-f', '-c', `reflink ${path} ${(pieces - 1) * 8192} 0 4096`, join(folder, 'copy'))
    expect(storageFacts(path).extents).toEqual({ shared: true, encoded: false })
  })

  loopTest('btrfs: the device under an invented number, compression, and no copy-on-write', ['mkfs.btrfs'], () => {
    const folder = btrfs()
    command('chattr', '+C', folder)
    const plain = zeroFile(MIB, folder)
    expect(storageFacts(plain)).toMatchObject({
      filesystem: { name: 'btrfs', type: 'btrfs', mountPoint: folder },
      flags: { compressed: false, noCopyOnWrite: true },
    })
    expect(storageFacts(plain).block?.name).toMatch(/^loop/)
    expect(storageFacts(plain).disks).toEqual(storageFacts(temporaryFolder()).disks)
  })

  loopTest('btrfs: a file that is compressed says so, and so do its extents', ['mkfs.btrfs'], () => {
    const folder = btrfs()
    command('chattr', '+c', folder)
    const path = zeroFile(MIB, folder)
    command('sync', path)
    expect(storageFacts(path)).toMatchObject({ flags: { compressed: true }, extents: { encoded: true } })
  })

  loopTest('btrfs of two devices lies on both', ['mkfs.btrfs'], () => {
    const other = loopOver(sparseFile(128 * MIB, mounted(loopOver(sparseFile(160 * MIB)), ['mkfs.ext4', '-q'])))
    const folder = mounted(loopOver(sparseFile(128 * MIB)), ['mkfs.btrfs', '-q', other])
    const facts = storageFacts(zeroFile(MIB, folder))
    expect(facts.disks).toEqual(storageFacts(temporaryFolder()).disks)
    expect(storageFacts(other).users).toContain('claimed by the kernel or by another program')
  })

  loopTest('a file that nobody may change', ['mkfs.ext4', 'chattr'], () => {
    const path = zeroFile(MIB, ext4())
    command('chattr', '+i', path)
    expect(storageFacts(path)).toMatchObject({ readOnly: true, flags: { immutable: true, appendOnly: false } })
    command('chattr', '-i', '+a', path)
    expect(storageFacts(path)).toMatchObject({ flags: { immutable: false, appendOnly: true } })
  })

  loopTest('a file system mounted read-only', ['mkfs.ext4'], () => {
    const folder = ext4()
    const path = zeroFile(MIB, folder)
    linkSync(path, join(folder, 'link'))
    command('mount', '-o', 'remount,ro', folder)
    expect(storageFacts(path).readOnly).toBe(true)
  })
})

loopTest('looking changes no byte of a device', ['addpart'], () => {
  const file = zeroFile(4 * MIB)
  const device = loopOver(file)
  const part = partitionOf(device, 1, 2048, 2048)
  const before = [digest(file), statSync(file, { bigint: true })]
  for (const path of [device, part, file]) storageFacts(path)
  expect([digest(file), statSync(file, { bigint: true })]).toEqual(before)
})

test('mounts as the kernel lists them', () => {
  const text = [
    '42 27 7:0 / /mnt/two\\040words rw,relatime shared:1 master:2 - xfs /dev/loop0 rw,nobarrier',
    '43 27 0:40 / /mnt/b ro - btrfs /dev/back\\134slash rw,compress=zstd:3',
    '44 27 0:41 / /mnt/s rw,nosuid - fuse.sshfs host:/home rw,user_id=0',
    '',
  ].join('\n')
  expect(parseMounts(text)).toEqual([
    {
      id: 42,
      device: '7:0',
      point: '/mnt/two words',
      type: 'xfs',
      source: '/dev/loop0',
      options: ['rw', 'relatime', 'nobarrier'],
    },
    {
      id: 43,
      device: '0:40',
      point: '/mnt/b',
      type: 'btrfs',
      source: '/dev/back\\slash',
      options: ['ro', 'rw', 'compress=zstd:3'],
    },
    {
      id: 44,
      device: '0:41',
      point: '/mnt/s',
      type: 'fuse.sshfs',
      source: 'host:/home',
      options: ['rw', 'nosuid', 'user_id=0'],
    },
  ])
})

test('swap areas as the kernel lists them', () => {
  const text =
    'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/swap\\040file                               file\t\t1024\t\t0\t\t-2\n/dev/sda2 partition\t8\t0\t-3\n'
  expect(parseSwaps(text)).toEqual(['/swap file', '/dev/sda2'])
})

test.each([
  [0xfe00n, '254:0'],
  [0x10_0103n, '1:259'],
  [0x29n, '0:41'],
])('device number %d is %s', (number, name) => {
  expect(deviceNumber(number)).toBe(name)
})
