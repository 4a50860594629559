import koffi from 'koffi'
import { SystemCallError } from './errno.ts'
import { queueLimitNumber } from './queue-limits.ts'
import { STATX_WRITE_ATOMIC, statxOf } from './statx.ts'

const RWF_ATOMIC = 0x40

/** What the kernel says about writes that are all or nothing, power failure included. */
export interface AtomicWriteClaim {
  readonly unitMin: number
  readonly unitMax: number
  /** Pieces of memory that one write may be made of. */
  readonly segmentsMax: number
  /** No atomic write may cross a multiple of this; 0 for none. */
  readonly boundary: number
}

/**
 * What an open file promises (STATX_WRITE_ATOMIC, Linux 6.11), undefined when it promises nothing or in words that
 * leave a doubt. A block device, whose number is `disk`, must say the same in sysfs, where its boundary stands.
 */
export function atomicWriteClaim(descriptor: number, disk?: number): AtomicWriteClaim | undefined {
  const found = statxOf(descriptor)
  if (!found || (found.mask & STATX_WRITE_ATOMIC) === 0) return undefined
  const { atomicUnitMin: unitMin, atomicUnitMax: unitMax, atomicSegmentsMax: segmentsMax } = found
  if (disk === undefined) return believe({ unitMin, unitMax, segmentsMax, boundary: 0 })
  const queue = (name: string) => queueLimitNumber(disk, `atomic_write_${name}_bytes`)
  const boundary = queue('boundary')
  if (boundary === undefined || queue('unit_min') !== unitMin || queue('unit_max') !== unitMax) return undefined
  return believe({ unitMin, unitMax, segmentsMax, boundary })
}

/** A claim is believed only when it is whole and follows the kernel's own rules (block/blk-settings.c). */
export function believe(claim: AtomicWriteClaim): AtomicWriteClaim | undefined {
  const { unitMin, unitMax, segmentsMax, boundary } = claim
  if (!isPowerOfTwo(unitMin) || !isPowerOfTwo(unitMax) || unitMin > unitMax || segmentsMax < 1) return undefined
  if (boundary !== 0 && (!isPowerOfTwo(boundary) || boundary < unitMax)) return undefined
  return claim
}

/** True for 1, 2, 4 … up to 2^30, which bounds what a size in 32 bits may hold. */
export const isPowerOfTwo = (value: number): boolean => value > 0 && value <= 2 ** 30 && (value & (value - 1)) === 0

/** struct iovec of uio.h */
interface Vector {
  readonly base: Uint8Array
  readonly length: number
}

type Call = (descriptor: number, vector: Vector, count: number, offset: number, flags: number) => number
let pwritev2: Call | undefined

function load(): Call {
  const vector = koffi.struct({ base: 'const void *', length: 'size_t' })
  const parameters = ['int', koffi.pointer(vector), 'int', 'int64_t', 'int']
  return koffi.load(null).func('pwritev2', 'intptr_t', parameters) as Call
}

/**
 * Writes with one system call, which node:fs does not promise: libuv goes on by itself after a short write. Gives the
 * bytes written. With `atomic` the kernel is told to write all or nothing, and refuses with EINVAL or EOPNOTSUPP what it
 * could not write so.
 */
export function writeOnce(descriptor: number, source: Uint8Array, offset: number, atomic: boolean): number {
  pwritev2 ??= load()
  const vector = { base: source, length: source.length }
  const bytes = pwritev2(descriptor, vector, 1, offset, atomic ? RWF_ATOMIC : 0)
  if (bytes < 0) throw new SystemCallError(atomic ? 'pwritev2 with RWF_ATOMIC' : 'pwritev2', koffi.errno())
  return bytes
}
