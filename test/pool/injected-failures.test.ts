import { describe, expect, test } from 'vitest'
import { canRun, xfs, zeroFile } from '../support/loop-devices.ts'
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
