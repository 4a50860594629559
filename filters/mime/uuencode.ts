import type { Plain } from '../../streams/index.ts'
import type { Decoder } from './decoder.ts'

const LF = 0x0a

/** A line has 61 characters and a line end; a longer one than this is none. */
export const UU_LINE_BYTES_MAX = 128

/** `begin 644 name`, lines, `end` (POSIX.1-2017, uuencode): between text that is none of it. */
export class UuDecoder implements Decoder {
  isClean: boolean
  #phase: 'before' | 'within' | 'after'
  #line: string
  /** The line is too long to be one. */
  #isLong: boolean

  constructor(frozen: Plain) {
    const start = { phase: 'before', line: '', isLong: false, isClean: true }
    const state = (frozen ?? start) as { phase: 'before' | 'within' | 'after'; line: string } & Record<string, boolean>
    this.#phase = state.phase
    this.#line = state.line
    this.#isLong = state.isLong!
    this.isClean = state.isClean!
  }

  step(chunk: Buffer): Buffer {
    const pieces: Buffer[] = []
    for (let at = 0; at < chunk.length && this.#phase !== 'after'; ) {
      const end = chunk.indexOf(LF, at)
      const stop = end < 0 ? chunk.length : end
      this.#append(chunk, at, stop)
      if (end >= 0) pieces.push(this.#takeLine())
      at = stop + 1
    }
    return Buffer.concat(pieces)
  }

  #append(chunk: Buffer, start: number, stop: number): void {
    const room = UU_LINE_BYTES_MAX - this.#line.length
    if (stop - start > room) this.#isLong = true
    this.#line += chunk.toString('latin1', start, Math.min(stop, start + room))
  }

  #takeLine(): Buffer {
    const line = this.#line.replace(/\r$/, '')
    const isLong = this.#isLong
    this.#line = ''
    this.#isLong = false
    if (this.#phase === 'before') {
      if (!isLong && /^begin [0-7]{3,4} /.test(line)) this.#phase = 'within'
      return NOTHING
    }
    if (line === 'end') this.#phase = 'after'
    else if (isLong) this.isClean = false
    else return this.#decoded(line)
    return NOTHING
  }

  /** The first character is the length. Of what it promises no more is made than there is: a mail would swell. */
  #decoded(line: string): Buffer {
    if (line === '') return NOTHING
    const promised = valueAt(line, 0)
    const length = Math.min(promised, Math.floor(((line.length - 1) * 3) / 4))
    if (length < promised) this.isClean = false
    const bytes = Buffer.alloc(Math.ceil(length / 3) * 3)
    for (let group = 0; group * 3 < length; group++) {
      const at = 1 + group * 4
      const [a, b, c, d] = [valueAt(line, at), valueAt(line, at + 1), valueAt(line, at + 2), valueAt(line, at + 3)]
      bytes.writeUIntBE((a << 18) | (b << 12) | (c << 6) | d, group * 3, 3)
    }
    return bytes.subarray(0, length)
  }

  end(): Buffer {
    const last = this.#phase === 'after' ? NOTHING : this.#takeLine()
    if (this.#phase !== 'after') this.isClean = false
    return last
  }

  freeze(): Plain {
    return { phase: this.#phase, line: this.#line, isLong: this.#isLong, isClean: this.isClean }
  }
}

const NOTHING = Buffer.alloc(0)

function valueAt(line: string, at: number): number {
  return at < line.length ? (line.charCodeAt(at) - 0x20) & 0x3f : 0
}
