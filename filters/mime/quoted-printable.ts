import type { Plain } from '../../streams/index.ts'
import type { Decoder } from './decoder.ts'
import type { Room } from './room.ts'

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const EQUALS = 0x3d

/** Spaces before a line end are no content (RFC 2045 section 6.7 rule 3): of a longer run the first ones are. */
export const SPACES_MAX = 1024

/**
 * What was read and is not decided yet: spaces that a line end may follow, an escape, the line end behind an escape.
 *
 *   'spaces'  [ \t]*           content, unless a line end comes
 *   'escape'  = [ \t]* | =X    a byte, or nothing when a line end comes
 *   'soft'    = [ \t]* \r      nothing, and the LF that comes as well
 */
type Open = 'spaces' | 'escape' | 'soft'

/** Quoted-printable (RFC 2045 section 6.7). An escape that is none stands for itself, as the RFC advises. */
export class QuotedPrintableDecoder implements Decoder {
  isClean: boolean
  #open: Open
  #kept: string

  constructor(frozen: Plain) {
    const start = { open: 'spaces', kept: '', isClean: true }
    const { open, kept, isClean } = (frozen ?? start) as { open: Open; kept: string; isClean: boolean }
    this.#open = open
    this.#kept = kept
    this.isClean = isClean
  }

  step(chunk: Buffer, room: Room): Buffer {
    const out = room.take(this.#kept.length + chunk.length)
    let length = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!
      const isPlain = byte > EQUALS || (byte > SPACE && byte < EQUALS)
      if (isPlain && this.#kept === '') out[length++] = byte
      else length = this.#take(byte, out, length)
    }
    return out.subarray(0, length)
  }

  #take(byte: number, out: Buffer, length: number): number {
    if (this.#open === 'spaces') return this.#takeText(byte, out, length)
    if (this.#open === 'escape') return this.#takeEscape(byte, out, length)
    this.#reset()
    return byte === LF ? length : this.#takeText(byte, out, length)
  }

  #takeText(byte: number, out: Buffer, length: number): number {
    if (byte === SPACE || byte === TAB) {
      if (this.#kept.length === SPACES_MAX) return this.#put(byte, out, this.#release(out, length))
      this.#kept += String.fromCharCode(byte)
      return length
    }
    // A CR alone may be the end of a line whose LF is still to come: the spaces before it go either way.
    const end = byte === LF || byte === CR ? length : this.#release(out, length)
    this.#reset()
    if (byte !== EQUALS) return this.#put(byte, out, end)
    this.#open = 'escape'
    this.#kept = '='
    return end
  }

  #takeEscape(byte: number, out: Buffer, length: number): number {
    const isFirst = this.#kept.length === 1
    const afterSpace = !isFirst && isSpace(this.#kept.charCodeAt(1))
    if (byte === LF || byte === CR) {
      if (isFirst || afterSpace) return this.#soften(byte, length)
    } else if ((byte === SPACE || byte === TAB) && (isFirst || afterSpace) && this.#kept.length < SPACES_MAX) {
      this.#kept += String.fromCharCode(byte)
      return length
    } else if (isHexDigit(byte) && isFirst) {
      this.#kept += String.fromCharCode(byte)
      return length
    } else if (isHexDigit(byte) && !afterSpace) {
      out[length] = Number.parseInt(this.#kept.slice(1) + String.fromCharCode(byte), 16)
      this.#reset()
      return length + 1
    }
    this.isClean = false
    const end = this.#release(out, length)
    this.#reset()
    return this.#takeText(byte, out, end)
  }

  #soften(byte: number, length: number): number {
    this.#reset()
    if (byte === CR) {
      this.#open = 'soft'
      this.#kept = '='
    }
    return length
  }

  #put(byte: number, out: Buffer, length: number): number {
    out[length] = byte
    return length + 1
  }

  #release(out: Buffer, length: number): number {
    const written = out.write(this.#kept, length, 'latin1')
    this.#kept = ''
    return length + written
  }

  #reset(): void {
    this.#open = 'spaces'
    this.#kept = ''
  }

  /** Spaces at the end stand before a line end that was left out, and so does an `=`. */
  end(): Buffer {
    const isHalf = this.#open === 'escape' && this.#kept.length === 2 && !isSpace(this.#kept.charCodeAt(1))
    if (isHalf) this.isClean = false
    const last = Buffer.from(isHalf ? this.#kept : '', 'latin1')
    this.#reset()
    return last
  }

  freeze(): Plain {
    return { open: this.#open, kept: this.#kept, isClean: this.isClean }
  }
}

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)
}
