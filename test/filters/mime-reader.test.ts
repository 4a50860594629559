import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIST_LENGTH_MAX } from '../../filters/bounds.ts'
import { BOUNDARY_BYTES_MAX } from '../../filters/mime/entity.ts'
import { ENTITIES_MAX, MimeReader, NESTING_MAX, PART_HEADER_BYTES_MAX } from '../../filters/mime/mime-reader.ts'
import { PartLog, readParts, SOME_PARTS, sha256 } from '../support/mail-parts.ts'
import { ODD_MAILS } from '../support/odd-mails.ts'

const mailNamed = (name: string) => ODD_MAILS.find((mail) => mail.name === name)!.bytes
const multipart = (...parts: string[]) =>
  Buffer.from(
    ['Content-Type: multipart/mixed; boundary=b', '', ...parts.flatMap((part) => ['--b', part]), '--b--', ''].join(
      '\r\n',
    ),
    'latin1',
  )
const attachment = (bytes: string, head = '') => `Content-Type: application/x-a; name=a\r\n${head}\r\n${bytes}`

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const borders = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return borders.slice(1).map((end, index) => bytes.slice(borders[index], end))
}

test('finds the attachments that Python finds, byte for byte', () => {
  const mails = ODD_MAILS.filter(({ likePython }) => likePython)
  const input = JSON.stringify(mails.map(({ bytes }) => bytes.toString('base64')))
  const script = join(import.meta.dirname, '../support/python-parts.py')
  const found = JSON.parse(execFileSync('python3', [script], { input, encoding: 'utf8' }))
  const ours = mails.map(({ bytes }) => readParts([bytes]).parts.map((part) => [part.type, sha256(part.bytes)]))
  expect(Object.fromEntries(mails.map(({ name }, index) => [name, ours[index]]))).toEqual(
    Object.fromEntries(mails.map(({ name }, index) => [name, found[index]])),
  )
})

describe('however it is cut', () => {
  // What is huge has its own tests; here each cut costs.
  test.each(ODD_MAILS.filter(({ bytes }) => bytes.length < 8000))('$name', ({ bytes }) => {
    const expected = readParts([bytes])
    expect(readParts(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(expected)
    const step = Math.ceil(bytes.length / 60)
    for (let cut = 1; cut < bytes.length; cut += step) {
      const chunks = [Uint8Array.from(bytes.subarray(0, cut)), bytes.subarray(cut)]
      expect(isDeepStrictEqual(readParts(chunks), expected), `cut at ${cut}`).toBe(true)
    }
  })

  test('any bytes, frozen and thawed through JSON at any cut, and nothing throws', () => {
    const piece = fc.constantFrom(
      ...['Content-Type: multipart/mixed; boundary=b\r\n', 'Content-Type: multipart/digest; boundary=bb\r\n'],
      ...['Content-Transfer-Encoding: base64\r\n', 'Content-Transfer-Encoding: quoted-printable\n', '\r\n', '\n'],
      ...['Content-Type: image/png; name=a\r\n', '--b\r\n', '--b--\r\n', '--bb\n', '--bb-- \t\r\n', '--', '-', '\r'],
      ...['QUJD', '=3D', '=\r\n', 'x', '\0', '\xff', '--b--', 'Content-Type: message/rfc822\r\n'],
    )
    const cuts = fc.array(fc.nat(2000), { maxLength: 6 })
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), cuts, (pieces, at) => {
        const bytes = Uint8Array.from(Buffer.from(pieces.join(''), 'latin1'))
        const log = new PartLog()
        let reader = new MimeReader(log, SOME_PARTS)
        for (const chunk of split(bytes, at)) {
          reader = new MimeReader(log, SOME_PARTS, JSON.parse(JSON.stringify(reader.freeze())))
          reader.step(chunk)
          chunk.fill(0xa5)
        }
        const { structure, parts } = readParts([bytes])
        expect(reader.end()).toEqual(structure)
        expect(log.parts).toEqual(parts)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('bounds', () => {
  test(`${NESTING_MAX} multiparts within each other are looked into, and no more`, () => {
    expect(readParts([mailNamed('multiparts within each other, 12 of them')]).structure).toMatchObject({
      count: 1,
      findings: [],
    })
    const deep = readParts([mailNamed('multiparts within each other, 40 of them')]).structure
    expect(deep).toMatchObject({ count: 0, findings: ['nested-too-deeply'] })
  })

  test(`${ENTITIES_MAX} header sections are read`, () => {
    const many = (count: number) =>
      readParts([multipart(...Array.from({ length: count }, () => attachment('x')))]).structure
    expect(many(ENTITIES_MAX - 1)).toMatchObject({ count: ENTITIES_MAX - 1, findings: ['too-many-parts'] })
    expect(many(ENTITIES_MAX)).toMatchObject({
      count: ENTITIES_MAX - 1,
      findings: ['too-many-parts', 'too-many-entities'],
    })
  })

  test(`${LIST_LENGTH_MAX} attachments are listed`, () => {
    const { structure } = readParts([mailNamed('300 attachments')])
    expect(structure.count).toBe(300)
    expect([structure.names, structure.types, structure.sizes].map(({ length }) => length)).toEqual(
      Array(3).fill(LIST_LENGTH_MAX),
    )
  })

  test('as many parts are told as there may be', () => {
    const two = { countMax: 2, bytesMax: 100 }
    const { parts, structure } = readParts([multipart(...['a', 'b', 'c'].map((bytes) => attachment(bytes)))], two)
    expect(parts.map(({ number }) => number)).toEqual(['1', '2'])
    expect(structure).toMatchObject({ count: 3, sizes: [1, 1, 1], findings: ['too-many-parts'] })
  })

  test('as many bytes are told as there may be: what goes beyond is not told, nor what follows', () => {
    const few = { countMax: 9, bytesMax: 10 }
    const message = multipart(...['12345', '67890', 'x', 'y'].map((bytes) => attachment(bytes)))
    const { parts, structure } = readParts([message], few)
    expect(parts.map(({ number, isWhole }) => [number, isWhole])).toEqual([
      ['1', true],
      ['2', true],
      ['3', false],
    ])
    expect(structure).toMatchObject({ count: 4, sizes: [5, 5, 1, 1], findings: ['parts-too-large'] })
  })

  test(`a part's header section counts up to ${PART_HEADER_BYTES_MAX} bytes`, () => {
    const head = (bytes: number) => `X: ${'x'.repeat(bytes)}\r\nContent-Transfer-Encoding: base64\r\n`
    const fits = PART_HEADER_BYTES_MAX - attachment('', head(0)).length
    const of = (bytes: number) => readParts([multipart(attachment('QUJD', head(bytes)))])
    expect(of(fits).parts[0]!.bytes.toString()).toBe('ABC')
    expect(of(fits + 1).structure.findings).toEqual(['part-header-too-long'])
  })

  test(`a boundary has up to ${BOUNDARY_BYTES_MAX} bytes`, () => {
    const of = (boundary: string) =>
      readParts([
        Buffer.from(
          `Content-Type: multipart/x; boundary="${boundary}"\r\n\r\n--${boundary}\r\n${attachment('x')}\r\n--${boundary}--`,
        ),
      ]).structure
    expect(of('é'.repeat(BOUNDARY_BYTES_MAX / 2))).toMatchObject({ count: 1, findings: [] })
    expect(of('y'.repeat(BOUNDARY_BYTES_MAX + 1))).toMatchObject({ count: 0, findings: ['no-boundary'] })
  })

  // Each takes seconds to minutes where it is gone back over what was read, or memory where lines are kept.
  test.each<[name: string, text: string]>([
    ['lines that are almost delimiters', '\n--b'.repeat(500_000)],
    ['hyphens', '\n--'.repeat(500_000)],
    ['one line', `--b${' '.repeat(3_000_000)}`],
    ['carriage returns', '\r'.repeat(3_000_000)],
    ['delimiters', '\n--b\n'.repeat(300_000)],
  ])('reads many %s in linear time', { timeout: 15_000 }, (_name, text) => {
    const bytes = Buffer.concat([multipart(attachment('')), Buffer.from(text)])
    const open = Buffer.from(bytes.toString('latin1').replace('--b--', ''), 'latin1')
    const chunks = Array.from({ length: Math.ceil(open.length / 65_536) }, (_, at) =>
      open.subarray(at * 65_536, (at + 1) * 65_536),
    )
    expect(readParts(chunks).structure.count).toBeGreaterThan(0)
  })

  test('keeps a line at the most, whatever comes', () => {
    const reader = new MimeReader()
    reader.step(multipart(attachment('')).subarray(0, -8))
    for (let count = 0; count < 100; count++) reader.step(Buffer.alloc(10_000, count % 2 ? '-' : 'x'))
    expect(JSON.stringify(reader.freeze()).length).toBeLessThan(4000)
  })
})
