import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DotDecoder } from '../../protocols/smtp/dot-decoder.ts'
import { wireForm } from '../support/smtp-client.ts'

interface Whole {
  readonly content: string
  readonly rest: string | undefined
  readonly isForged: boolean
}

function decode(wire: string, lengths: readonly number[] = []): Whole {
  const decoder = new DotDecoder()
  let bytes = Buffer.from(wire, 'latin1')
  let content = ''
  for (const length of [...lengths, bytes.length]) {
    const decoded = decoder.decode(bytes.subarray(0, length))
    content += decoded.content.toString('latin1')
    bytes = bytes.subarray(length)
    if (!decoded.rest) continue
    const rest = Buffer.concat([decoded.rest, bytes]).toString('latin1')
    return { content, rest, isForged: decoder.isForged }
  }
  return { content, rest: undefined, isForged: decoder.isForged }
}

/** The same in words of its own: line after line, each up to its CR LF. */
function expected(wire: string): Whole {
  const [message = '', ...others] = `\r\n${wire}`.split('\r\n.\r\n')
  const content = `${message}\r\n`.slice(2).replace(/^\./, '').replaceAll('\r\n.', '\r\n')
  return { content, rest: others.join('\r\n.\r\n'), isForged: /[\r\n]\0*\.\0*[\r\n]/.test(`${message}\r\n`) }
}

const token = fc.constantFrom('\r\n', '\r\n', '\r', '\n', '.', '.', '\0', 'x')
const wires = fc.array(token, { maxLength: 24 }).map((tokens) => `${tokens.join('')}\r\n.\r\nQUIT\r\n`)
const lengths = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 40 })

test('what a wire holds does not depend on where it is cut', () => {
  fc.assert(
    fc.property(wires, lengths, (wire, cuts) => {
      expect(decode(wire, cuts)).toEqual(expected(wire))
    }),
    { numRuns: 3000 },
  )
})

test('any bytes that a client stuffs come out as they went in', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), lengths, (bytes, cuts) => {
      const message = Buffer.concat([bytes, Buffer.from('\r\n')])
      const { content, rest } = decode(wireForm(message).toString('latin1'), cuts)
      expect([content, rest]).toEqual([message.toString('latin1'), ''])
    }),
    { numRuns: 1000 },
  )
})
