import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AttributeRecord, decodeRecord, digestOf, encodeRecord, type PutRecord } from '../../streams/index.ts'
import { refusal } from '../support/store-harness.ts'

const put: PutRecord = {
  sequence: 7,
  time: 1_700_000_000_000,
  partition: 'main',
  application: 'tester',
  protocol: 'http',
  peer: '127.0.0.1:4711',
  previous: { partition: 'ab', object: '' },
  operation: 'put',
  object: '0000000000000007',
  bucket: 'inbox',
  key: 'a/\u0000ü😀"',
  size: 3,
  digests: { sha256: 'aa', crc32c: 'bb' },
  attributes: { 'user.tags': ['b', 'a'], 'object.size': 3, 'email.secure': false, 'content.type': 'text/plain' },
}

const CANONICAL =
  '\u0001{"application":"tester","attributes":{"content.type":"text/plain","email.secure":false,"object.size":3,' +
  '"user.tags":["b","a"]},"bucket":"inbox","digests":{"crc32c":"bb","sha256":"aa"},"key":"a/\\u0000ü😀\\"",' +
  '"object":"0000000000000007","operation":"put","partition":"main","peer":"127.0.0.1:4711",' +
  '"previous":{"object":"","partition":"ab"},"protocol":"http","sequence":7,"size":3,"time":1700000000000}'

const name = fc.record({ bucket: fc.string(), key: fc.string({ unit: 'grapheme' }) })
const value = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.double({ noDefaultInfinity: true, noNaN: true }).map((number) => number + 0),
  fc.boolean(),
  fc.array(fc.string()),
)
const attributes = fc.dictionary(
  fc.string({ minLength: 1 }).map((word) => `user.${word}`),
  value,
)
const base = {
  sequence: fc.nat(),
  time: fc.nat(),
  partition: fc.string(),
  application: fc.string(),
  protocol: fc.constantFrom('http', 'ftp', 'smtp'),
  previous: fc.record({ partition: fc.string(), object: fc.string() }),
}
const object = { ...base, object: fc.string(), bucket: fc.string(), key: fc.string({ unit: 'grapheme' }) }
const secret = fc.record({ kind: fc.constantFrom('sealed', 'argon2id'), value: fc.string() })
const texts = fc.array(fc.string())
const registration = fc.option(fc.record({ types: texts, permissions: texts, secret }))
const route = fc.option(
  fc.record(
    {
      bucket: fc.string(),
      application: fc.string(),
      prefix: fc.string(),
      networks: texts,
      senders: texts,
      unverified: fc.constantFrom('accept', 'quarantine', 'reject'),
      parts: fc.boolean(),
    },
    { requiredKeys: ['bucket', 'application'] },
  ),
)
const anyRecord = fc.oneof(
  fc.record({
    ...object,
    operation: fc.constant('put'),
    size: fc.nat(),
    digests: fc.record({ sha256: fc.string(), crc32c: fc.string() }),
    attributes,
  }),
  fc.record({ ...object, peer: fc.string(), request: fc.string(), operation: fc.constant('delete') }),
  fc.record({ ...object, operation: fc.constant('attributes'), set: attributes, unset: fc.array(fc.string()) }),
  fc.record({ ...object, operation: fc.constant('rename'), from: name }),
  fc.record({ ...base, operation: fc.constant('bucket'), bucket: fc.string() }),
  fc.record({ ...base, operation: fc.constant('application'), id: fc.string(), registration }),
  fc.record({ ...base, operation: fc.constant('route'), id: fc.string(), registration: route }),
) as fc.Arbitrary<AttributeRecord>

/** The same members, inserted the other way round, at every depth. */
function reversed<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const members = Object.entries(value).reverse()
  return Object.fromEntries(members.map(([member, inner]) => [member, reversed(inner)])) as T
}

describe('a record as bytes', () => {
  test('is the version and canonical JSON', () => {
    expect(encodeRecord(put).toString()).toBe(CANONICAL)
  })

  test('is read back as it was', () => {
    const readBack = (record: AttributeRecord): void => {
      expect(decodeRecord(encodeRecord(record))).toEqual(record)
    }
    fc.assert(fc.property(anyRecord, readBack))
  })

  test('is the same in whatever order its members came', () => {
    const same = (record: AttributeRecord): void => {
      expect(encodeRecord(reversed(record))).toEqual(encodeRecord(record))
    }
    fc.assert(fc.property(anyRecord, same))
  })

  test('is read from the middle of a larger buffer', () => {
    const bytes = Buffer.concat([Buffer.from('xyz'), encodeRecord(put), Buffer.from('xyz')])
    expect(decodeRecord(bytes.subarray(3, -3))).toEqual(put)
  })

  test('leaves out what is undefined', () => {
    const bytes = encodeRecord({ ...put, request: undefined } as unknown as PutRecord)
    expect(bytes).toEqual(encodeRecord(put))
  })

  test('has no way to hold a number that JSON does not know', () => {
    expect(() => encodeRecord({ ...put, attributes: { 'user.a': Number.NaN } })).toThrow('JSON has no NaN')
  })

  test('has its SHA-256 as digest', () => {
    expect(digestOf(encodeRecord(put))).toBe(createHash('sha256').update(CANONICAL).digest('hex'))
  })
})

describe('bytes that are no record', () => {
  const json = CANONICAL.slice(1)
  test.each([
    ['nothing', '', 'version is missing'],
    ['another version', `\u0002${json}`, 'version is 2'],
    ['no JSON', `\u0001${json.slice(0, -1)}`, 'no JSON object'],
    ['a list', '\u0001[]', 'no JSON object'],
    ['an unknown operation', `\u0001${json.replace('"put"', '"move"')}`, 'operation is not known'],
    ['an inherited operation', `\u0001${json.replace('"put"', '"constructor"')}`, 'operation is not known'],
    ['a member missing', `\u0001${json.replace('"key"', '"kez"')}`, 'member key'],
    ['a member of another type', `\u0001${json.replace('"size":3', '"size":"3"')}`, 'member size'],
    ['a digest missing', `\u0001${json.replace('"crc32c"', '"crc32"')}`, 'member digests'],
    ['an attribute of another type', `\u0001${json.replace('["b","a"]', '["b",1]')}`, 'member attributes'],
    ['a sequence that is none', `\u0001${json.replace('"sequence":7', '"sequence":-7')}`, 'member sequence'],
  ])('%s are refused', (_what, text, message) => {
    const decoding = () => decodeRecord(Buffer.from(text))
    expect(decoding).toThrow(expect.objectContaining(refusal('ERR_CORRUPT')))
    expect(decoding).toThrow(message)
  })
})
