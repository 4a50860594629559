import { describe, expect, test } from 'vitest'
import type { Stage, StoreErrorCode } from '../../streams/index.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  envelopeOf,
  type HarnessOptions,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  readText,
  refusal,
  textOf,
} from '../support/store-harness.ts'
import { counter, md5, noDigest, STORES, sha256 } from '../support/stores.ts'

/** The flush that seals what came before the upload comes in its own time. */
const withoutFlushes = <Status extends object>(status: Status) => ({ ...status, flushes: undefined })

describe.each(STORES)('the store, with %s', (_what, openPool, openCatalog) => {
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
      const before = withoutFlushes(pool.status())
      const uploading = putText(store, named('a'), 'hello', { expected })
      await expect(uploading).rejects.toMatchObject(refusal(code))
      await expect(store.stat(origin, named('a'))).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
      expect(withoutFlushes(pool.status())).toEqual(before)
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
})
