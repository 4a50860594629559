import type { Device, Limits } from './device.ts'
import { PoolError } from './errors.ts'

/** A device in memory: for tests, and for a pool that need not outlive its process. */
export class MemoryDevice implements Device {
  readonly limits: Limits
  readonly bytes: Buffer
  readonly copies = 1

  constructor(size: number, blockSize = 512) {
    this.limits = {
      size,
      logicalBlockSize: blockSize,
      physicalBlockSize: blockSize,
      writeCache: 'write-through',
      flushable: true,
      requestBytesMax: size,
    }
    this.bytes = Buffer.alloc(size)
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    this.#check(offset, target.length)
    target.set(this.bytes.subarray(offset, offset + target.length))
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    this.#check(offset, source.length)
    this.bytes.set(source, offset)
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  #check(offset: number, length: number): void {
    checkRequest(this.limits, offset, length)
  }
}

/** Every request is whole blocks within the device; a device never splits or rounds one. */
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
    throw new PoolError(
      'ERR_LIMITS',
      `R22_REQ_SHAPE: ${length} bytes do not fit one request of ${limits.requestBytesMax}`,
    )
  }
}
