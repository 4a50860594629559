/** Memory for what is decoded in one step; the next step uses it again, so that a large mail is no heap of garbage. */
export class Room {
  #buffer = Buffer.alloc(0)
  #used = 0

  take(length: number): Buffer {
    if (this.#used + length > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(length, this.#used))
      this.#used = 0
    }
    const start = this.#used
    this.#used += length
    return this.#buffer.subarray(start, this.#used)
  }

  /** What was taken is nobody's any more. */
  reset(): void {
    this.#used = 0
  }
}
