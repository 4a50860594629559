import koffi from 'koffi'
import type { AtomicWriteLimits } from '../../pool/device.ts'

const AT_FDCWD = -100
const STATX_WRITE_ATOMIC = 0x10000
const STATX_BYTES = 256
/** struct statx: mask at 0, stx_atomic_write_unit_min at 0xa8, stx_atomic_write_unit_max after it. */
const UNIT_MIN = 0xa8

/** What statx(2) says that a file takes all or nothing; nothing where it does not say. */
export function atomicWriteOf(path: string): { atomicWrite?: AtomicWriteLimits } {
  const statx = koffi.load(null).func('int statx(int, const char*, int, unsigned int, void*)')
  const answer = Buffer.alloc(STATX_BYTES)
  if (statx(AT_FDCWD, path, 0, STATX_WRITE_ATOMIC, answer) !== 0) return {}
  const [unitMin, unitMax] = [answer.readUInt32LE(UNIT_MIN), answer.readUInt32LE(UNIT_MIN + 4)]
  const known = (answer.readUInt32LE(0) & STATX_WRITE_ATOMIC) !== 0 && unitMin > 0
  return known ? { atomicWrite: { unitMin, unitMax, boundary: 0 } } : {}
}
