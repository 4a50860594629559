import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { meets } from '../../streams/index.ts'

const name = (path: string) => ({ bucket: path.slice(0, path.indexOf('/')), key: path.slice(path.indexOf('/') + 1) })

test.each<[string, readonly string[], readonly string[]]>([
  ['*.pdf', ['inbox/a.pdf', 'inbox/2026/a.pdf', 'inbox/.pdf'], ['inbox/a.pdfx', 'inbox/a.PDF', 'inbox/a.pdf/']],
  ['scan-????.tif', ['inbox/scan-0001.tif', 'inbox/x/scan-äöü€.tif'], ['inbox/scan-1.tif', 'inbox/scan-00001.tif']],
  ['inbox/*', ['inbox/a', 'inbox/.'], ['inbox/a/b', 'outbox/a', 'inbox2/a']],
  ['inbox/**', ['inbox/a', 'inbox/a/b', 'inbox/a/'], ['outbox/a']],
  ['*/2026/**.pdf', ['inbox/2026/a/b.pdf', 'outbox/2026/.pdf'], ['inbox/a/2026/b.pdf', 'inbox/2026/b.png']],
  ['**/', ['inbox/a/', 'inbox/a/b/'], ['inbox/a']],
  ['inbox/a?b', ['inbox/a-b', 'inbox/a\u{1f600}b'], ['inbox/a/b', 'inbox/ab']],
  ['a[b]{c}.+$^(\\', ['inbox/a[b]{c}.+$^(\\'], ['inbox/ab']],
  ['*', ['inbox/anything', 'inbox/a/b', 'inbox/a/'], []],
])('%s', (pattern, met, unmet) => {
  for (const path of met) expect([path, meets(pattern, name(path))]).toEqual([path, true])
  for (const path of unmet) expect([path, meets(pattern, name(path))]).toEqual([path, false])
})

test('is what a plain search with going back says, of random patterns and names', () => {
  const text = (letters: string) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 8 })
  const matching = (some: string, key: string) => {
    const pattern = `b/${some}`
    const plain = pattern.replace(/\*+|\?/g, (star) => (star === '?' ? '[^/]' : star === '*' ? '[^/]*' : '.*'))
    expect(meets(pattern, { bucket: 'b', key })).toBe(new RegExp(`^${plain}$`, 's').test(`b/${key}`))
  }
  fc.assert(fc.property(text('ab/**?'), text('ab/'), matching), { numRuns: 3000 })
})

describe('no pattern is slow', () => {
  test('not one that a search with going back would never come to the end of', () => {
    const key = `${'a'.repeat(1023)}`
    expect(meets('*a'.repeat(128), { bucket: 'inbox', key: `${key}b` })).toBe(false)
    expect(meets('*a'.repeat(128), { bucket: 'inbox', key })).toBe(true)
  })
})
