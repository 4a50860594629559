import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FileDevice } from '../../pool/index.ts'
import { worker } from '../support/file-device.ts'
import {
  cachedBytes,
  canRun,
  ext4,
  loopDevice,
  loopOver,
  mounted,
  mountedFrom,
  xfs,
  zeroFile,
} from '../support/loop-devices.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const MIB = 1 << 20
const KIB = 1024

describe.skipIf(!canRun('a raw block device', 'losetup', 'mkfs.ext4'))('a raw block device', () => {
  test.each(['direct', 'buffered', 'auto'] as const)('holds what was written, %s', async (io) => {
    const disk = loopDevice(64 * MIB)
    const device = FileDevice.open(disk, { worker, io })
    expect(device.limits).toMatchObject({ size: 64 * MIB, logicalBlockSize: 512, physicalBlockSize: 512 })
    expect(device.limits.atomicWrite).toBeUndefined()
    const bytes = Buffer.alloc(3 * MIB, io)
    await device.write(64 * MIB - bytes.length, bytes)
    await device.write(0, bytes.subarray(0, device.limits.requestBytesMax), { unsplit: true })
    await device.flush()
    await device.close()
    const again = FileDevice.open(disk, { worker, io: 'direct' })
    const target = Buffer.alloc(bytes.length)
    await again.read(64 * MIB - bytes.length, target)
    expect(target.equals(bytes)).toBe(true)
    await again.close()
  })

  test('with blocks of 4 KiB takes nothing smaller', async () => {
    const file = join(temporaryFolder(), 'disk')
    spawnSync('truncate', ['-s', '8M', file])
    const disk = loopOver(file, '--sector-size', '4096')
    const device = FileDevice.open(disk, { worker, io: 'direct' })
    expect(device.limits).toMatchObject({ logicalBlockSize: 4096, physicalBlockSize: 4096 })
    await expect(device.write(512, Buffer.alloc(512))).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    await device.write(4096, Buffer.alloc(4096))
    await device.close()
  })

  test('is held by one opener at a time', async () => {
    const disk = loopDevice(8 * MIB)
    const device = FileDevice.open(disk, { worker })
    expect(() => FileDevice.open(disk, { worker })).toThrow(expect.objectContaining({ code: 'ERR_LOCKED' }))
    expect(spawnSync('mkfs.ext4', ['-q', disk]).status).not.toBe(0)
    await device.close()
    await FileDevice.open(disk, { worker }).close()
  })

  test('that is mounted is refused', () => {
    const disk = loopDevice(64 * MIB)
    mounted(disk, ['mkfs.ext4', '-q', '-F'])
    expect(() => FileDevice.open(disk, { worker })).toThrow(expect.objectContaining({ code: 'ERR_LOCKED' }))
  })
})

describe.skipIf(!canRun('a file on ext4', 'losetup', 'mkfs.ext4'))('a file on ext4', () => {
  test('without direct I/O is buffered, and refused when it must be direct', async () => {
    const path = zeroFile(MIB, ext4('data=journal'))
    const device = FileDevice.open(path, { worker })
    expect(device.io).toBe('buffered')
    await device.close()
    expect(() => FileDevice.open(path, { worker, io: 'direct' })).toThrow(
      expect.objectContaining({ code: 'ERR_LIMITS' }),
    )
    await FileDevice.open(path, { worker }).close()
  })

  test('promises nothing about atomic writes', async () => {
    const device = FileDevice.open(zeroFile(MIB, ext4()), { worker, io: 'direct' })
    expect(device.limits.atomicWrite).toBeUndefined()
    await device.write(0, Buffer.alloc(4096), { unsplit: true })
    await device.close()
  })
})

describe.skipIf(!canRun('atomic writes on XFS', 'losetup', 'mkfs.xfs'))('a file on XFS', () => {
  test('says what it writes atomically when it is direct, and nothing when it is buffered', async () => {
    const path = zeroFile(4 * MIB, xfs())
    const direct = FileDevice.open(path, { worker, io: 'direct' })
    expect(direct.limits.atomicWrite).toMatchObject({ unitMin: 4096, boundary: 0 })
    expect(direct.limits.atomicWrite!.unitMax).toBeGreaterThanOrEqual(64 * KIB)
    await direct.close()
    const buffered = FileDevice.open(path, { worker, io: 'buffered' })
    expect(buffered.limits.atomicWrite).toBeUndefined()
    await buffered.close()
  })

  test.each([
    ['4 KiB', 0, 4],
    ['8 KiB', 8, 8],
    ['16 KiB', 32, 16],
    ['64 KiB', 64, 64],
    ['12 KiB', 0, 12],
    ['16 KiB off its border', 4, 16],
  ])('holds unsplit writes of %s', async (_, offset, length) => {
    const path = zeroFile(MIB, xfs())
    const device = FileDevice.open(path, { worker, io: 'direct' })
    const bytes = Buffer.alloc(length * KIB, 'atomic ')
    await device.write(offset * KIB, bytes, { unsplit: true })
    await device.flush()
    const target = Buffer.alloc(bytes.length)
    await device.read(offset * KIB, target)
    expect(target.equals(bytes)).toBe(true)
    await device.close()
  })

  test('that takes atomic writes by copying is left buffered by itself', async () => {
    const device = FileDevice.open(zeroFile(4 * MIB, xfs()), { worker })
    expect(device.io).toBe('buffered')
    await device.close()
  })
})

/*
 * The medium fails for real: a sparse disk on a file system that is full. Linux then forgets that the page was never
 * written, and the next flush succeeds; what the cache shows is a lie.
 */
describe.skipIf(!canRun('a medium that fails', 'losetup', 'mkfs.xfs', 'fallocate'))('a medium that fails', () => {
  test('is halted by its flush, and read around the cache from then on, and when it is opened again', async () => {
    const small = mountedFrom('tmpfs', '-t', 'tmpfs', '-o', 'size=96m')
    spawnSync('truncate', ['-s', '400M', join(small, 'disk')])
    const path = join(mounted(loopOver(join(small, 'disk')), ['mkfs.xfs', '-q', '-f', '-m', 'reflink=1']), 'device')
    spawnSync('fallocate', ['-l', '16M', path])
    const device = FileDevice.open(path, { worker, io: 'buffered' })
    await device.write(0, Buffer.alloc(64 * KIB, 'good'))
    await device.flush()
    spawnSync('dd', ['if=/dev/zero', `of=${join(small, 'fill')}`, 'bs=1M'])
    await device.write(8 * MIB, Buffer.alloc(64 * KIB, 'lost'))
    await expect(device.flush()).rejects.toMatchObject({ code: 'ERR_IO', message: expect.stringMatching(/EIO|ENOSPC/) })
    expect(readThroughCache(path, 8 * MIB)).toBe('lost')
    await expectMedium(device)
    await device.close()

    expect(readThroughCache(path, 8 * MIB)).toBe('lost')
    const again = FileDevice.open(path, { worker, io: 'buffered' })
    await expectMedium(again)
    expect(cachedBytes(path)).toBeLessThan(statSync(path).size)
    await again.close()
  })

  async function expectMedium(device: FileDevice): Promise<void> {
    const target = Buffer.alloc(512)
    await device.read(8 * MIB, target)
    expect(target).toEqual(Buffer.alloc(512))
    await device.read(0, target)
    expect(target).toEqual(Buffer.alloc(512, 'good'))
  }

  function readThroughCache(path: string, offset: number): string {
    const descriptor = openSync(path, constants.O_RDONLY)
    const target = Buffer.alloc(4)
    readSync(descriptor, target, 0, target.length, offset)
    closeSync(descriptor)
    return target.toString()
  }
})
