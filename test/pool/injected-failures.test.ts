import { closeSync, openSync, writeFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ColdReads, readAll } from '../../pool/cold-reads.ts'
import { directAlignment } from '../../system/index.ts'
import { canRun, loopOver, xfs, zeroFile } from '../support/loop-devices.ts'
import { traced } from '../support/traced-device.ts'

const MIB = 1 << 20
const smallFile = () => zeroFile(MIB)

/** The real thread, its system calls failing at will. */
describe.skipIf(!canRun('failures injected into system calls', 'strace'))('a system call', () => {
  test('of a flush that fails is told by name, and never tried again', () => {
    const script = `
      await device.write(0, Buffer.alloc(4096))
      say(await of(device.flush()))
      say(await of(device.flush()))`
    const { said } = traced(smallFile(), 'buffered', script, 'fdatasync:error=EIO:when=1')
    expect(said[0]).toMatch(/^ERR_IO: flush failed: EIO/)
    expect(said[1]).toMatch(/^ERR_HALTED: /)
  })

  test.each(['direct', 'buffered'] as const)(
    'of a flush that fails is the last of its kind, and reads go on, %s',
    (io) => {
      const script = `
      await device.write(4096, Buffer.alloc(4096, 'kept'))
      await device.flush()
      const [flush, write] = [device.flush(), device.write(8192, Buffer.alloc(4096, 'late'))]
      say(await of(flush))
      say(await of(write))
      const { logicalBlockSize: block, size } = device.limits
      const target = Buffer.alloc(8192 + block)
      await device.read(4096 - block, target)
      say(String(target.subarray(block, block + 8)))
      say(target.subarray(4096 + block).every((byte) => byte === 0))
      say(await of(device.read(size - block, Buffer.alloc(block))))`
      const { said, writes } = traced(smallFile(), io, script, 'fdatasync:error=EIO:when=2')
      expect(said[0]).toMatch(/^ERR_IO: flush failed: EIO/)
      expect(said[1]).toMatch(/^ERR_HALTED: /)
      expect(said.slice(2)).toEqual(['keptkept', 'true', 'done'])
      expect(writes).toEqual(['4096 at 4096'])
    },
  )

  test('of a write that fails is told by name, with its range', () => {
    const script = `say(await of(device.write(8192, Buffer.alloc(4096))))`
    const { said } = traced(smallFile(), 'buffered', script, 'pwrite64:error=ENOSPC')
    expect(said[0]).toMatch(/^ERR_IO: write of 4096 bytes at 8192 failed: ENOSPC/)
  })

  test.each(['direct', 'buffered'] as const)('that writes a part has failed, %s', (io) => {
    const script = `say(await of(device.write(8192, Buffer.alloc(4096), { unsplit: true })))`
    const { said, wholeWrites } = traced(smallFile(), io, script, 'pwritev2:retval=512')
    expect(said).toEqual(['ERR_IO: write of 4096 bytes at 8192 failed: short write: only 512 bytes were taken'])
    expect(wholeWrites).toEqual(['4096 at 8192, flags 0'])
  })

  test('is the only one of an unsplit write, whatever its size', () => {
    const script = `
      const whole = (offset, length) => device.write(offset, Buffer.alloc(length), { unsplit: true })
      await whole(0, 512)
      await whole(4096, device.limits.requestBytesMax)
      say(device.limits.requestBytesMax)`
    const path = zeroFile(2 * MIB)
    const { said, wholeWrites } = traced(path, 'direct', script)
    expect(wholeWrites).toEqual(['512 at 0, flags 0', `${said[0]} at 4096, flags 0`])
  })
})

describe.skipIf(!canRun('reads around a page cache that is wrong', 'strace', 'losetup'))('after a failed flush', () => {
  test('a buffered device shows what is on the medium, not what the page cache believes', () => {
    const disk = smallFile()
    // The loop device has a cache of its own, which does not hear of it when the file below is written to.
    const script = `
      const shown = async () => {
        const target = Buffer.alloc(512)
        await device.read(4608, target)
        return String(target.subarray(0, 4))
      }
      await device.write(4096, Buffer.alloc(4096, 'kept'))
      await device.flush()
      const { writeFileSync } = await import('node:fs')
      writeFileSync('${disk}', Buffer.alloc(${MIB}, 'true'), { flag: 'r+' })
      say(await shown())
      await of(device.flush())
      say(await shown())`
    const { said } = traced(loopOver(disk), 'buffered', script, 'fdatasync:error=EIO:when=2')
    expect(said).toEqual(['kept', 'true'])
  })

  test('so it does where the file system has no direct I/O', () => {
    const disk = smallFile()
    const descriptor = openSync(loopOver(disk), 'r')
    onTestFinished(() => closeSync(descriptor))
    const shown = (reads: Pick<ColdReads, 'read'>) => {
      const target = Buffer.alloc(512)
      reads.read(target, MIB - 512)
      return String(target.subarray(0, 4))
    }
    const [dropping, around] = [undefined, directAlignment(descriptor)].map((way) => new ColdReads(descriptor, way))
    const cached = { read: (target: Uint8Array, offset: number) => readAll(descriptor, target, offset) }
    for (const bytes of ['once', 'then']) {
      writeFileSync(disk, Buffer.alloc(MIB, bytes), { flag: 'r+' })
      if (bytes === 'then') expect(shown(cached)).toBe('once')
      expect([shown(around!), shown(dropping!), shown(cached)]).toEqual([bytes, bytes, bytes])
    }
  })
})

const RWF_ATOMIC = 0x40

describe.skipIf(!canRun('atomic writes by system call', 'strace', 'losetup', 'mkfs.xfs'))('an atomic write', () => {
  test('gives the kernel its word, an unsplit write of another shape and an ordinary one do not', () => {
    const script = `
      const whole = (offset, length) => device.write(offset, Buffer.alloc(length), { unsplit: true })
      for (const length of [4096, 65536, 12288]) await whole(0, length)
      await whole(4096, 16384)
      await device.write(0, Buffer.alloc(4096))`
    const { wholeWrites } = traced(zeroFile(MIB, xfs()), 'direct', script)
    expect(wholeWrites).toEqual([
      `4096 at 0, flags ${RWF_ATOMIC}`,
      `65536 at 0, flags ${RWF_ATOMIC}`,
      '12288 at 0, flags 0',
      '16384 at 4096, flags 0',
    ])
  })

  test.each([
    ['EINVAL', 'EINVAL', 'ERR_LIMITS'],
    ['EOPNOTSUPP', 'ENOTSUP', 'ERR_LIMITS'],
    ['EIO', 'EIO', 'ERR_IO'],
  ])('that fails with %s is told as %s, %s', (errno, name, code) => {
    const script = `say(await of(device.write(8192, Buffer.alloc(4096), { unsplit: true })))`
    const { said } = traced(zeroFile(MIB, xfs()), 'direct', script, `pwritev2:error=${errno}`)
    expect(said[0]).toMatch(new RegExp(`^${code}: write of 4096 bytes at 8192 failed: ${name}`))
  })
})
