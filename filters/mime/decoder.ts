import type { Plain } from '../../streams/index.ts'
import { Base64Decoder } from './base64.ts'
import { QuotedPrintableDecoder } from './quoted-printable.ts'
import type { Room } from './room.ts'
import { UuDecoder } from './uuencode.ts'

/** Undoes a content transfer encoding (RFC 2045 section 6) as the bytes come. Whatever comes, it never throws. */
export interface Decoder {
  /** What is known by now; its memory may be that of `chunk`, or is of `room`. */
  step(chunk: Buffer, room: Room): Buffer
  /** What was kept back to the end. */
  end(): Buffer
  /** False once it met something that the encoding does not have. */
  readonly isClean: boolean
  freeze(): Plain
}

const NOTHING = Buffer.alloc(0)

/** 7bit, 8bit and binary: the bytes are what they are. */
class Identity implements Decoder {
  readonly isClean = true

  step(chunk: Buffer): Buffer {
    return chunk
  }

  end(): Buffer {
    return NOTHING
  }

  freeze(): Plain {
    return null
  }
}

type Make = (frozen: Plain) => Decoder

const identity: Make = () => new Identity()
const uuencode: Make = (frozen) => new UuDecoder(frozen)

const DECODERS: ReadonlyMap<string, Make> = new Map<string, Make>([
  ['7bit', identity],
  ['8bit', identity],
  ['binary', identity],
  ['base64', (frozen) => new Base64Decoder(frozen)],
  ['quoted-printable', (frozen) => new QuotedPrintableDecoder(frozen)],
  ...['x-uuencode', 'x-uue', 'uuencode', 'uue'].map((name) => [name, uuencode] as const),
])

/** Whether there is a decoder for an encoding, by its name in lower case. What has none is taken as it is. */
export function isEncoding(name: string): boolean {
  return DECODERS.has(name)
}

/** A new decoder, or one that goes on from `frozen`. */
export function decoderOf(encoding: string, frozen: Plain = null): Decoder {
  return (DECODERS.get(encoding) ?? identity)(frozen)
}
