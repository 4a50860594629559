import type { Plain } from '../../streams/index.ts'
import type { Decoder } from './decoder.ts'

const OTHER = 0
const DIGIT = 1
const SPACE = 2
const PADDING = 3

/** What each byte is to base64 (RFC 4648 section 4), to its form for names (section 5), or between their lines. */
const KINDS = new Uint8Array(256).fill(OTHER)
for (const digit of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_')
  KINDS[digit.charCodeAt(0)] = DIGIT
for (const space of '\t\n\r ') KINDS[space.charCodeAt(0)] = SPACE
KINDS['='.charCodeAt(0)] = PADDING

const DIGITS_OF_GROUP = 4

/**
 * base64 (RFC 2045 section 6.8). What is no digit is passed over, as the RFC wants it; what follows padding is
 * decoded as well, since senders put encoded pieces behind each other.
 */
export class Base64Decoder implements Decoder {
  isClean: boolean
  /** Digits of a group that is not whole. */
  #rest: string

  constructor(frozen: Plain) {
    const { rest, isClean } = (frozen ?? { rest: '', isClean: true }) as { rest: string; isClean: boolean }
    this.#rest = rest
    this.isClean = isClean
  }

  step(chunk: Buffer): Buffer {
    const digits = Buffer.allocUnsafe(this.#rest.length + chunk.length)
    let length = digits.write(this.#rest, 'latin1')
    const pieces: Buffer[] = []
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!
      const kind = KINDS[byte]
      if (kind === DIGIT) digits[length++] = byte
      else if (kind === OTHER) this.isClean = false
      else if (kind === PADDING && length > 0) {
        pieces.push(this.#group(digits.toString('latin1', 0, length)))
        length = 0
      }
    }
    const whole = length - (length % DIGITS_OF_GROUP)
    this.#rest = digits.toString('latin1', whole, length)
    const last = Buffer.from(digits.toString('latin1', 0, whole), 'base64')
    return pieces.length === 0 ? last : Buffer.concat([...pieces, last])
  }

  end(): Buffer {
    const last = this.#group(this.#rest)
    this.#rest = ''
    return last
  }

  /** Digits before padding, or before the end: one alone is no byte. */
  #group(digits: string): Buffer {
    if (digits.length % DIGITS_OF_GROUP === 1) this.isClean = false
    return Buffer.from(digits, 'base64')
  }

  freeze(): Plain {
    return { rest: this.#rest, isClean: this.isClean }
  }
}
