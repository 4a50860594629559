const NOTHING = Buffer.alloc(0)

/** The first bytes of an upload, up to a bound: all that a filter keeps of its body. */
export class Head {
  readonly #bytesMax: number
  #bytes: Buffer
  #length: number

  constructor(bytesMax: number, bytes: Buffer = NOTHING) {
    this.#bytesMax = bytesMax
    this.#bytes = bytes
    this.#length = bytes.length
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  get full(): boolean {
    return this.#length === this.#bytesMax
  }

  /** Copies as much of `chunk` as there is room for. The room is doubled, so that a byte at a time costs no more. */
  append(chunk: Uint8Array): void {
    const length = Math.min(this.#length + chunk.length, this.#bytesMax)
    if (length > this.#bytes.length) {
      const room = Buffer.allocUnsafe(Math.min(Math.max(length, 2 * this.#bytes.length), this.#bytesMax))
      room.set(this.bytes)
      this.#bytes = room
    }
    this.#bytes.set(chunk.subarray(0, length - this.#length), this.#length)
    this.#length = length
  }
}
