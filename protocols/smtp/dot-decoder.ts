const NUL = 0x00
const LF = 0x0a
const CR = 0x0d
const DOT = 0x2e
const NOTHING = Buffer.alloc(0)

/**
 * What stands directly before a byte: the end of a line, CR LF; or what a careless server might take for one, a CR or LF
 * alone, also with NULs behind it; or neither. A `cr` makes an end of a line with the LF that may follow.
 */
type Before = 'line-end' | 'cr' | 'bare' | 'other'

/** What a chunk was decoded to. */
export interface Decoded {
  readonly content: Buffer
  /** What follows the final dot, perhaps nothing; undefined while the dot is still to come. */
  readonly rest: Buffer | undefined
}

/**
 * Undoes dot-stuffing (RFC 5321 section 4.5.2), byte for byte and whatever the boundaries of the chunks: `CR LF . CR LF`
 * ends the message, of a line that begins with a dot the dot goes, nothing else is touched.
 *
 * A line that is a dot alone, but for its line ends, is a forged end: some servers take `LF . LF` and the like for the
 * end of the message and what follows for commands, so that a message which passed one server becomes two at the next
 * (SMTP smuggling, SEC Consult 2023). It is never taken for one here; `isForged` tells that there was one.
 */
export class DotDecoder {
  isForged = false
  #before: Before = 'line-end'
  /** A dot at the start of a line, and perhaps a CR: what follows tells what it is. */
  #held: Buffer = NOTHING
  /** There was a dot where a line may begin, and nothing but NULs since. */
  #isAlone = false

  decode(chunk: Buffer): Decoded {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk
    this.#held = NOTHING
    this.#lookBehindDot(bytes, 0)
    const pieces: Buffer[] = []
    let taken = 0
    for (let dot = bytes.indexOf(DOT); dot >= 0; dot = bytes.indexOf(DOT, dot + 1)) {
      const before = this.#beforeOf(bytes, dot)
      if (before === 'other') continue
      if (before === 'line-end') {
        pieces.push(bytes.subarray(taken, dot))
        const meaning = meaningOf(bytes, dot)
        if (meaning === 'end') return { content: joined(pieces), rest: bytes.subarray(dot + 3) }
        if (meaning === 'unknown') return this.#hold(bytes.subarray(dot), pieces)
        taken = dot + 1
        if (bytes[taken] === DOT) {
          dot = taken // Content: it is what was stuffed.
          continue
        }
      }
      this.#isAlone = true
      this.#lookBehindDot(bytes, dot + 1)
    }
    this.#before = this.#beforeOf(bytes, bytes.length)
    pieces.push(bytes.subarray(taken))
    return { content: joined(pieces), rest: undefined }
  }

  #hold(bytes: Buffer, pieces: readonly Buffer[]): Decoded {
    this.#held = bytes
    this.#before = 'line-end'
    return { content: joined(pieces), rest: undefined }
  }

  /** NULs that follow the dot are passed over, for some servers drop them. */
  #lookBehindDot(bytes: Buffer, from: number): void {
    if (!this.#isAlone) return
    let at = from
    while (bytes[at] === NUL) at += 1
    if (at === bytes.length) return
    this.#isAlone = false
    if (bytes[at] === CR || bytes[at] === LF) this.isForged = true
  }

  #beforeOf(bytes: Buffer, index: number): Before {
    let at = index
    while (at > 0 && bytes[at - 1] === NUL) at -= 1
    const before = at === 0 ? this.#before : this.#endingAt(bytes, at)
    return at < index && before !== 'other' ? 'bare' : before
  }

  #endingAt(bytes: Buffer, at: number): Before {
    if (bytes[at - 1] === CR) return 'cr'
    if (bytes[at - 1] !== LF) return 'other'
    const isAfterCr = at >= 2 ? bytes[at - 2] === CR : this.#before === 'cr'
    return isAfterCr ? 'line-end' : 'bare'
  }
}

/** Of a dot at the start of a line. */
function meaningOf(bytes: Buffer, dot: number): 'end' | 'stuffing' | 'unknown' {
  const [next, afterNext] = [bytes[dot + 1], bytes[dot + 2]]
  if (next === undefined || (next === CR && afterNext === undefined)) return 'unknown'
  return next === CR && afterNext === LF ? 'end' : 'stuffing'
}

function joined(pieces: readonly Buffer[]): Buffer {
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}
