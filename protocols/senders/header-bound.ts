import type { SenderLimits } from './limits.ts'

const LF = 0x0a
const CR = 0x0d

/** Sees the header section of a message go by, and says when it is more than is looked at. */
export class HeaderBound {
  readonly #bytesMax: number
  readonly #linesMax: number
  #bytes = 0
  #lines = 0
  /** Nothing, or CR alone, since the last LF. */
  #isLineEmpty = false
  #isOver = false
  isWithin = true

  constructor({ headerBytesMax, headerLinesMax }: Pick<SenderLimits, 'headerBytesMax' | 'headerLinesMax'>) {
    this.#bytesMax = headerBytesMax
    this.#linesMax = headerLinesMax
  }

  /** False from the chunk on in which the header section became too long: it, and what follows, is nobody's to see. */
  take(chunk: Uint8Array): boolean {
    for (let index = 0; index < chunk.length && !this.#isOver && this.isWithin; index++) this.#step(chunk[index]!)
    return this.isWithin
  }

  #step(byte: number): void {
    this.#bytes += 1
    if (byte === LF) {
      this.#isOver = this.#isLineEmpty
      this.#isLineEmpty = true
      this.#lines += 1
    } else if (byte !== CR) this.#isLineEmpty = false
    this.isWithin = this.#bytes <= this.#bytesMax && this.#lines <= this.#linesMax
  }
}
