import { describe, expect, test } from 'vitest'
import { checkBucket, checkName, isName, KEY_BYTES_MAX } from '../../streams/names.ts'
import { refusal } from '../support/store-harness.ts'

describe("a bucket's name", () => {
  test.each(['abc', 'a'.repeat(63), '0-9', 'a.b.c', '1.2.3.4.5', 'my-bucket.2025'])('may be %s', (bucket) => {
    expect(() => checkBucket(bucket)).not.toThrow()
  })

  test.each([
    '',
    'ab',
    'a'.repeat(64),
    'Abc',
    'a_b',
    'a/b',
    '-abc',
    'abc-',
    '.abc',
    'abc.',
    'a..b',
    '192.168.5.4',
    'xn--abc',
    'sthree-abc',
    'amzn-s3-demo-abc',
    'abc-s3alias',
    'abc--ol-s3',
    'abc.mrap',
    'abc--x-s3',
    'abc--table-s3',
    'abc\n',
    'bücket',
  ])('is never %j', (bucket) => {
    expect(() => checkBucket(bucket)).toThrow(expect.objectContaining(refusal('ERR_INVALID')))
  })
})

describe('a key', () => {
  const nameOf = (key: string) => ({ bucket: 'inbox', key })
  const longest = 'ü'.repeat(KEY_BYTES_MAX / 2)

  test.each(['a', '..', '//', '/', 'a/../b', '\u0000', '\u0001\n', ' ', '😀', longest])('may be %j', (key) => {
    expect(() => checkName(nameOf(key))).not.toThrow()
    expect(isName(nameOf(key))).toBe(true)
  })

  test.each(['', `${longest}a`, 'a'.repeat(KEY_BYTES_MAX + 1), '\ud800', 'a\udc00b'])('is never %j', (key) => {
    expect(() => checkName(nameOf(key))).toThrow(expect.objectContaining(refusal('ERR_INVALID')))
    expect(isName(nameOf(key))).toBe(false)
  })
})
