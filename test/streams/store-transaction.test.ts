import { describe, expect, test } from 'vitest'
import type { StoreErrorCode } from '../../streams/index.ts'
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
} from '../support/store-harness.ts'
import { noDigest, STORES } from '../support/stores.ts'

describe.each(STORES)('the store, with %s', (_what, openPool, openCatalog) => {
  const open = async (options: HarnessOptions = {}) =>
    openHarness({ catalog: await openCatalog(), pool: await openPool(), ...options })

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

    test('notes of each of its uploads what was found out about it, and may have it quarantined from the put on', async () => {
      const { store } = await open()
      const transaction = store.transaction()
      const [one, two] = [
        await transaction.begin(envelopeOf(named('one'))),
        await transaction.begin(envelopeOf(named('two'))),
      ]
      one.note({ attributes: { 'email.spf': 'fail' }, quarantine: 'not verified' })
      two.note({ attributes: { 'email.spf': 'pass' } })
      two.note({ attributes: { 'email.arc': 'pass' } })
      await transaction.commit({ 'email.spf': 'none', 'user.a': 1 })
      const { objects } = await store.list(origin, 'inbox')
      const [first, second] = objects.map(({ attributes }) => attributes)
      expect(first).toMatchObject({ 'email.spf': 'fail', 'user.a': 1, 'quarantine.reason': 'not verified' })
      expect(first).toHaveProperty(['quarantine.time'])
      expect(second).toMatchObject({ 'email.spf': 'pass', 'email.arc': 'pass', 'user.a': 1 })
      expect(second).not.toHaveProperty(['quarantine.reason'])
      expect(() => one.note({ attributes: {} })).toThrow('the upload has ended')
      await expect(store.read(originOf(['object:read']), named('one'))).rejects.toMatchObject(
        refusal('ERR_QUARANTINED'),
      )
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
})
