import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LineEnds } from '../../protocols/senders/line-ends.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)

test(`each LF alone becomes CR LF, wherever the bytes are cut (seed ${SEED})`, () => {
  const bytes = fc.array(fc.constantFrom(0x0a, 0x0d, 0x61), { maxLength: 40 })
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 8 }), (chunks) => {
      const ends = new LineEnds()
      const taken = Buffer.concat(chunks.map((chunk) => ends.take(Uint8Array.from(chunk))))
      expect(taken.toString('latin1')).toBe(
        Buffer.from(chunks.flat())
          .toString('latin1')
          .replaceAll(/(?<!\r)\n/g, '\r\n'),
      )
    }),
    { seed: SEED },
  )
})

test('a chunk that has none is itself', () => {
  const chunk = Buffer.from('a\r\nb')
  expect(new LineEnds().take(chunk)).toBe(chunk)
})
