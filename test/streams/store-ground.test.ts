import { describe, expect, test } from 'vitest'
import type { PutRecord } from '../../streams/index.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  envelopeOf,
  gate,
  type HarnessOptions,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  readText,
  recordsOf,
  refusal,
  turns,
} from '../support/store-harness.ts'
import { STORES } from '../support/stores.ts'

describe.each(STORES)('the store, with %s', (_what, openPool, openCatalog) => {
  const open = async (options: HarnessOptions = {}) =>
    openHarness({ catalog: await openCatalog(), pool: await openPool(), ...options })

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

  test('routes of mail are added, changed and removed', async () => {
    const { store } = await open()
    const route = { bucket: 'inbox', application: 'partner' }
    await store.route(origin, 'one@example.org', route)
    await store.route(origin, '*@example.org', route)
    await store.route(origin, 'one@example.org', { ...route, senders: ['example.com'], unverified: 'quarantine' })
    await store.route(origin, '*@example.org', null)
    const changed = { ...route, senders: ['example.com'], unverified: 'quarantine' }
    expect([...(await store.routes())]).toEqual([['one@example.org', changed]])
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
