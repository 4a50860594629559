import type { Limits } from './device.ts'
import { PoolError } from './errors.ts'
import { refuse } from './refusal.ts'

/** Every request is whole blocks within the device; a device never rounds one. */
export function checkRequest(limits: Limits, offset: number, length: number): void {
  const { size, logicalBlockSize } = limits
  if (offset % logicalBlockSize !== 0 || length % logicalBlockSize !== 0 || length === 0) {
    throw new PoolError('ERR_LIMITS', `${length} bytes at ${offset} are not whole blocks of ${logicalBlockSize}`)
  }
  if (offset < 0 || offset + length > size) {
    throw new PoolError('ERR_LIMITS', `${length} bytes at ${offset} lie outside the device's ${size}`)
  }
}

/** A write that must stay whole is refused rather than split. */
export function checkUnsplit(limits: Limits, length: number, unsplit = false): void {
  if (unsplit && length > limits.requestBytesMax) {
    throw refuse('R22_REQ_SHAPE', `${length} bytes do not fit one request of ${limits.requestBytesMax}`)
  }
}
