import { isUtf8 } from 'node:buffer'
import { fileTypeFromBuffer } from 'file-type/core'
import { mayHaveSignature } from './signatures.ts'

/** How much of an object is looked at: file-type needs no more for most of its formats. */
export const SAMPLE_BYTES = 4100

/**
 * The media type of an object whose first `SAMPLE_BYTES` bytes are `sample`; application/octet-stream when unknown.
 *
 * Text is told apart first, and only text that begins like a textual format is put to file-type: its signatures of
 * two bytes would make an image of a note that begins with "BM", and text needs a fast answer. It tries some 180
 * signatures in turn, which takes longer than all the rest that is done with an object of 4 KiB.
 */
export async function detectMediaType(sample: Buffer): Promise<string> {
  const text = beginningOfText(sample)
  if (text !== undefined) return TEXTUAL_FORMAT.test(text) ? askFileType(sample, 'text/plain') : 'text/plain'
  if (beginsWith(sample, GZIP)) return 'application/gzip' /* file-type unpacks it, and says the same */
  // file-type follows a TIFF to its directory, which scanners write behind the image, far beyond the sample.
  const otherwise = TIFF.some((signature) => beginsWith(sample, signature)) ? 'image/tiff' : 'application/octet-stream'
  return mayHaveSignature(sample) ? askFileType(sample, otherwise) : otherwise
}

const GZIP = Buffer.of(0x1f, 0x8b, 0x08)
const TIFF = [Buffer.from('II*\0'), Buffer.from('MM\0*')]
const TEXTUAL_FORMAT =
  /^\ufeff?(?:%PDF|%!|\{\\rtf|<\?xml |WEBVTT|REGEDIT4|Windows Registry Editor|BEGIN:V(?:CARD|CALENDAR)|-----BEGIN PGP MESSAGE-----)/

function beginsWith(sample: Buffer, signature: Buffer): boolean {
  return sample.length >= signature.length && signature.compare(sample, 0, signature.length) === 0
}

/** A file that imitates a format badly enough to make file-type throw is of no known type. */
async function askFileType(sample: Buffer, otherwise: string): Promise<string> {
  try {
    return (await fileTypeFromBuffer(sample))?.mime ?? otherwise
  } catch {
    return otherwise
  }
}

/** The bytes that no text has (WHATWG MIME Sniffing section 3, "binary data byte"). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const BINARY_DATA = /[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]/

/** Byte order marks (Unicode section 23.8). */
const UTF16_LITTLE_ENDIAN = Buffer.of(0xff, 0xfe)
const UTF16_BIG_ENDIAN = Buffer.of(0xfe, 0xff)

/** The first characters of a text in UTF-8, or in UTF-16 with a byte order mark; undefined when it is no such text. */
function beginningOfText(sample: Buffer): string | undefined {
  if (sample.length === 0) return undefined
  if (beginsWith(sample, UTF16_LITTLE_ENDIAN)) return beginningOfUtf16(sample, 'utf-16le')
  if (beginsWith(sample, UTF16_BIG_ENDIAN)) return beginningOfUtf16(sample, 'utf-16be')
  if (BINARY_DATA.test(sample.toString('latin1'))) return undefined
  // A full sample may end within a character.
  const cuts = sample.length === SAMPLE_BYTES ? [0, 1, 2, 3] : [0]
  return cuts.some((cut) => isUtf8(sample.subarray(0, sample.length - cut)))
    ? sample.toString('utf8', 0, 64)
    : undefined
}

function beginningOfUtf16(sample: Buffer, encoding: 'utf-16le' | 'utf-16be'): string | undefined {
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(sample, { stream: sample.length === SAMPLE_BYTES })
    return BINARY_DATA.test(text) ? undefined : text.slice(0, 64)
  } catch {
    return undefined
  }
}
