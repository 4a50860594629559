import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineFramer, parse, tooLong } from '../../protocols/ftp/command-line.ts'

function frame(chunks: readonly (string | Buffer)[], bytesMax = 64) {
  const framer = new LineFramer(bytesMax)
  return chunks.flatMap((chunk) => [...framer.lines(Buffer.from(chunk))])
}

test('lines end with CRLF or LF, and empty ones are nothing', () => {
  expect(frame(['USER a\r\nPASS b\n\r\n\nQUIT\r\n'])).toEqual(['USER a', 'PASS b', 'QUIT'])
})

test('the same bytes make the same lines however they are cut', () => {
  const line = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.constantFrom('NOOP', '\xff\xf4\xff\xf2ABOR', 'x'.repeat(70), ''),
  )
  const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 20 })
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), cuts, (lines, positions) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\r\n`).join(''))
      const ends = [0, ...positions.filter((end) => end < bytes.length).sort((a, b) => a - b), bytes.length]
      const chunks = ends.slice(1).map((end, index) => bytes.subarray(ends[index], end))
      expect(frame(chunks)).toEqual(frame([bytes]))
    }),
  )
})

test('a UTF-8 sequence may be cut in two', () => {
  const bytes = Buffer.from('STOR grüße\r\n')
  const cut = bytes.indexOf(0xc3) + 1
  expect(frame([bytes.subarray(0, cut), bytes.subarray(cut)]).map((line) => parse(String(line)))).toEqual([
    { directive: 'STOR', argument: 'grüße' },
  ])
})

test('a line that is too long is told once, whatever its length, and the next one is read', () => {
  expect(frame([`${'x'.repeat(65)}\r\nNOOP\r\n`])).toEqual([tooLong, 'NOOP'])
  expect(frame(['x'.repeat(65), 'x'.repeat(1000), 'x\r\nNO', 'OP\r\n'])).toEqual([tooLong, 'NOOP'])
  expect(frame(['x'.repeat(65)])).toEqual([tooLong])
  expect(frame(['x'.repeat(65), 'ABOR\r', '\nNOOP\r\n'])).toEqual([tooLong, 'NOOP'])
  expect(frame([`${'x'.repeat(63)}\r\n`])).toEqual(['x'.repeat(63)])
})

test('Telnet signals before a command are no part of it', () => {
  expect(frame([Buffer.from('\xff\xf4\xff\xf2ABOR\r\n', 'latin1')])).toEqual(['ABOR'])
  expect(frame([Buffer.from('\xff\xf4\xffABOR\r\n', 'latin1')])).toEqual(['ABOR'])
})

test('ABOR needs no LF: as urgent data it comes without one', () => {
  expect(frame(['ABOR\r'])).toEqual(['ABOR'])
  expect(frame(['ABOR\r', '\nNOOP\r\n'])).toEqual(['ABOR', 'NOOP'])
  expect(frame(['NOOP\r'])).toEqual([])
})

test('an argument is whatever follows the first space', () => {
  expect(parse('stor  -a "b"  ')).toEqual({ directive: 'STOR', argument: ' -a "b"  ' })
  expect(parse('CDUP')).toEqual({ directive: 'CDUP', argument: '' })
  expect(parse(Buffer.from('STOR \ufeffx').toString('latin1')).argument).toBe('\ufeffx')
})

test('bytes that are no UTF-8 are refused, not mended', () => {
  expect(() => parse('STOR \xff.jpg')).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }))
})
