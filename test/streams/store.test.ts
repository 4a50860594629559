import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { PutRecord, Stage, StoreErrorCode } from '../../streams/index.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  blockPool,
  envelopeOf,
  gate,
  type HarnessOptions,
  levelCatalog,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  readText,
  recordsOf,
  refusal,
  textOf,
  turns,
} from '../support/store-harness.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const md5 = (text: string) => createHash('md5').update(text).digest('hex')
const noDigest = '0'.repeat(64)

/** Says what it counted, under the name it is given. */
function counter(attribute: string): Stage<number> {
  return {
    name: 'counter',
    start: () => 0,
    step: (count, chunk) => count + chunk.length,
    freeze: (count) => count,
    thaw: (plain) => plain as number,
    finish: async (count) => ({ [attribute]: count }),
  }
}

describe.each([
  ['catalog and pool in memory', async () => memoryPool(), async () => new MemoryCatalog()],
  ['its catalog on level', async () => memoryPool(), () => levelCatalog()],
  ['its catalog on level and its pool on blocks', () => blockPool(), () => levelCatalog()],
])('the store, with %s', (_what, openPool, openCatalog) => {
  const open = async (options: HarnessOptions = {}) =>
    openHarness({ catalog: await openCatalog(), pool: await openPool(), ...options })

  describe('an upload', () => {
    test('is answered with a receipt, and read back', async () => {
      const { store } = await open()
      const receipt = await putText(store, named('a/b.txt'), 'hello')
      expect(receipt).toEqual({
        object: '0000000000000002',
        bucket: 'inbox',
        key: 'a/b.txt',
        version: '0000000000000002',
        sequence: 2,
        size: 5,
        digests: { sha256: sha256('hello'), crc32c: '9a71bb4c' },
      })
      const { stat, body } = await store.read(origin, named('a/b.txt'))
      expect(stat).toMatchObject({ ...receipt, time: 1_700_000_000_001 })
      expect(await textOf(body)).toBe('hello')
    })

    test('has the attributes of its stages, its client, its evidence and the store', async () => {
      const { store } = await open({ stages: () => [counter('content.count')] })
      const declared = { 'user.a': 'x', 'content.type': 'text/x' }
      const upload = await store.begin(envelopeOf(named('a/b.txt'), {}, declared))
      for (const text of ['he', '', 'llo']) await upload.write(Buffer.from(text))
      expect(upload.size).toBe(5)
      await upload.commit({ 'email.spf': 'pass' })
      expect((await store.stat(origin, named('a/b.txt'))).attributes).toEqual({
        'checksum.crc32c': '9a71bb4c',
        'checksum.sha256': sha256('hello'),
        'content.count': 5,
        'content.type': 'text/x',
        'email.spf': 'pass',
        'network.peer': '127.0.0.1:4711',
        'object.name': 'b.txt',
        'object.size': 5,
        'user.a': 'x',
      })
    })

    test("prefers the client's word on content.type to a stage's, and evidence to both", async () => {
      const { store } = await open({ stages: () => [counter('content.type')] })
      await putText(store, named('a'), 'x', { attributes: { 'content.type': 'text/x' } })
      await putText(store, named('b'), 'x')
      expect((await store.stat(origin, named('a'))).attributes['content.type']).toBe('text/x')
      expect((await store.stat(origin, named('b'))).attributes['content.type']).toBe(1)
      const upload = await store.begin(envelopeOf(named('c'), {}, { 'content.type': 'text/x' }))
      await upload.commit({ 'content.type': 'text/y' })
      expect((await store.stat(origin, named('c'))).attributes['content.type']).toBe('text/y')
    })

    test('may be empty, and is one payload all the same', async () => {
      const { store, pool } = await open()
      const upload = await store.begin(envelopeOf(named('empty'), { size: 0, sha256: sha256('') }))
      expect(await upload.commit()).toMatchObject({ size: 0, digests: { sha256: sha256(''), crc32c: '00000000' } })
      expect(await readText(store, named('empty'))).toBe('')
      expect(await pool.record(2)).toMatchObject({ payloads: [0] })
      await putText(store, named('empty'), 'no more')
      expect(await readText(store, named('empty'))).toBe('no more')
    })

    test('that goes on for long is read back byte for byte', async () => {
      const { store } = await open()
      const upload = await store.begin(envelopeOf(named('long')))
      const chunk = Buffer.alloc(64 * 1024, 'abcdefghi')
      for (let index = 0; index < 32; index++) await upload.write(chunk)
      const { digests } = await upload.commit()
      expect(sha256(await readText(store, named('long')))).toBe(digests.sha256)
    })

    test('keeps whatever was declared of it, when it is true', async () => {
      const { store } = await open()
      const expected = { size: 5, sha256: sha256('hello'), md5: md5('hello'), crc32c: '9a71bb4c' }
      await putText(store, named('a'), 'hello', { expected })
      expect((await store.stat(origin, named('a'))).attributes['checksum.md5']).toBe(md5('hello'))
    })

    test.each<[string, StoreErrorCode, object]>([
      ['too short', 'ERR_LENGTH_MISMATCH', { size: 6 }],
      ['too long', 'ERR_LENGTH_MISMATCH', { size: 4 }],
      ['of another SHA-256', 'ERR_DIGEST_MISMATCH', { sha256: noDigest }],
      ['of another MD5', 'ERR_DIGEST_MISMATCH', { md5: '0'.repeat(32) }],
      ['of another CRC32C', 'ERR_DIGEST_MISMATCH', { crc32c: '00000000' }],
    ])('that is %s stores nothing and gives its space back', async (_what, code, expected) => {
      const { store, pool } = await open()
      const before = pool.status()
      const uploading = putText(store, named('a'), 'hello', { expected })
      await expect(uploading).rejects.toMatchObject(refusal(code))
      await expect(store.stat(origin, named('a'))).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
      expect(pool.status()).toEqual(before)
      expect(store.status.uploadsOpen).toBe(0)
    })

    test('that is aborted stores nothing; after a commit that is void', async () => {
      const { store, pool } = await open({ pool: memoryPool() })
      const upload = await store.begin(envelopeOf(named('a')))
      await upload.write(Buffer.from('hello'))
      expect(pool.status().stagedBytes).toBe(5)
      await upload.abort(new Error('the client went away'))
      await upload.abort()
      expect(pool.status().stagedBytes).toBe(0)
      await expect(upload.write(Buffer.from('more'))).rejects.toMatchObject(refusal('ERR_INTERNAL'))
      await expect(upload.commit()).rejects.toMatchObject(refusal('ERR_INTERNAL'))

      const other = await store.begin(envelopeOf(named('b')))
      const committing = other.commit()
      await other.abort()
      await committing
      await expect(other.commit()).rejects.toMatchObject(refusal('ERR_INTERNAL'))
      expect(await readText(store, named('b'))).toBe('')
      expect(store.status.uploadsOpen).toBe(0)
    })

    test('that finds the pool full is refused, again at its commit, and leaves the pool as it was', async () => {
      const { store, pool } = await open({ pool: memoryPool({ bytesMax: 8 }) })
      const upload = await store.begin(envelopeOf(named('a')))
      await upload.write(Buffer.from('12345678'))
      await expect(upload.write(Buffer.from('9'))).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
      await expect(upload.commit()).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
      expect(pool.status().freeBytes).toBe(8)
      await putText(store, named('a'), '12345678')
    })

    test('that declares more than there is room for is refused before its first byte, and no longer open', async () => {
      const { store } = await open({ pool: memoryPool({ bytesMax: 8 }) })
      const declaring = (size: number) => ({ ...envelopeOf(named('a')), expected: { size } })
      await expect(store.begin(declaring(9))).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
      expect(store.status.uploadsOpen).toBe(0)
      const upload = await store.begin(declaring(8))
      await upload.write(Buffer.from('12345678'))
      await upload.commit()
    })

    test('over the bound is refused at the byte beyond it, and before the first when it was declared', async () => {
      const { store, pool } = await open({ limits: { objectBytesMax: 4 } })
      const upload = await store.begin(envelopeOf(named('a')))
      await upload.write(Buffer.from('1234'))
      await expect(upload.write(Buffer.from('5'))).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
      const declared = store.begin(envelopeOf(named('a'), { size: 5 }))
      await expect(declared).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
      expect(pool.status().stagedBytes).toBe(0)
      expect(store.status.uploadsOpen).toBe(0)
      await putText(store, named('a'), '1234')
    })

    test('is refused while too many are open', async () => {
      const { store } = await open({ limits: { uploadsMax: 2 } })
      const first = await store.begin(envelopeOf(named('a')))
      await store.begin(envelopeOf(named('b')))
      await expect(store.begin(envelopeOf(named('c')))).rejects.toMatchObject(refusal('ERR_BUSY'))
      await first.commit()
      await store.begin(envelopeOf(named('c')))
    })

    test('whose stage fails is aborted, in words that tell nothing', async () => {
      const failing: Stage<number> = {
        ...counter('a.b'),
        finish: () => {
          throw new TypeError('secret')
        },
      }
      const { store, pool } = await open({ stages: () => [failing] })
      await expect(putText(store, named('a'), 'x')).rejects.toMatchObject({
        ...refusal('ERR_INTERNAL'),
        message: 'the store failed',
      })
      expect(pool.status().stagedBytes).toBe(0)
    })

    test.each<[string, StoreErrorCode, Partial<ReturnType<typeof envelopeOf>>]>([
      ['without permission', 'ERR_FORBIDDEN', { origin: originOf(['object:read', 'bucket:create']) }],
      ['to a bucket of no name', 'ERR_INVALID', { name: named('a', 'A') }],
      ['to an empty key', 'ERR_INVALID', { name: named('') }],
      ['with an attribute of no client', 'ERR_INVALID', { attributes: { 'object.size': 5 } }],
      ['with an attribute of no name', 'ERR_INVALID', { attributes: { 'user.': 5 } }],
      ['with an attribute of no value', 'ERR_INVALID', { attributes: { 'user.a': Number.NaN } }],
      ['with an attribute of too long a name', 'ERR_INVALID', { attributes: { [`user.${'a'.repeat(252)}`]: 1 } }],
      ['with attributes of too many bytes', 'ERR_TOO_LARGE', { attributes: { 'user.a': 'a'.repeat(65_531) } }],
    ])('%s is refused before the first byte', async (_what, code, envelope) => {
      const { store } = await open()
      const beginning = store.begin({ ...envelopeOf(named('a')), ...envelope })
      await expect(beginning).rejects.toMatchObject(refusal(code))
      expect(store.status.uploadsOpen).toBe(0)
    })

    test('may have attributes up to the bounds', async () => {
      const { store } = await open()
      const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`user.${index}`, true]))
      await putText(store, named('many'), '', { attributes: many })
      await putText(store, named('large'), '', { attributes: { 'user.a': 'a'.repeat(65_530) } })
      await putText(store, named('long'), '', { attributes: { [`user.${'a'.repeat(251)}`]: ['a', 'b'] } })
      const tooMany = putText(store, named('a'), '', { attributes: { ...many, 'user.1000': true } })
      await expect(tooMany).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
    })
  })

  describe('an object', () => {
    test('that is put again goes on as the same object; the old bytes are let go', async () => {
      const { store, pool } = await open({ pool: memoryPool({ bytesMax: 100 }) })
      const first = await putText(store, named('a'), 'one')
      const second = await putText(store, named('a'), 'three')
      expect(second).toMatchObject({ object: first.object, version: '0000000000000003' })
      expect(await readText(store, named('a'))).toBe('three')
      expect(pool.status().freeBytes).toBe(95)
      expect((await store.stream(origin, named('a'))).map(({ sequence }) => sequence)).toEqual([2, 3])
    })

    test('that is removed is gone with its bytes; its name begins a new one', async () => {
      const { store, pool } = await open({ pool: memoryPool({ bytesMax: 100 }) })
      await putText(store, named('a'), 'one')
      expect(await store.remove(origin, named('a'))).toBe(true)
      expect(await store.remove(origin, named('a'))).toBe(false)
      expect(await store.remove(origin, named('\ud800'))).toBe(false)
      expect(await store.remove(origin, named('a', 'no-such-bucket'))).toBe(false)
      await expect(store.read(origin, named('a'))).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
      expect(pool.status().freeBytes).toBe(100)
      expect(await putText(store, named('a'), 'two')).toMatchObject({ object: '0000000000000004' })
      expect(await store.stream(origin, named('a'))).toHaveLength(1)
    })

    test('that is renamed keeps its stream, and replaces what had the name', async () => {
      const { store, pool } = await open({ pool: memoryPool({ bytesMax: 100 }) })
      const { object } = await putText(store, named('a'), 'one')
      await putText(store, named('b'), 'three')
      await store.createBucket(origin, 'other')
      await store.rename(origin, named('a'), named('b'))
      await store.rename(origin, named('b'), named('c', 'other'))
      await store.rename(origin, named('c', 'other'), named('c', 'other'))
      expect(await readText(store, named('c', 'other'))).toBe('one')
      expect(await store.stat(origin, named('c', 'other'))).toMatchObject({ object, key: 'c', bucket: 'other' })
      const stream = await store.stream(origin, named('c', 'other'))
      expect(stream.map(({ operation }) => operation)).toEqual(['put', 'rename', 'rename'])
      expect(pool.status().freeBytes).toBe(97)
      expect((await store.list(origin, 'inbox')).objects).toEqual([])
      await putText(store, named('a'), 'new')
      expect(await store.stream(origin, named('a'))).toHaveLength(1)
    })

    test.each<[string, StoreErrorCode, ReturnType<typeof named>, ReturnType<typeof named>]>([
      ['that is not there', 'ERR_NOT_FOUND', named('x'), named('b')],
      ['that cannot be', 'ERR_NOT_FOUND', named(''), named('b')],
      ['to what is no name', 'ERR_INVALID', named('a'), named('')],
      ['to a bucket that is missing', 'ERR_NOT_FOUND', named('a'), named('b', 'missing')],
    ])('%s is not renamed', async (_what, code, from, to) => {
      const { store, pool } = await open()
      await putText(store, named('a'), 'one')
      await expect(store.rename(origin, from, to)).rejects.toMatchObject(refusal(code))
      expect(pool.position.sequence).toBe(2)
      expect(await readText(store, named('a'))).toBe('one')
    })

    test('is annotated and goes on with its bytes', async () => {
      const { store } = await open()
      await putText(store, named('a'), 'one', { attributes: { 'user.a': 1, 'user.b': 2 } })
      await store.annotate(origin, named('a'), { 'user.b': 'two', 'user.c': ['x'] }, ['user.a', 'user.none'])
      const { attributes } = await store.stat(origin, named('a'))
      expect(attributes).toMatchObject({ 'user.b': 'two', 'user.c': ['x'], 'object.size': 3 })
      expect(attributes).not.toHaveProperty(['user.a'])
      expect(await readText(store, named('a'))).toBe('one')
      const { objects } = await store.query(origin, 'user.b:two', {})
      expect(objects.map(({ key }) => key)).toEqual(['a'])
    })

    test.each<[string, StoreErrorCode, object, string[]]>([
      ["that are the server's", 'ERR_INVALID', { 'object.size': 1 }, []],
      ["that are the server's, to unset", 'ERR_INVALID', {}, ['checksum.sha256']],
      ['of no value', 'ERR_INVALID', { 'user.a': null }, []],
      ['with half a character', 'ERR_INVALID', { 'user.a': '\ud800' }, []],
      ['of more bytes than an object may have', 'ERR_TOO_LARGE', { 'user.b': 'b'.repeat(40_000) }, []],
      ['unset by the thousand', 'ERR_TOO_LARGE', {}, new Array(1001).fill('user.a')],
    ])('takes no attributes %s', async (_what, code, set, unset) => {
      const { store, pool } = await open()
      await putText(store, named('a'), '', { attributes: { 'user.a': 'a'.repeat(40_000) } })
      const annotating = store.annotate(origin, named('a'), set as never, unset)
      await expect(annotating).rejects.toMatchObject(refusal(code))
      expect(pool.position.sequence).toBe(2)
    })

    test('takes attributes that go beyond the bound when others go with them', async () => {
      const { store } = await open()
      await putText(store, named('a'), '', { attributes: { 'user.a': 'a'.repeat(40_000) } })
      await store.annotate(origin, named('a'), { 'user.b': 'b'.repeat(40_000) }, ['user.a'])
      const more = [store.annotate(origin, named('a'), { 'user.c': 'c'.repeat(15_000) })]
      more.push(store.annotate(origin, named('a'), { 'user.d': 'd'.repeat(15_000) }))
      expect(await Promise.allSettled(more)).toMatchObject([
        { status: 'fulfilled' },
        { status: 'rejected', reason: refusal('ERR_TOO_LARGE') },
      ])
      const missing = store.annotate(origin, named('x'), { 'user.b': 'b' })
      await expect(missing).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    })

    test('is read by parts', async () => {
      const { store } = await open()
      await putText(store, named('a'), '0123456789')
      expect(await readText(store, named('a'), { offset: 2, length: 3 })).toBe('234')
      expect(await readText(store, named('a'), { offset: 9, length: 3 })).toBe('9')
      expect(await readText(store, named('a'), { offset: 4, length: 0 })).toBe('')
      const read = (offset: number, length: number) => store.read(origin, named('a'), { offset, length })
      await expect(read(10, 1)).rejects.toMatchObject(refusal('ERR_RANGE'))
      await expect(read(-1, 1)).rejects.toMatchObject(refusal('ERR_INVALID'))
      await expect(read(0, Number.NaN)).rejects.toMatchObject(refusal('ERR_INVALID'))
    })

    test('is read to its end though it was replaced and removed meanwhile', async () => {
      const { store } = await open()
      const upload = await store.begin(envelopeOf(named('a')))
      for (const text of ['one ', 'two ', 'three']) await upload.write(Buffer.from(text))
      await upload.commit()
      const { body } = await store.read(origin, named('a'))
      await putText(store, named('a'), 'new')
      await store.remove(origin, named('a'))
      expect(await textOf(body)).toBe('one two three')
    })

    test('has a stream of a bounded length', async () => {
      const { store } = await open({ limits: { streamRecordsMax: 2 } })
      await putText(store, named('a'), 'one')
      await store.annotate(origin, named('a'), { 'user.a': 1 })
      expect(await store.stream(origin, named('a'))).toHaveLength(2)
      await store.annotate(origin, named('a'), { 'user.a': 2 })
      await expect(store.stream(origin, named('a'))).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
    })

    test('of another name is not found', async () => {
      const { store } = await open()
      for (const name of [named('x'), named('x', 'missing'), named('x', 'A'), named('\ud800')]) {
        await expect(store.stat(origin, name)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
        await expect(store.stream(origin, name)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
      }
    })
  })

  describe('a prefix', () => {
    test('is renamed with all that is under it, in one transaction', async () => {
      const { store, pool } = await open({ pool: memoryPool({ bytesMax: 100 }) })
      for (const key of ['a/', 'a/1', 'a/b/2', 'ab', 'z']) await putText(store, named(key), key)
      await putText(store, named('c/1'), 'replaced')
      const { commits } = pool.status()
      expect(await store.renamePrefix(origin, named('a/'), named('c/'))).toBe(3)
      expect(pool.status().commits).toBe(commits + 1)
      const { objects } = await store.list(origin, 'inbox')
      expect(objects.map(({ key }) => key)).toEqual(['ab', 'c/', 'c/1', 'c/b/2', 'z'])
      expect(await readText(store, named('c/1'))).toBe('a/1')
      expect(pool.status().freeBytes).toBe(100 - 'a/a/1a/b/2abz'.length)
      expect(await store.renamePrefix(origin, named('none/'), named('d/'))).toBe(0)
    })

    test.each<[string, StoreErrorCode, string, string, string]>([
      ['into itself', 'ERR_INVALID', 'a/', 'a/b/', 'inbox'],
      ['out of itself', 'ERR_INVALID', 'a/b/', 'a/', 'inbox'],
      ['to keys that are too long', 'ERR_INVALID', 'a/', 'b'.repeat(1024), 'inbox'],
      ['to a bucket that is missing', 'ERR_NOT_FOUND', 'a/', 'b/', 'missing'],
      ['of more objects than the bound', 'ERR_TOO_LARGE', 'm/', 'b/', 'inbox'],
    ])('is not renamed %s', async (_what, code, from, to, bucket) => {
      const { store, pool } = await open({ limits: { renameObjectsMax: 2 } })
      for (const key of ['a/1', 'a/2', 'm/1', 'm/2', 'm/3']) await putText(store, named(key), key)
      const renaming = store.renamePrefix(origin, named(from), named(to, bucket))
      await expect(renaming).rejects.toMatchObject(refusal(code))
      expect(pool.position.sequence).toBe(6)
    })

    test('is renamed up to the bound, whatever the page of a listing', async () => {
      const { store } = await open({ pool: memoryPool() })
      const transaction = store.transaction()
      for (let index = 0; index < 1000; index++) await transaction.begin(envelopeOf(named(`a/${index}`)))
      await transaction.commit()
      await putText(store, named('a/last'), 'last')
      expect(await store.renamePrefix(origin, named('a/'), named('b/'))).toBe(1001)
      expect(await readText(store, named('b/last'))).toBe('last')
      expect((await store.list(origin, 'inbox', { prefix: 'a' })).objects).toEqual([])
    })
  })

  describe('buckets', () => {
    test('are made once and listed', async () => {
      const { store, pool } = await open()
      expect(await store.createBucket(origin, 'other')).toBe(true)
      expect(await store.createBucket(origin, 'other')).toBe(false)
      expect(await store.buckets(origin)).toEqual(['inbox', 'other'])
      expect(pool.position.sequence).toBe(2)
      await expect(store.createBucket(origin, 'A')).rejects.toMatchObject(refusal('ERR_INVALID'))
      await expect(store.list(origin, 'missing')).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    })

    test('are made once by many at once', async () => {
      const { store } = await open()
      const made = await Promise.all(Array.from({ length: 8 }, () => store.createBucket(origin, 'other')))
      expect(made.filter(Boolean)).toHaveLength(1)
    })

    test('are made by a PUT of whoever may, together with the object', async () => {
      const { store, pool } = await open()
      const upload = await store.begin(envelopeOf(named('a', 'other')))
      await upload.abort()
      expect(await store.buckets(origin)).toEqual(['inbox'])
      await putText(store, named('a', 'other'), 'one')
      expect(await store.buckets(origin)).toEqual(['inbox', 'other'])
      expect((await recordsOf(pool)).map(({ record }) => record.operation)).toEqual(['bucket', 'bucket', 'put'])
    })

    test.each([
      ['a PUT of whoever may not', originOf(['object:write'])],
      ['STOR', originOf(undefined, 'ftp')],
      ['mail', originOf(undefined, 'smtp')],
    ])('are not made by %s', async (_what, from) => {
      const { store } = await open()
      const beginning = store.begin({ ...envelopeOf(named('a', 'other')), origin: from })
      await expect(beginning).rejects.toMatchObject({
        ...refusal('ERR_NOT_FOUND'),
        message: 'there is no bucket other',
      })
    })

    test('are so many and no more', async () => {
      const { store } = await open({ limits: { bucketsMax: 2 } })
      await store.createBucket(origin, 'other')
      await expect(store.createBucket(origin, 'third')).rejects.toMatchObject(refusal('ERR_QUOTA'))
      await expect(putText(store, named('a', 'third'), '')).rejects.toMatchObject(refusal('ERR_QUOTA'))
      expect(await store.buckets(origin)).toEqual(['inbox', 'other'])
    })
  })

  describe('permissions', () => {
    const reader = originOf(['object:read'])
    const writer = originOf(['object:write'])

    test('are asked of every verb', async () => {
      const { store } = await open()
      await putText(store, named('a'), 'one')
      const forbidden: (() => Promise<unknown>)[] = [
        () => store.read(writer, named('a')),
        () => store.stat(writer, named('a')),
        () => store.list(writer, 'inbox'),
        () => store.buckets(writer),
        () => store.stream(writer, named('a')),
        () => store.query(writer, 'user.a:1'),
        () => store.remove(reader, named('a')),
        () => store.rename(reader, named('a'), named('b')),
        () => store.renamePrefix(reader, named('a'), named('b')),
        () => store.annotate(reader, named('a'), { 'user.a': 1 }),
        () => store.createBucket(writer, 'other'),
        () => store.register(originOf(['object:read', 'object:write', 'bucket:create']), 'x', null),
        () => store.transaction().remove(reader, named('a')),
        () => store.transaction().rename(reader, named('a'), named('b')),
        () => store.transaction().annotate(reader, named('a'), { 'user.a': 1 }, []),
        () => store.transaction().begin({ ...envelopeOf(named('a')), origin: reader }),
      ]
      for (const ask of forbidden) await expect(ask()).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
      expect(await readText(store, named('a'))).toBe('one')
    })
  })

  describe('applications', () => {
    const registration = {
      types: ['http'],
      permissions: ['object:read'],
      secret: { kind: 'sealed', value: 'x' },
    } as const

    test('are registered, changed and removed', async () => {
      const { store } = await open()
      await store.register(origin, 'one', registration)
      await store.register(origin, 'two', registration)
      await store.register(origin, 'one', { ...registration, types: [] })
      await store.register(origin, 'two', null)
      expect([...(await store.applications())]).toEqual([['one', { ...registration, types: [] }]])
    })
  })

  describe('a transaction', () => {
    test('makes uploads and changes true together', async () => {
      const { store, pool } = await open()
      for (const key of ['gone', 'old', 'noted']) await putText(store, named(key), key)
      const { commits } = pool.status()
      const transaction = store.transaction()
      const first = await transaction.begin(envelopeOf(named('one')))
      await first.write(Buffer.from('1'))
      await transaction.remove(origin, named('gone'))
      await transaction.remove(origin, named('never there'))
      await transaction.rename(origin, named('old'), named('new'))
      await transaction.annotate(origin, named('noted'), { 'user.a': 1 }, [])
      const second = await transaction.begin(envelopeOf(named('two')))
      await second.write(Buffer.from('22'))
      expect([first.size, second.size, store.status.uploadsOpen]).toEqual([1, 2, 2])
      const receipts = await transaction.commit({ 'email.spf': 'pass' })
      expect(receipts.map(({ key, size }) => [key, size])).toEqual([
        ['one', 1],
        ['two', 2],
      ])
      expect(pool.status()).toMatchObject({ commits: commits + 1, stagedBytes: 0 })
      expect(store.status.uploadsOpen).toBe(0)
      const { objects } = await store.list(origin, 'inbox')
      expect(objects.map(({ key }) => key)).toEqual(['new', 'noted', 'one', 'two'])
      expect(objects.map(({ attributes }) => attributes['email.spf'])).toEqual([undefined, undefined, 'pass', 'pass'])
    })

    test.each<[string, StoreErrorCode, (store: Awaited<ReturnType<typeof open>>['store']) => Promise<unknown>]>([
      [
        'when one of its changes cannot be',
        'ERR_NOT_FOUND',
        async (store) => {
          const transaction = store.transaction()
          await (await transaction.begin(envelopeOf(named('new')))).write(Buffer.from('new'))
          await transaction.remove(origin, named('a'))
          await transaction.rename(origin, named('missing'), named('b'))
          return transaction.commit()
        },
      ],
      [
        'when one of its uploads is not what was declared',
        'ERR_DIGEST_MISMATCH',
        async (store) => {
          const transaction = store.transaction()
          await transaction.remove(origin, named('a'))
          await (await transaction.begin(envelopeOf(named('new')))).write(Buffer.from('new'))
          await transaction.begin(envelopeOf(named('other'), { sha256: noDigest }))
          return transaction.commit()
        },
      ],
      [
        'when a write fails',
        'ERR_LENGTH_MISMATCH',
        async (store) => {
          const transaction = store.transaction()
          await transaction.remove(origin, named('a'))
          const upload = await transaction.begin(envelopeOf(named('new'), { size: 1 }))
          await expect(upload.write(Buffer.from('12'))).rejects.toMatchObject(refusal('ERR_LENGTH_MISMATCH'))
          return transaction.commit()
        },
      ],
      [
        'when it undoes what it does itself',
        'ERR_CONFLICT',
        async (store) => {
          const transaction = store.transaction()
          await transaction.begin(envelopeOf(named('a')))
          await transaction.remove(origin, named('a'))
          return transaction.commit()
        },
      ],
    ])('changes nothing %s', async (_when, code, act) => {
      const { store, pool } = await open()
      await putText(store, named('a'), 'one')
      await expect(act(store)).rejects.toMatchObject(refusal(code))
      expect(pool.position.sequence).toBe(2)
      expect(pool.status().stagedBytes).toBe(0)
      expect(store.status.uploadsOpen).toBe(0)
      expect(await readText(store, named('a'))).toBe('one')
      await putText(store, named('a'), 'two')
      expect(await store.stream(origin, named('a'))).toHaveLength(2)
    })

    test('that is aborted changes nothing, and takes no more', async () => {
      const { store, pool } = await open()
      const transaction = store.transaction()
      const upload = await transaction.begin(envelopeOf(named('new')))
      await upload.write(Buffer.from('new'))
      await transaction.abort(new Error('changed its mind'))
      await expect(upload.write(Buffer.from('x'))).rejects.toMatchObject(refusal('ERR_INTERNAL'))
      await expect(transaction.begin(envelopeOf(named('b')))).rejects.toMatchObject(refusal('ERR_INTERNAL'))
      await expect(transaction.remove(origin, named('b'))).rejects.toMatchObject(refusal('ERR_INTERNAL'))
      await expect(transaction.commit()).rejects.toMatchObject(refusal('ERR_INTERNAL'))
      expect(pool.status()).toMatchObject({ stagedBytes: 0, commits: 1 })
    })

    test('goes on without an upload that was refused at its beginning', async () => {
      const { store } = await open()
      const transaction = store.transaction()
      await expect(transaction.begin(envelopeOf(named('')))).rejects.toMatchObject(refusal('ERR_INVALID'))
      await transaction.begin(envelopeOf(named('a')))
      expect(await transaction.commit()).toHaveLength(1)
    })

    test('that changes nothing commits nothing', async () => {
      const { store, pool } = await open()
      const transaction = store.transaction()
      await transaction.remove(origin, named('never there'))
      expect(await transaction.commit()).toEqual([])
      expect(await store.transaction().commit()).toEqual([])
      expect(pool.status().commits).toBe(1)
    })

    test('is of a bounded size', async () => {
      const { store } = await open({ limits: { changesMax: 2 } })
      const transaction = store.transaction()
      await transaction.remove(origin, named('a'))
      await transaction.begin(envelopeOf(named('b')))
      const more = [() => transaction.remove(origin, named('c')), () => transaction.begin(envelopeOf(named('c')))]
      for (const change of more) await expect(change()).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
      expect(await transaction.commit()).toHaveLength(1)
    })
  })

  describe('a closed store', () => {
    test('waits for commits underway and takes no more', async () => {
      const held = gate()
      let flush = async () => {}
      const { store, pool } = await open({ pool: memoryPool({ flush: () => flush() }) })
      flush = () => held.opened
      const upload = await store.begin(envelopeOf(named('a')))
      const committing = upload.commit()
      let isClosed = false
      const closing = store.close().then(() => {
        isClosed = true
      })
      await expect(store.begin(envelopeOf(named('b')))).rejects.toMatchObject(refusal('ERR_HALTED'))
      await expect(store.remove(origin, named('a'))).rejects.toMatchObject(refusal('ERR_HALTED'))
      expect(() => store.transaction()).toThrow(expect.objectContaining(refusal('ERR_HALTED')))
      await turns(5)
      expect(isClosed).toBe(false)
      held.open()
      await closing
      expect(pool.position.sequence).toBe(2)
      expect(await committing).toMatchObject({ key: 'a' })
    })

    test('refuses in its own words when the pool was closed under it', async () => {
      const { store, pool } = await open()
      await pool.close()
      await expect(store.begin(envelopeOf(named('b')))).rejects.toMatchObject(refusal('ERR_HALTED'))
    })
  })

  describe('a record', () => {
    test('says who, when, through which door, and after which record', async () => {
      const times = [1000, 2000, 1500, 3000]
      const clock = { now: () => times.shift() ?? 9999 }
      const { store, pool } = await open({ clock })
      await putText(store, named('a'), 'one')
      await putText(store, named('a'), 'two', {
        origin: { principal: { ...origin.principal, application: 'mailer' }, protocol: 'smtp' },
      })
      await store.remove(origin, named('a'))
      const records = (await recordsOf(pool)).map(({ record }) => record)
      expect(records.map(({ time }) => time)).toEqual([1000, 2000, 2000, 3000])
      expect(records[1]).toMatchObject({
        application: 'tester',
        protocol: 'http',
        peer: '127.0.0.1:4711',
        request: 'r1',
      })
      expect(records[2]).toMatchObject({ partition: 'main', application: 'mailer', protocol: 'smtp' })
      expect(records[2]).not.toHaveProperty('peer')
      expect(records[2]).not.toHaveProperty('request')
      expect((records[2] as PutRecord).attributes).not.toHaveProperty(['network.peer'])
    })
  })
})
