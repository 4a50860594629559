import { roundUp } from './bytes.ts'
import type { Readable } from './device.ts'

/** Any `length` bytes at any `offset`, of any copy or of one, read as whole blocks. */
export async function readBytes(device: Readable, offset: number, length: number, copy?: number): Promise<Buffer> {
  const block = device.limits.logicalBlockSize
  const start = offset - (offset % block)
  const bytes = Buffer.allocUnsafe(roundUp(offset + length, block) - start)
  await device.read(start, bytes, copy)
  return bytes.subarray(offset - start, offset - start + length)
}

/** Lets one task at a time through, in the order of arrival. */
export class Mutex {
  #last: Promise<void> = Promise.resolve()

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task)
    this.#last = result.then(
      () => {},
      () => {},
    )
    return result
  }
}
