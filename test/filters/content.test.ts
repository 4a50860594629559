import { randomBytes } from 'node:crypto'
import { deflateRawSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { content } from '../../filters/index.ts'
import { SAMPLE_BYTES } from '../../filters/media-type.ts'
import { describeConformance, envelopeOf } from '../support/stage-conformance.ts'

const upload = envelopeOf({ type: 'http', method: 'PUT', headers: {} })
const mail = envelopeOf({ type: 'email', mailFrom: '', rcptTo: [], helo: 'h', secure: false })
const type = async (bytes: Uint8Array, envelope = upload) =>
  (await content.finish(content.step(content.start(envelope), bytes)))['content.type']

const binary = (hex: string) => Buffer.concat([Buffer.from(hex.replaceAll(' ', ''), 'hex'), Buffer.alloc(600, 0x01)])
const at = (offset: number, text: string) =>
  Buffer.concat([Buffer.alloc(offset, 0x01), Buffer.from(text, 'latin1'), Buffer.alloc(600, 0x01)])

/** A ZIP archive of one entry (APPNOTE section 4.3.7: the local file header is all that is looked at). */
function zip(name: string, text: string, method: 'stored' | 'deflated'): Buffer {
  const data = method === 'stored' ? Buffer.from(text) : deflateRawSync(text)
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(method === 'stored' ? 0 : 8, 8)
  header.writeUInt32LE(data.length, 18)
  header.writeUInt32LE(text.length, 22)
  header.writeUInt16LE(name.length, 26)
  return Buffer.concat([header, Buffer.from(name), data, Buffer.from('504b0506', 'hex'), Buffer.alloc(18)])
}

function tar(): Buffer {
  const block = Buffer.alloc(1024)
  block.write('readme.txt', 0)
  block.write('ustar\0', 257)
  return block
}

const docx =
  '<Types><Override ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'

describe('content type', () => {
  test.each<[name: string, bytes: Uint8Array, type: string]>([
    [
      'PNG',
      binary('89504e470d0a1a0a 0000000d 49484452 00000001 00000001 08060000 00 1f15c489 00000000 49444154'),
      'image/png',
    ],
    ['JPEG', binary('ffd8ffe0 00104a46'), 'image/jpeg'],
    ['GIF', binary('474946383961'), 'image/gif'],
    ['TIFF', binary('49492a00 08000000 0000'), 'image/tiff'],
    ['TIFF with its directory behind the image', binary('49492a00 00000f00'), 'image/tiff'],
    ['TIFF with its directory behind the image, big endian', binary('4d4d002a 000f0000'), 'image/tiff'],
    ['WebP', binary('52494646 01020304 57454250'), 'image/webp'],
    ['MP4', at(4, 'ftypisom'), 'video/mp4'],
    ['HEIC', at(4, 'ftypheic'), 'image/heic'],
    ['MP3', binary('fffb9064'), 'audio/mpeg'],
    ['DICOM', at(128, 'DICM'), 'application/dicom'],
    ['tar', tar(), 'application/x-tar'],
    ['gzip', gzipSync('text'), 'application/gzip'],
    ['ZIP', zip('readme.txt', 'hello', 'deflated'), 'application/zip'],
    ['EPUB', zip('mimetype', 'application/epub+zip', 'stored'), 'application/epub+zip'],
    [
      'DOCX',
      zip('[Content_Types].xml', docx, 'deflated'),
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    ],
    [
      'PDF with binary',
      Buffer.concat([Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1'), randomBytes(500)]),
      'application/pdf',
    ],
    ['PDF of text', Buffer.from('%PDF-1.4\n1 0 obj\n'), 'application/pdf'],
    ['PostScript', Buffer.from('%!PS-Adobe-3.0\n'), 'application/postscript'],
    ['RTF', Buffer.from('{\\rtf1\\ansi hello}'), 'application/rtf'],
    ['XML', Buffer.from('<?xml version="1.0"?><a/>'), 'application/xml'],
    ['XML behind a byte order mark', Buffer.from('\ufeff<?xml version="1.0"?><a/>'), 'application/xml'],
    ['vCard', Buffer.from('BEGIN:VCARD\r\nEND:VCARD\r\n'), 'text/vcard'],
    ['iCalendar', Buffer.from('BEGIN:VCALENDAR\r\n'), 'text/calendar'],
    ['text', Buffer.from('hello\r\n\tworld\n'), 'text/plain'],
    ['text in UTF-8', Buffer.from('Größe 大小\n'), 'text/plain'],
    ['text that begins with the signature of an image', Buffer.from('BM: buy milk'), 'text/plain'],
    ['text that begins with the signature of a program', Buffer.from('MZ is a region'), 'text/plain'],
    ['text with an escape sequence', Buffer.from('\x1b[31mred\x1b[0m'), 'text/plain'],
    ['text in Latin-1', Buffer.from('Größe', 'latin1'), 'application/octet-stream'],
    ['text in UTF-16', Buffer.from('\ufeffGröße 大小 𝄞', 'utf16le'), 'text/plain'],
    ['text in UTF-16, big endian', Buffer.from('\ufeffGröße 大小 𝄞', 'utf16le').swap16(), 'text/plain'],
    ['a long text in UTF-16', Buffer.from(`\ufeffa${'𝄞'.repeat(2000)}`, 'utf16le'), 'text/plain'],
    ['XML in UTF-16', Buffer.from('\ufeff<?xml version="1.0"?><a/>', 'utf16le'), 'application/xml'],
    ['a byte order mark of UTF-16 before other bytes', Buffer.from('fffe0100ffff', 'hex'), 'audio/mpeg'],
    ['half a surrogate pair in UTF-16', Buffer.from('fffe00d80000', 'hex'), 'audio/mpeg'],
    ['text and a zero byte', Buffer.from('hello\0world'), 'application/octet-stream'],
    ['half a character', Buffer.from('ü').subarray(0, 1), 'application/octet-stream'],
    ['nothing', Buffer.alloc(0), 'application/octet-stream'],
    ['a zero byte', Buffer.alloc(1), 'application/octet-stream'],
    ['zeros', Buffer.alloc(5000), 'application/octet-stream'],
    ['no known bytes', binary('8bad f00d'), 'application/octet-stream'],
    ['an image broken off', Buffer.from('89504e470d0a1a0a00', 'hex'), 'application/octet-stream'],
  ])('of %s', async (_name, bytes, expected) => {
    expect(await type(bytes)).toBe(expected)
  })

  test('of a mail is a message, whatever it begins with', async () => {
    expect(await type(Buffer.from('Subject: x\r\n\r\n'), mail)).toBe('message/rfc822')
    expect(await type(Buffer.from('%PDF-1.4\n'), mail)).toBe('message/rfc822')
    expect(await type(Buffer.alloc(0), mail)).toBe('message/rfc822')
  })

  test('of text does not mind where the sample ends in a character', async () => {
    for (let shift = 0; shift < 4; shift++) {
      const text = Buffer.from('a'.repeat(SAMPLE_BYTES - shift) + '𝄞'.repeat(10))
      expect(await type(text)).toBe('text/plain')
      expect(await type(text.subarray(0, SAMPLE_BYTES - 10)), 'shorter than the sample').toBe('text/plain')
    }
    expect(await type(Buffer.from('𝄞'.repeat(2000)).subarray(0, SAMPLE_BYTES - 1))).toBe('application/octet-stream')
  })

  test('is told from the first 4,100 bytes alone, and no more is kept', async () => {
    const text = Buffer.alloc(2 * SAMPLE_BYTES, 'a')
    text.fill(0, SAMPLE_BYTES)
    expect(await type(text)).toBe('text/plain')
    text.fill(0, SAMPLE_BYTES - 1)
    expect(await type(text)).toBe('application/octet-stream')
    expect(content.step(content.start(upload), text).sample.bytes).toEqual(text.subarray(0, SAMPLE_BYTES))
    expect(content.step(content.start(mail), text).sample.bytes).toHaveLength(0)
    expect(content.sightBytes).toBe(SAMPLE_BYTES)
  })

  test('is found of a sample that a record of before has kept', async () => {
    const sample = Buffer.from('%PDF-1.7\n').toString('base64')
    expect(await content.finish(content.thaw(sample, upload))).toEqual({ 'content.type': 'application/pdf' })
  })

  test('never throws, whatever the bytes imitate', async () => {
    const beginnings = [
      '',
      '504b0304',
      '89504e470d0a1a0a',
      '1a45dfa3',
      '3026b2758e66cf11a6d9',
      '494433',
      '4f676753',
      '4949',
      '4d4d',
      '1f8b08',
      '213c617263683e',
      'cafebabe',
      '04000000',
      '0000000c6a5020200d0a870a',
    ]
    const bytes = fc.tuple(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 300 }))
    await fc.assert(
      fc.asyncProperty(bytes, async ([beginning, rest]) => {
        expect(await type(Buffer.concat([Buffer.from(beginning, 'hex'), rest]))).toMatch(/^[\w.+-]+\/[\w.+-]+/)
      }),
      { numRuns: 500 },
    )
  })
})

const png = Buffer.concat([
  binary('89504e470d0a1a0a 0000000d 49484452 00000001 00000001 08060000 00 1f15c489'),
  randomBytes(9000),
])
describeConformance('content', {
  stages: [content],
  envelope: upload,
  small: zip('mimetype', 'application/epub+zip', 'stored'),
  large: png,
})
describeConformance('content of text', {
  stages: [content],
  envelope: upload,
  small: Buffer.from('ä'.repeat(200)),
  large: Buffer.from('ä'.repeat(5000)),
})
describeConformance('content of a mail', {
  stages: [content],
  envelope: mail,
  small: Buffer.from('Subject: x\r\n\r\n'),
  large: png,
})
