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

/** Lets up to `max` tasks through at a time, begun in the order of arrival and never in the caller's own turn. */
export class Lanes {
  readonly #max: number
  readonly #waiting = new Set<() => Promise<void>>()
  #running = 0

  constructor(max: number) {
    this.#max = max
  }

  run(task: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(() => task().then(resolve, reject))
      if (this.#running < this.#max) void this.#lane()
    })
  }

  async #lane(): Promise<void> {
    this.#running++
    await null
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      await next()
    }
    this.#running--
  }
}
