import { readSync } from 'node:fs'
import { alignedSharedBuffer, type DirectAlignment, dropCleanPages, openDirect } from '../system/index.ts'
import { roundUp } from './bytes.ts'

/** Fills `target` from `offset` of an open file. Throws when less is there. */
export function readAll(descriptor: number, target: Uint8Array, offset: number): void {
  for (let done = 0; done < target.length; ) {
    const bytes = readSync(descriptor, target, done, target.length - done, offset + done)
    if (bytes === 0) throw new Error(`short read: only ${done} bytes are there`)
    done += bytes
  }
}

/**
 * Reads of a file whose page cache is not to be believed: after a flush that failed, what could not be written lies
 * there as if it were on the medium. They go around it, by a second descriptor, which ends with the thread that opened
 * it; where the file system has no direct I/O, what the cache holds of a range is dropped before each read of it
 * (page-cache.ts says what that cannot promise).
 */
export class ColdReads {
  readonly #descriptor: number
  readonly #direct: { readonly descriptor: number; readonly alignment: DirectAlignment } | undefined

  /** `alignment` is what direct I/O on the file asks; undefined where it has none. */
  constructor(descriptor: number, alignment: DirectAlignment | undefined) {
    this.#descriptor = descriptor
    const direct = alignment && openDirect(descriptor)
    this.#direct = direct === undefined ? undefined : { descriptor: direct, alignment: alignment! }
  }

  read(target: Uint8Array, offset: number): void {
    if (this.#direct) {
      readAligned(this.#direct.descriptor, this.#direct.alignment.offset, target, offset)
    } else {
      dropCleanPages(this.#descriptor, offset, target.length)
      readAll(this.#descriptor, target, offset)
    }
  }
}

/** Direct I/O asks for whole blocks in aligned memory; at the end of the file a block may be cut short. */
function readAligned(descriptor: number, alignment: number, target: Uint8Array, offset: number): void {
  const start = offset - (offset % alignment)
  const needed = offset + target.length - start
  const whole = alignedSharedBuffer(roundUp(needed, alignment))
  for (let done = 0; done < needed; ) {
    const bytes = readSync(descriptor, whole, done, whole.length - done, start + done)
    if (bytes === 0) throw new Error(`short read: only ${Math.max(0, start + done - offset)} bytes are there`)
    done += bytes
  }
  target.set(whole.subarray(offset - start, needed))
}
