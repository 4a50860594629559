import type { AtomicWriteLimits } from './device.ts'

/** True when a device with these limits writes the range all or nothing (pwritev2(2), RWF_ATOMIC). */
export function mayBeAtomic(limits: AtomicWriteLimits | undefined, offset: number, length: number): boolean {
  if (!limits || length < limits.unitMin || length > limits.unitMax) return false
  if (Math.log2(length) % 1 !== 0 || offset % length !== 0) return false
  const { boundary } = limits
  return boundary === 0 || Math.floor(offset / boundary) === Math.floor((offset + length - 1) / boundary)
}
