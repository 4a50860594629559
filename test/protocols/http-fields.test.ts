import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { evaluate, rangeApplies } from '../../protocols/http/conditions.ts'
import { expectedOf, reprDigest } from '../../protocols/http/digest-fields.ts'
import { objectNameOf } from '../../protocols/http/envelope.ts'
import { credentialsOf } from '../../protocols/http/verify.ts'

const sha256 = createHash('sha256').update('hello').digest()
const md5 = createHash('md5').update('hello').digest()
const digest = `sha-256=:${sha256.toString('base64')}:`

describe('declared digests', () => {
  test('are told in hex', () => {
    const hex = { sha256: sha256.toString('hex') }
    expect(expectedOf({})).toEqual({})
    expect(expectedOf({ 'content-length': '5' })).toEqual({ size: 5 })
    expect(expectedOf({ 'content-digest': digest })).toEqual(hex)
    expect(expectedOf({ 'repr-digest': `sha-512=:AAAA:, ${digest};q=1` })).toEqual(hex)
    expect(expectedOf({ 'repr-digest': digest, 'content-digest': digest })).toEqual(hex)
    expect(expectedOf({ 'content-md5': md5.toString('base64') })).toEqual({ md5: md5.toString('hex') })
    expect(expectedOf({ 'content-digest': 'sha-512=:AAAA:, unixsum=30637' })).toEqual({})
    expect(expectedOf({ 'content-digest': `SHA-256 = ${digest.slice(8)}` })).toEqual(hex)
    expect(expectedOf({ 'content-digest': 'crc32c=:mnG7TA==:' })).toEqual({ crc32c: '9a71bb4c' })
    expect(expectedOf({ 'repr-digest': `md5=:${md5.toString('base64')}:` })).toEqual({ md5: md5.toString('hex') })
  })

  test.each([
    ['content-digest', 'sha-256=:AAAA:'],
    ['content-digest', `sha-256=${sha256.toString('base64')}`],
    ['repr-digest', `sha-256=:${sha256.toString('hex')}:`],
    ['repr-digest', 'sha-256=::'],
    ['content-md5', 'AAAA'],
    ['content-md5', md5.toString('hex')],
    ['content-md5', ''],
  ])('%s: %s is refused', (name, value) => {
    expect(() => expectedOf({ [name]: value })).toThrow(/declared .* digest/)
  })

  test('that contradict each other are refused', () => {
    const other = `sha-256=:${createHash('sha256').digest('base64')}:`
    expect(() => expectedOf({ 'content-digest': digest, 'repr-digest': other })).toThrow(/different/)
    expect(() => expectedOf({ 'content-digest': `${digest}, ${other}` })).toThrow(/different/)
    const members = { 'content-digest': `md5=:${md5.toString('base64')}:`, 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' }
    expect(() => expectedOf(members)).toThrow(/different/)
  })

  test.each(['nonsense', 'sha-256', 'sha-256=:AAAA:, =', ''])(
    'in a field that is no list of them are refused: %j',
    (value) => {
      expect(() => expectedOf({ 'content-digest': value })).toThrow(/digest/)
    },
  )

  test('go out as they came in', () => {
    expect(reprDigest(sha256.toString('hex'))).toBe(digest)
  })
})

const etag = '"0123"'
const modified = Date.UTC(1994, 10, 6, 8, 49, 37, 500)
const validators = { etag, modified }

describe('a condition', () => {
  test.each([
    [{}, 'proceed'],
    [{ 'if-none-match': '"0123"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"0123"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"a,b", "c" , "0123"' }, 'not-modified'],
    [{ 'if-none-match': '"a", W/"b"' }, 'proceed'],
    [{ 'if-none-match': '0123' }, 'proceed'],
    [{ 'if-match': '"0123"' }, 'proceed'],
    [{ 'if-match': '*' }, 'proceed'],
    [{ 'if-match': '"a", "0123"' }, 'proceed'],
    [{ 'if-match': 'W/"0123"' }, 'failed'],
    [{ 'if-match': '"a"' }, 'failed'],
    [{ 'if-match': '"a"', 'if-none-match': '"0123"' }, 'failed'],
    [{ 'if-match': '"0123"', 'if-none-match': '"0123"' }, 'not-modified'],
    [{ 'if-modified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' }, 'not-modified'],
    [{ 'if-modified-since': 'Sun, 06 Nov 1994 08:49:36 GMT' }, 'proceed'],
    [{ 'if-modified-since': 'Sun, 06 Nov 1994 08:49:37' }, 'proceed'],
    [{ 'if-modified-since': 'Sun, 99 Nov 1994 08:49:37 GMT' }, 'proceed'],
    [{ 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' }, 'proceed'],
    [{ 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:36 GMT' }, 'failed'],
    [{ 'if-unmodified-since': 'yesterday' }, 'proceed'],
    // The tag wins over the date, in either pair.
    [{ 'if-none-match': '"a"', 'if-modified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' }, 'proceed'],
    [{ 'if-match': '"0123"', 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:36 GMT' }, 'proceed'],
  ] as const)('%o: %s', (headers, verdict) => {
    expect(evaluate(headers, validators)).toBe(verdict)
  })

  test('on a range holds for the strong tag alone', () => {
    expect(rangeApplies(undefined, etag)).toBe(true)
    expect(rangeApplies('"0123"', etag)).toBe(true)
    expect(rangeApplies('W/"0123"', etag)).toBe(false)
    expect(rangeApplies('Sun, 06 Nov 1994 08:49:37 GMT', etag)).toBe(false)
  })
})

describe('credentials', () => {
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`

  test.each([
    ['Bearer key:secret', 'key', 'secret'],
    ['bearer  key:se:cr et', 'key', 'se:cr et'],
    [basic('key:secret'), 'key', 'secret'],
    [basic('key:'), 'key', ''],
    [basic('schlüssel:gehëim:🔑'), 'schlüssel', 'gehëim:🔑'],
  ])('%s', (header, key, secret) => {
    expect(credentialsOf(header)).toEqual({ key, secret })
  })

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer key',
    'Bearer :secret',
    'Digest key:secret',
    basic('key'),
    'Basic !',
  ])('%s shows none', (header) =>
    expect(() => credentialsOf(header)).toThrow(expect.objectContaining({ code: 'ERR_UNAUTHENTICATED' })),
  )
})

describe('an object name', () => {
  test.each([
    ['/v1/objects/inbox/a', 'inbox', 'a'],
    ['/v1/attributes/inbox/a/b', 'inbox', 'a/b'],
    ['http://cenote:8480/v1/objects/inbox/a', 'inbox', 'a'],
    ['/v1/objects/%69nbox/%61', 'inbox', 'a'],
    ['/%76%31/objects/inbox/a', 'inbox', 'a'],
    ['/v1/objects/inbox/', 'inbox', ''],
    ['/v1/objects//a', '', 'a'],
  ])('%s', (target, bucket, key) => {
    expect(objectNameOf(target)).toEqual({ bucket, key })
  })
})
