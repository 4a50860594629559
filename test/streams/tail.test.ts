import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openVolumes } from '../../pool/index.ts'
import type { AttributeRecord, OpenStore, ShownRecord, TailOptions, TailPage } from '../../streams/index.ts'
import { PAGE_BYTES_MAX, PAGE_RECORDS_MAX } from '../../streams/tail/tail-page.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  blockPool,
  envelopeOf,
  gate,
  levelCatalog,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  recordsOf,
  refusal,
  turns,
} from '../support/store-harness.ts'

/** A follower that a test asks for one page at a time. */
function following(store: OpenStore, options: Partial<TailOptions> = {}, by = origin) {
  const ending = new AbortController()
  onTestFinished(() => ending.abort())
  const pages = store.tail(by, { after: 0, signal: ending.signal, ...options })
  const next = async (): Promise<TailPage> => {
    const { done, value } = await pages.next()
    if (done) throw new Error('it has ended')
    return value
  }
  return { pages, next, end: () => ending.abort() }
}

/** Everything that there is, to the page that says so. */
async function readAll(store: OpenStore, options: Partial<TailOptions> = {}, by = origin) {
  const { next, end } = following(store, options, by)
  const pages: TailPage[] = []
  do pages.push(await next())
  while (!pages.at(-1)!.upToDate)
  end()
  return { pages, records: pages.flatMap(({ records }) => records), next: pages.at(-1)!.next }
}

const sequences = (records: readonly ShownRecord[]) => records.map(({ sequence }) => sequence)

describe('the stream of a partition', () => {
  test('is told from any place on, and then as it grows', async () => {
    const { store } = await openHarness()
    await putText(store, named('a'), 'one')
    const { next } = following(store, { after: 1 })
    expect(await next()).toMatchObject({ records: [{ sequence: 2, operation: 'put', key: 'a' }], next: 2 })
    const waiting = next()
    await store.annotate(origin, named('a'), { 'user.x': 1 })
    expect(await waiting).toMatchObject({ records: [{ sequence: 3, set: { 'user.x': 1 } }], next: 3, upToDate: true })
  })

  test('begins with what is to come after now, and says so at once', async () => {
    const { store } = await openHarness()
    await putText(store, named('a'), 'one')
    const { next } = following(store, { after: 'now' })
    expect(await next()).toEqual({ records: [], next: 2, upToDate: true })
    const waiting = next()
    await store.remove(origin, named('a'))
    expect(sequences((await waiting).records)).toEqual([3])
  })

  test('is read from the pool by whoever comes after a restart', async () => {
    const pool = memoryPool()
    const first = await openHarness({ pool })
    for (const key of ['a', 'b', 'c']) await putText(first.store, named(key), key)
    await first.store.close()
    const { store } = await openHarness({ pool })
    const { records, next } = await readAll(store)
    expect(records).toEqual((await recordsOf(pool)).map(({ record }) => record))
    expect(next).toBe(4)
    expect((await readAll(store, { after: next })).pages).toEqual([{ records: [], next, upToDate: true }])
  })

  test('tells of nothing that is not durable', async () => {
    const flushed = gate()
    let isHeld = false
    const pool = memoryPool({ flush: async () => (isHeld ? flushed.opened : undefined) })
    const { store } = await openHarness({ pool })
    const { next } = following(store)
    await next()
    isHeld = true
    let isTold = false
    const told = next().finally(() => {
      isTold = true
    })
    const put = putText(store, named('a'), 'one')
    await turns(20)
    expect(isTold).toBe(false)
    flushed.open()
    expect(sequences((await told).records)).toEqual([(await put).sequence])
  })

  test('whoever is told of a record finds it in the catalog', async () => {
    const { store } = await openHarness({ catalog: await levelCatalog() })
    const { next } = following(store, { after: 'now' })
    await next()
    for (let count = 0; count < 50; count++) {
      const put = putText(store, named(`k${count}`), 'x')
      const { records } = await next()
      const { objects } = await store.query(origin, `object.key = k${count}`)
      expect(objects.map(({ sequence }) => sequence)).toEqual(sequences(records))
      await put
    }
  })

  test('passes over records of volumes', async () => {
    const pool = await blockPool()
    const { store } = await openHarness({ pool })
    const volumes = await openVolumes(pool)
    onTestFinished(() => volumes.close())
    const volume = await volumes.create('v', 1 << 20)
    await putText(store, named('a'), 'one')
    await volume.write([{ offset: 0, bytes: Buffer.alloc(4096) }])
    await store.close()
    const again = await openHarness({ pool })
    const { records, next } = await readAll(again.store)
    expect(records).toEqual((await recordsOf(pool)).map(({ record }) => record))
    expect(next).toBeLessThan(pool.position.sequence)
    // A place behind the store's last record, where a volume's lies, is one all the same.
    expect((await readAll(again.store, { after: pool.position.sequence })).records).toEqual([])
  })
})

describe('the stream of an object', () => {
  test('holds its own records only, follows it to another name and ends with it', async () => {
    const { store } = await openHarness()
    await putText(store, named('a'), 'one')
    const { next, pages } = following(store, { name: named('a') })
    expect(sequences((await next()).records)).toEqual([2])
    await putText(store, named('other'), 'two')
    const waiting = next()
    await store.rename(origin, named('a'), named('b'))
    expect(await waiting).toMatchObject({ records: [{ operation: 'rename', key: 'b' }], next: 4 })
    await store.remove(origin, named('b'))
    expect((await next()).records).toMatchObject([{ operation: 'delete' }])
    expect(await pages.next()).toEqual({ done: true, value: undefined })
  })

  test.each([1, 100])('ends with the object for one who is slow, where %d records are kept', async (kept) => {
    const { store } = await openHarness({ limits: { recentRecordsMax: kept } })
    await putText(store, named('a'), 'one')
    const { next, pages } = following(store, { name: named('a') })
    await next()
    await store.remove(origin, named('a'))
    await putText(store, named('a'), 'another')
    expect(sequences((await next()).records)).toEqual([3])
    expect(await pages.next()).toEqual({ done: true, value: undefined })
  })

  test.each([1, 100])(
    'goes on past a delete marker that was removed meanwhile, where %d records are kept',
    async (kept) => {
      const { store } = await openHarness({ limits: { recentRecordsMax: kept } })
      await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
      const { sequence } = await putText(store, named('a'), 'one')
      const { next, pages } = following(store, { name: named('a'), after: sequence })
      expect(await next()).toMatchObject({ records: [], upToDate: true })
      await store.remove(origin, named('a'))
      const [{ version } = expect.fail()] = (await store.versions.listVersions(origin, 'inbox')).versions
      await store.versions.removeVersion(origin, named('a'), version)
      await putText(store, named('other'), 'x')
      const records = (await next()).records
      expect(records.map(({ operation }) => operation)).toEqual(['delete', 'delete'])
      const waiting = next()
      await putText(store, named('a'), 'two')
      expect(await waiting).toMatchObject({ records: [{ operation: 'put' }] })
      await store.remove(origin, named('a'))
      expect(await next()).toMatchObject({ records: [{ operation: 'delete' }], upToDate: true })
      expect((await pages.next()).done).toBe(true)
    },
  )

  test('goes on past such a marker when its removal is on another page', async () => {
    const { store } = await openHarness({ limits: { recentRecordsMax: 2 * PAGE_RECORDS_MAX } })
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    const { sequence } = await putText(store, named('a'), 'one')
    await putText(store, named('other'), 'x')
    const { next } = following(store, { name: named('a'), after: sequence })
    await next()
    await store.remove(origin, named('a'))
    const [{ version } = expect.fail()] = (await store.versions.listVersions(origin, 'inbox')).versions
    for (let at = 0; at < PAGE_RECORDS_MAX; at++) await store.annotate(origin, named('other'), { 'user.at': at })
    await store.versions.removeVersion(origin, named('a'), version)
    const [first, second] = [await next(), await next()]
    expect([first.upToDate, second.upToDate]).toEqual([false, true])
    const waiting = next()
    await putText(store, named('a'), 'two')
    expect(await waiting).toMatchObject({ records: [{ operation: 'put' }] })
  })

  test.each([1, 100])('goes on after an older version was removed, where %d records are kept', async (kept) => {
    const { store } = await openHarness({ limits: { recentRecordsMax: kept } })
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    const { version } = await putText(store, named('a'), 'one')
    const { next } = following(store, { name: named('a') })
    await next()
    await putText(store, named('a'), 'two')
    await store.versions.removeVersion(origin, named('a'), version)
    expect(sequences((await next()).records)).toEqual([4, 5])
    const waiting = next()
    await store.annotate(origin, named('a'), { 'user.x': 1 })
    expect(sequences((await waiting).records)).toEqual([6])
  })

  test('waits for a catalog that is behind', async () => {
    const caughtUp = gate()
    let isSlow = false
    const catalog = new MemoryCatalog({ pace: async () => (isSlow ? caughtUp.opened : undefined) })
    const { store } = await openHarness({ catalog, limits: { recentRecordsMax: 1 } })
    await putText(store, named('a'), 'one')
    const { next } = following(store, { name: named('a') })
    await next()
    isSlow = true
    for (let count = 0; count < 3; count++) await store.annotate(origin, named('a'), { 'user.n': count })
    const page = next()
    await turns(5)
    caughtUp.open()
    expect(sequences((await page).records)).toEqual([3, 4, 5])
  })

  test('stays where it is while others grow', async () => {
    const { store } = await openHarness()
    await putText(store, named('a'), 'one')
    for (let count = 0; count < 5; count++) await putText(store, named('b'), 'two')
    expect((await readAll(store, { name: named('a'), after: 'now' })).next).toBe(2)
    expect((await readAll(store, { name: named('a'), after: 2 })).pages).toEqual([
      { records: [], next: 2, upToDate: true },
    ])
  })
})

describe('what is asked for', () => {
  test('a record meets a query by what it says itself', async () => {
    const { store } = await openHarness()
    await store.createBucket(origin, 'outbox')
    await putText(store, named('a.txt'), 'one', envelopeOf(named('a.txt'), {}, { 'user.p': 'x' }))
    await store.annotate(origin, named('a.txt'), { 'user.q': ['1', '2'] })
    await store.rename(origin, named('a.txt'), named('b.txt', 'outbox'))
    await store.remove(origin, named('b.txt', 'outbox'))
    const found = async (query: string) => sequences((await readAll(store, { query })).records)
    expect(await found('record.operation = bucket')).toEqual([1, 2])
    expect(await found('user.p:*')).toEqual([3])
    expect(await found('user.q = 2')).toEqual([4])
    expect(await found('object.bucket:outbox')).toEqual([2, 5, 6])
    expect(await found('object.name:a*')).toEqual([3, 4])
    expect(await found('object.size < 10')).toEqual([3])
    expect(await found('protocol = http AND principal.application = tester')).toHaveLength(6)
    expect(await found('object.version = 0000000000000003')).toEqual([3])
    expect(await found('time > 2000-01-01')).toHaveLength(6)
    expect(await found('nothing:*')).toEqual([])
  })

  test('a page without a record tells how far it has come', async () => {
    const { store } = await openHarness()
    const { next } = following(store, { query: 'user.x:*' })
    expect(await next()).toEqual({ records: [], next: 1, upToDate: true })
    const waiting = next()
    await putText(store, named('a'), 'one')
    expect(await waiting).toEqual({ records: [], next: 2, upToDate: true })
  })

  test.each([
    [{ after: -1 }, 'ERR_INVALID'],
    [{ after: 1.5 }, 'ERR_INVALID'],
    [{ after: 3 }, 'ERR_INVALID'],
    [{ name: named('b') }, 'ERR_NOT_FOUND'],
    [{ name: named('') }, 'ERR_NOT_FOUND'],
    [{ query: 'x =' }, 'ERR_INVALID'],
  ] as const)('%j is refused', async (options, code) => {
    const { store } = await openHarness()
    await putText(store, named('a'), 'one')
    await expect(following(store, options).next()).rejects.toMatchObject(refusal(code))
  })

  test('needs object:read', async () => {
    const { store } = await openHarness()
    const { next } = following(store, {}, originOf(['object:write']))
    await expect(next()).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
  })

  test('secrets are told to nobody, and who there is to those who manage applications', async () => {
    const { store } = await openHarness()
    const secret = { kind: 'sealed', value: 'c2VjcmV0' } as const
    await store.register(origin, 'camera', { types: ['http'], permissions: ['object:read'], secret })
    await store.register(origin, 'camera', null)
    const { records } = await readAll(store)
    expect(records.slice(1)).toMatchObject([
      { operation: 'application', id: 'camera', registration: { types: ['http'], permissions: ['object:read'] } },
      { operation: 'application', id: 'camera', registration: null },
    ])
    expect(JSON.stringify(records)).not.toMatch(/secret|c2VjcmV0|sealed/)
    const { records: few, next } = await readAll(store, {}, originOf(['object:read']))
    expect(sequences(few)).toEqual([1])
    expect(next).toBe(3)
  })
})

describe('bounds', () => {
  test('a page looks at so many records', async () => {
    const { store } = await openHarness()
    for (let count = 0; count <= PAGE_RECORDS_MAX; count++) await store.createBucket(origin, `bucket-${count}`)
    const { pages } = await readAll(store)
    expect(pages.map(({ records }) => records.length)).toEqual([PAGE_RECORDS_MAX, 2])
    expect(pages.map(({ upToDate }) => upToDate)).toEqual([false, true])
  })

  test('a page looks at so many bytes, in memory and in the pool', async () => {
    const pool = memoryPool()
    const { store } = await openHarness({ pool })
    await putText(store, named('a'), 'one')
    const set = { 'user.long': 'x'.repeat(60_000) }
    const perPage = Math.ceil(PAGE_BYTES_MAX / 60_000)
    for (let count = 0; count < perPage + 1; count++) await store.annotate(origin, named('a'), set)
    const inMemory = await readAll(store)
    await store.close()
    const { store: reopened } = await openHarness({ pool })
    const inPool = await readAll(reopened)
    const ofObject = await readAll(reopened, { name: named('a') })
    for (const { pages } of [inMemory, inPool, ofObject]) expect(pages.length).toBe(2)
    expect(inPool.records).toEqual(inMemory.records)
    expect(ofObject.records).toEqual(inMemory.records.slice(1))
  })

  test('a page of an object is of so many records', async () => {
    const pool = memoryPool()
    const { store } = await openHarness({ pool })
    await putText(store, named('a'), 'one')
    for (let count = 0; count < PAGE_RECORDS_MAX; count++) await store.annotate(origin, named('a'), { 'user.n': count })
    await store.close()
    const { store: reopened } = await openHarness({ pool })
    const { pages } = await readAll(reopened, { name: named('a') })
    expect(pages.map(({ records }) => records.length)).toEqual([PAGE_RECORDS_MAX, 1])
  })

  test.each([
    ['records', { recentRecordsMax: 2 }],
    ['bytes', { recentBytesMax: 1000 }],
  ])(
    'of recent records so many %s are kept, and a slow follower reads the rest from the pool',
    async (_what, limits) => {
      const pool = memoryPool()
      const replays: number[] = []
      const replay = pool.replay.bind(pool)
      pool.replay = (from) => {
        replays.push(from)
        return replay(from)
      }
      const { store } = await openHarness({ pool, limits })
      const { next } = following(store)
      await next()
      const replaysBefore = replays.length
      for (let count = 0; count < 10; count++) await putText(store, named('a'), 'one')
      expect(sequences((await next()).records)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
      expect(replays.slice(replaysBefore)).toEqual([2])
      await putText(store, named('a'), 'two')
      expect(sequences((await next()).records)).toEqual([12])
      expect(replays).toHaveLength(replaysBefore + 1)
    },
  )
})

describe('an end', () => {
  test('comes with the signal, also for one who waits', async () => {
    const { store } = await openHarness()
    const { next, pages, end } = following(store)
    await next()
    const waiting = pages.next()
    await turns(2)
    end()
    expect(await waiting).toEqual({ done: true, value: undefined })
  })

  test('comes with the store', async () => {
    const { store } = await openHarness()
    const { next } = following(store)
    await next()
    const waiting = next()
    await Promise.all([expect(waiting).rejects.toMatchObject(refusal('ERR_HALTED')), store.close()])
  })
})

test('whatever is done, and however slow they are, all followers are told all of it in order', async () => {
  const key = fc.constantFrom('a', 'b', 'c')
  const step = fc.record({
    verb: fc.constantFrom('put', 'remove', 'rename', 'annotate', 'read', 'read', 'read'),
    key,
    to: key,
    follower: fc.nat(5),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), async (steps, kept) => {
      const { store, pool } = await openHarness({ limits: { recentRecordsMax: kept } })
      for (const key of ['a', 'b', 'c']) await putText(store, named(key), key)
      const followers = ['a', 'b', 'c', undefined, undefined, undefined].map((key) => {
        const { pages, end } = following(store, key === undefined ? {} : { name: named(key) })
        return { pages, end, object: key && `000000000000000${'abc'.indexOf(key) + 2}`, told: [] as ShownRecord[] }
      })
      const waiting = new Map<number, Promise<unknown>>()
      const read = (index: number): void => {
        if (waiting.has(index)) return
        const { pages, told } = followers[index]!
        const page = pages.next().then(({ done, value }) => {
          waiting.delete(index)
          if (!done) told.push(...value.records)
        })
        waiting.set(index, page)
      }
      for (const [index] of followers.entries()) {
        read(index)
        await waiting.get(index)
      }
      for (const { verb, key, to, follower } of steps) {
        if (verb === 'put') await putText(store, named(key), key)
        if (verb === 'remove') await store.remove(origin, named(key))
        if (verb === 'rename') await store.rename(origin, named(key), named(to)).catch(() => {})
        if (verb === 'annotate') await store.annotate(origin, named(key), { 'user.x': to }).catch(() => {})
        if (verb === 'read') read(follower)
      }
      const records = (await recordsOf(pool)).map(({ record }) => record)
      for (const [index, { end, object, told }] of followers.entries()) {
        const expected = records.filter((record) => object === undefined || ofObject(record, object))
        while (told.length < expected.length) {
          read(index)
          await waiting.get(index)
        }
        expect(told).toEqual(expected)
        end()
      }
    }),
    { numRuns: 200 },
  )
})

function ofObject(record: AttributeRecord, object: string): boolean {
  return 'object' in record && record.object === object
}
