const LF = 0x0a
const CR = 0x0d

/** Makes CR LF of each LF alone, as a signature is over them (RFC 6376 section 5.3); a chunk without such is itself. */
export class LineEnds {
  #last = 0

  take(chunk: Uint8Array): Uint8Array {
    const bare = this.#bareIn(chunk)
    this.#last = chunk.at(-1) ?? this.#last
    if (bare.length === 0) return chunk
    const bytes = new Uint8Array(chunk.length + bare.length)
    let from = 0
    for (const [count, at] of bare.entries()) {
      bytes.set(chunk.subarray(from, at), from + count)
      bytes[at + count] = CR
      from = at
    }
    bytes.set(chunk.subarray(from), from + bare.length)
    return bytes
  }

  #bareIn(chunk: Uint8Array): readonly number[] {
    const bare: number[] = []
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1))
      if ((at === 0 ? this.#last : chunk[at - 1]) !== CR) bare.push(at)
    return bare
  }
}
