import type { SenderLimits } from './limits.ts'

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09

type Bounds = Pick<SenderLimits, 'headerBytesMax' | 'headerLinesMax' | 'heldBytesMax' | 'heldLinesMax'>

/** Sees a message go by, and says when its header section or its body is more than is looked at. */
export class MessageBound {
  readonly #bounds: Bounds
  #bytes = 0
  #lines = 0
  /** Nothing, or CR alone, since the last LF. */
  #isLineEmpty = false
  #isBody = false
  /** Of the body, since the end of the last line that has text: what hashing it holds. */
  #heldBytes = 0
  #heldLines = 0
  #hasText = false
  isHeaderWithin = true
  isBodyWithin = true

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  /** Nothing was beyond a bound until now. */
  get isWithin(): boolean {
    return this.isHeaderWithin && this.isBodyWithin
  }

  /** What of the chunk is to be looked at: nothing behind the line in which it became too much. */
  take(chunk: Uint8Array): Uint8Array {
    let at = 0
    while (at < chunk.length && !this.#isBody && this.isHeaderWithin) this.#step(chunk[at++]!)
    while (at < chunk.length && this.isWithin) at = this.#takeLine(chunk, at)
    return chunk.subarray(0, at)
  }

  #step(byte: number): void {
    this.#bytes += 1
    if (byte === LF) {
      this.#isBody = this.#isLineEmpty
      this.#isLineEmpty = true
      this.#lines += 1
    } else if (byte !== CR) this.#isLineEmpty = false
    this.isHeaderWithin = this.#bytes <= this.#bounds.headerBytesMax && this.#lines <= this.#bounds.headerLinesMax
  }

  /** Takes a line of the body, or what there is of it; tells where the next one begins. */
  #takeLine(chunk: Uint8Array, from: number): number {
    const lineFeed = chunk.indexOf(LF, from)
    const end = lineFeed < 0 ? chunk.length : lineFeed + 1
    this.#heldBytes += end - from
    if (lineFeed >= 0) this.#heldLines += 1
    this.#hasText ||= hasText(chunk, from, end)
    this.isBodyWithin = this.#heldBytes <= this.#bounds.heldBytesMax && this.#heldLines <= this.#bounds.heldLinesMax
    if (lineFeed >= 0 && this.#hasText) this.#letGo()
    return end
  }

  #letGo(): void {
    this.#heldBytes = 0
    this.#heldLines = 0
    this.#hasText = false
  }
}

function hasText(chunk: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end; at++) {
    const byte = chunk[at]
    if (byte !== SPACE && byte !== TAB && byte !== CR && byte !== LF) return true
  }
  return false
}
