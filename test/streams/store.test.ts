import { describe, expect, test } from 'vitest'
import type { StoreErrorCode } from '../../streams/index.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  envelopeOf,
  type HarnessOptions,
  named,
  openHarness,
  origin,
  putText,
  readText,
  refusal,
  textOf,
} from '../support/store-harness.ts'
import { STORES } from '../support/stores.ts'

describe.each(STORES)('the store, with %s', (_what, openPool, openCatalog) => {
  const open = async (options: HarnessOptions = {}) =>
    openHarness({ catalog: await openCatalog(), pool: await openPool(), ...options })

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
})
