import type { Device, Limits, WriteOptions } from './device.ts'
import { checkRequest, checkUnsplit } from './request.ts'

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

  async write(offset: number, source: Uint8Array, { unsplit }: WriteOptions = {}): Promise<void> {
    this.#check(offset, source.length)
    checkUnsplit(this.limits, source.length, unsplit)
    this.bytes.set(source, offset)
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  #check(offset: number, length: number): void {
    checkRequest(this.limits, offset, length)
  }
}
