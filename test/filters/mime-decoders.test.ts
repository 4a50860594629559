import fc from 'fast-check'
import { decode, encode } from 'libqp'
import { describe, expect, test } from 'vitest'
import { decoderOf, isEncoding } from '../../filters/mime/decoder.ts'
import { SPACES_MAX } from '../../filters/mime/quoted-printable.ts'
import { Room } from '../../filters/mime/room.ts'
import { UU_LINE_BYTES_MAX } from '../../filters/mime/uuencode.ts'

const ENCODINGS = ['7bit', 'base64', 'quoted-printable', 'x-uuencode'] as const

/** The chunks decoded, the decoder frozen and thawed through JSON before each. */
function decoded(encoding: string, chunks: readonly Uint8Array[]): { bytes: Buffer; isClean: boolean } {
  let decoder = decoderOf(encoding)
  const pieces: Buffer[] = []
  for (const chunk of chunks) {
    decoder = decoderOf(encoding, JSON.parse(JSON.stringify(decoder.freeze())))
    pieces.push(Buffer.from(decoder.step(Buffer.from(chunk), new Room())))
  }
  pieces.push(decoder.end())
  return { bytes: Buffer.concat(pieces), isClean: decoder.isClean }
}

const decodedText = (encoding: string, text: string) => decoded(encoding, [Buffer.from(text, 'latin1')])

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const borders = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return borders.slice(1).map((end, index) => bytes.slice(borders[index], end))
}

const cuts = fc.array(fc.nat(1000), { maxLength: 6 })
const content = fc.uint8Array({ maxLength: 400 })

describe('what a known encoder wrote', () => {
  test('base64, its lines as long as they like', () => {
    fc.assert(
      fc.property(content, fc.integer({ min: 1, max: 100 }), cuts, (bytes, length, at) => {
        const text = Buffer.from(bytes)
          .toString('base64')
          .replace(new RegExp(`.{${length}}`, 'g'), '$&\r\n')
        expect(decoded('base64', split(Buffer.from(text), at))).toEqual({ bytes: Buffer.from(bytes), isClean: true })
      }),
    )
  })

  test('quoted-printable of libqp', () => {
    fc.assert(
      fc.property(content, cuts, (bytes, at) => {
        const text = encode(Buffer.from(bytes))
        const told = decoded('quoted-printable', split(Buffer.from(text, 'latin1'), at))
        expect(told).toEqual({ bytes: decode(text), isClean: true })
      }),
    )
  })

  test('quoted-printable as libqp decodes it, spaces and soft line ends wherever they are', () => {
    const piece = fc.constantFrom('a', '=', '=3D', '=c3', ' ', '\t', '\r\n', '\n', '=\r\n', '= \r\n', '=Z', 'é', '.')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), cuts, (pieces, at) => {
        // Where an escape is cut off by a line end, or by the end, decoders differ: ours keeps what it cannot read.
        const text = Buffer.from(`${pieces.join('')}x`.replace(/=(?=[\da-f]?=)/gi, ''), 'latin1')
        expect(decoded('quoted-printable', split(text, at)).bytes).toEqual(decode(text))
      }),
      { numRuns: 500 },
    )
  })

  test('uuencode of any length', () => {
    fc.assert(
      fc.property(content, cuts, (bytes, at) => {
        const text = `text\r\nbegin 644 a b.bin\r\n${uuencode(bytes)}end\r\ntext`
        const told = decoded('x-uuencode', split(Buffer.from(text, 'latin1'), at))
        expect(told).toEqual({ bytes: Buffer.from(bytes), isClean: true })
      }),
    )
  })
})

test.each(ENCODINGS)('%s of any bytes is the same however they are cut, and never throws', (encoding) => {
  const pieces = ['begin 644 x\n', 'end\n', '#86)C\n', 'QUJD', '=', '==', '=0', '\r', '\n', ' ', '\0']
  const piece = fc.oneof(
    fc.constantFrom(...pieces).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), cuts, (chunks, at) => {
      const whole = Buffer.concat(chunks)
      const told = decoded(encoding, [whole])
      expect(decoded(encoding, split(whole, at))).toEqual(told)
      expect(told.bytes.length).toBeLessThanOrEqual(whole.length)
    }),
    { numRuns: 300 },
  )
})

test.each<[encoding: string, text: string, bytes: string, isClean: boolean]>([
  ['base64', '', '', true],
  ['base64', 'QQ==QUI=QUJD', 'AABABC', true],
  ['base64', 'QUI', 'AB', true],
  ['base64', 'QUJDQ', 'ABC', false],
  ['base64', 'Q!U J?D', 'ABC', false],
  ['base64', '_-8', '\xff\xef', true],
  ['base64', '====', '', true],
  ['quoted-printable', 'a=', 'a', true],
  ['quoted-printable', 'a=4', 'a=4', false],
  ['quoted-printable', 'a=XY', 'a=XY', false],
  ['quoted-printable', 'a= b', 'a= b', false],
  ['quoted-printable', 'a \t\r\nb  ', 'a\r\nb', true],
  ['quoted-printable', `a${' '.repeat(SPACES_MAX)}\n`, 'a\n', true],
  ['quoted-printable', `a${' '.repeat(SPACES_MAX + 1)}\n`, `a${' '.repeat(SPACES_MAX + 1)}\n`, true],
  ['x-uuencode', 'no beginning', '', false],
  ['x-uuencode', 'begin 644 x\n#86)C\n', 'abc', false],
  ['x-uuencode', 'begin 644 x\n#86)C\n`\nend\nbegin 644 y\n#86)C\nend\n', 'abc', true],
  ['x-uuencode', 'begin 644 x\n!80\nend\n', 'a', true],
  ['x-uuencode', `begin 644 x\n${'M'.repeat(UU_LINE_BYTES_MAX + 1)}\nend\n`, '', false],
  ['x-unheard-of', 'as it is', 'as it is', true],
])('%s of %j', (encoding, text, bytes, isClean) => {
  const told = decodedText(encoding, text)
  expect([told.bytes.toString('latin1'), told.isClean]).toEqual([bytes, isClean])
  expect(isEncoding(encoding)).toBe(encoding !== 'x-unheard-of')
})

function uuencode(bytes: Uint8Array): string {
  const character = (value: number) => (value === 0 ? '`' : String.fromCharCode(0x20 + value))
  let text = ''
  for (let at = 0; at < bytes.length; at += 45) {
    const line = Buffer.from(bytes.slice(at, at + 45))
    text += character(line.length)
    for (let group = 0; group < line.length; group += 3) {
      const value = ((line[group] ?? 0) << 16) | ((line[group + 1] ?? 0) << 8) | (line[group + 2] ?? 0)
      text += [18, 12, 6, 0].map((shift) => character((value >> shift) & 0x3f)).join('')
    }
    text += '\r\n'
  }
  return `${text}\`\r\n`
}
