import type { Plain } from '../../streams/index.ts'
import type { Decoder } from './decoder.ts'
import type { Room } from './room.ts'

/** What a byte is to base64 where it is no digit: between lines, padding, or something else. */
const SPACE = 64
const PADDING = 65
const OTHER = 66

/** The value of each digit (RFC 4648 section 4, and section 5: the form for names), or what it is. */
const VALUES = new Uint8Array(256).fill(OTHER)
for (const alphabet of ['+/', '-_'])
  for (const [value, digit] of [
    ...`ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${alphabet}`,
  ].entries())
    VALUES[digit.charCodeAt(0)] = value
for (const space of '\t\n\r ') VALUES[space.charCodeAt(0)] = SPACE
VALUES['='.charCodeAt(0)] = PADDING

interface FrozenBase64 {
  readonly bits: number
  readonly digits: number
  readonly isClean: boolean
}

const START: FrozenBase64 = { bits: 0, digits: 0, isClean: true }

/**
 * base64 (RFC 2045 section 6.8). What is no digit is passed over, as the RFC wants it; what follows padding is
 * decoded as well, since senders put encoded pieces behind each other.
 */
export class Base64Decoder implements Decoder {
  isClean: boolean
  /** Of a group that is not whole: its bits, and how many digits they came from. */
  #bits: number
  #digits: number

  constructor(frozen: Plain) {
    const { bits, digits, isClean } = (frozen ?? START) as unknown as FrozenBase64
    this.#bits = bits
    this.#digits = digits
    this.isClean = isClean
  }

  step(chunk: Buffer, room: Room): Buffer {
    const out = room.take(Math.ceil((chunk.length * 3) / 4) + 3)
    let [bits, digits, length] = [this.#bits, this.#digits, 0]
    for (let at = 0; at < chunk.length; at++) {
      const value = VALUES[chunk[at]!]!
      if (value < SPACE) {
        bits = (bits << 6) | value
        if (++digits < 4) continue
        out[length++] = bits >> 16
        out[length++] = bits >> 8
        out[length++] = bits
        bits = 0
        digits = 0
      } else if (value === PADDING) {
        length = this.#endGroup(out, length, bits, digits)
        bits = 0
        digits = 0
      } else if (value === OTHER) this.isClean = false
    }
    this.#bits = bits
    this.#digits = digits
    return out.subarray(0, length)
  }

  /** Digits before padding, or before the end: one alone is no byte. */
  #endGroup(out: Buffer, length: number, bits: number, digits: number): number {
    if (digits === 1) this.isClean = false
    if (digits < 2) return length
    const whole = bits << (6 * (4 - digits))
    out[length] = whole >> 16
    if (digits === 3) out[length + 1] = whole >> 8
    return length + digits - 1
  }

  end(): Buffer {
    const out = Buffer.alloc(2)
    const length = this.#endGroup(out, 0, this.#bits, this.#digits)
    this.#bits = 0
    this.#digits = 0
    return out.subarray(0, length)
  }

  freeze(): Plain {
    return { bits: this.#bits, digits: this.#digits, isClean: this.isClean }
  }
}
