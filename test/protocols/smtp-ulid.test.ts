import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UlidSource } from '../../protocols/smtp/ulid.ts'

const bits80 = fc.uint8Array({ minLength: 10, maxLength: 10 })

test('the example of the specification', () => {
  const source = new UlidSource({ now: () => 1469918176385 }, { bytes: () => Buffer.alloc(10, 0xff) })
  expect(source.next()).toEqual({ time: 1469918176385, text: '01ARYZ6S41ZZZZZZZZZZZZZZZZ' })
})

test('the first and the last', () => {
  const first = new UlidSource({ now: () => 0 }, { bytes: (count) => Buffer.alloc(count) })
  expect(first.next().text).toBe('00000000000000000000000000')
  const last = new UlidSource({ now: () => 2 ** 48 - 1 }, { bytes: (count) => Buffer.alloc(count, 0xff) })
  expect(last.next().text).toBe('7ZZZZZZZZZZZZZZZZZZZZZZZZZ')
})

test('chance decides within the millisecond only once: after it, one more each', () => {
  const source = new UlidSource({ now: () => 5 }, { bytes: (count) => Buffer.alloc(count, 0xff).fill(0, 9) })
  const [first, second] = [source.next(), source.next()]
  expect(first.text.slice(-2)).toBe('R0')
  expect(second.text).toBe(`${first.text.slice(0, -1)}1`)
})

test('grows always, whatever clock and chance do', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5), bits80), { minLength: 2 }), (moments) => {
      let moment = moments[0]!
      const source = new UlidSource({ now: () => moment[0] }, { bytes: () => moment[1] })
      let before = ''
      for (moment of moments) {
        const { text } = source.next()
        expect(text).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
        expect(text > before).toBe(true)
        before = text
      }
    }),
  )
})
