import { describe, expect, test } from 'vitest'
import { type BucketChange, type ObjectVersion, type OpenStore, type Origin, openStore } from '../../streams/index.ts'
import { dueOf } from '../../streams/versions/expiry.ts'
import {
  type Harness,
  type HarnessOptions,
  levelCatalog,
  named,
  openHarness,
  origin,
  putText,
  readText,
  recordsOf,
} from '../support/store-harness.ts'

const DAY_MS = 86_400_000
const START = 1_700_000_000_000

const server: Origin = {
  principal: { application: 'cenote', partition: 'main', permissions: ['object:write'] },
  protocol: 'http',
}

interface World extends Harness {
  readonly clock: { time: number }
}

async function open(change: BucketChange, options: HarnessOptions = {}): Promise<World> {
  const clock = { time: START }
  const now = { now: () => clock.time }
  const harness = await openHarness({ catalog: await levelCatalog(), clock: now, ...options })
  await harness.store.versions.configure(origin, 'inbox', change)
  return { ...harness, clock }
}

async function expire(store: OpenStore): Promise<number> {
  let rounds = 1
  while (await store.expire(server)) rounds += 1
  return rounds
}

describe('what has expired', () => {
  test('is removed by the server, with its reason in the record; what is not due stays', async () => {
    const { store, pool, clock } = await open({ expiry: { currentDays: 2 } })
    await putText(store, named('old'), 'old')
    clock.time += DAY_MS
    await putText(store, named('new'), 'new')
    clock.time += DAY_MS
    await expire(store)
    expect((await store.list(origin, 'inbox')).objects.map(({ key }) => key)).toEqual(['new'])
    const { record } = (await recordsOf(pool)).at(-1)!
    expect(record).toMatchObject({
      operation: 'delete',
      key: 'old',
      application: 'cenote',
      reason: 'expired: 2 days after it was put',
    })
    expect(record).not.toHaveProperty('peer')
    expect(store.status.expired).toEqual({ objects: 1, versions: 0, markers: 0 })
  })

  test('goes under a marker where versions are kept, then for good, and the marker last', async () => {
    const { store, pool, clock } = await open({
      versioning: 'enabled',
      expiry: { currentDays: 1, noncurrentDays: 2 },
    })
    await putText(store, named('a'), 'one')
    clock.time += DAY_MS
    await expire(store)
    const states = async () => (await store.versions.listVersions(origin, 'inbox')).versions.map(({ state }) => state)
    expect(await states()).toEqual(['marker', 'noncurrent'])
    clock.time += 2 * DAY_MS - 1
    await expire(store)
    expect(await states()).toEqual(['marker', 'noncurrent'])
    clock.time += 1
    await expire(store)
    await expire(store)
    expect(await states()).toEqual([])
    expect(store.status.expired).toEqual({ objects: 1, versions: 1, markers: 1 })
    const reasons = (await recordsOf(pool)).flatMap(({ record }) => ('reason' in record ? [record.reason] : []))
    expect(reasons).toEqual([
      'expired: 1 days after it was put',
      'expired: 2 days after it was replaced or removed',
      'expired: a delete marker that hides nothing',
    ])
    expect(pool.status().extentBytes).toBe(0)
  })

  test('stays while it is retained or held', async () => {
    const { store, clock } = await open({ versioning: 'enabled', expiry: { currentDays: 1, noncurrentDays: 1 } })
    const held = await putText(store, named('held'), 'one')
    await putText(store, named('held'), 'two')
    await putText(store, named('retained'), 'three')
    await store.versions.hold(origin, { ...named('held'), version: held.version }, true)
    await store.versions.hold(origin, named('held'), true)
    await store.versions.retain(origin, named('retained'), START + 3 * DAY_MS)
    clock.time += 2 * DAY_MS
    await expire(store)
    expect(store.status.expired).toEqual({ objects: 0, versions: 0, markers: 0 })
    clock.time += DAY_MS
    await expire(store)
    expect(store.status.expired).toEqual({ objects: 1, versions: 0, markers: 0 })
    expect(await readText(store, named('held'))).toBe('two')
  })

  test('is looked for a bounded number at a time, through every bucket that has an expiry', async () => {
    const { store, clock } = await open({ expiry: { currentDays: 1 } }, { limits: { expiryLookMax: 4 } })
    for (const bucket of ['other', 'zoo']) await store.createBucket(origin, bucket)
    await store.versions.configure(origin, 'zoo', { expiry: { currentDays: 1 } })
    for (let index = 0; index < 10; index++) {
      for (const bucket of ['inbox', 'other', 'zoo']) await putText(store, named(`${index}`, bucket), 'x')
    }
    clock.time += DAY_MS
    const { objects } = await store.list(origin, 'inbox')
    expect(objects).toHaveLength(10)
    expect(await store.expire(server)).toBe(true)
    expect((await store.list(origin, 'inbox')).objects).toHaveLength(6)
    expect(await expire(store)).toBe(5)
    expect((await store.list(origin, 'inbox')).objects).toEqual([])
    expect((await store.list(origin, 'zoo')).objects).toEqual([])
    expect((await store.list(origin, 'other')).objects).toHaveLength(10)
    expect(store.status.expired.objects).toBe(20)
  })

  test('is gone on with after a restart, and nothing is removed twice', async () => {
    const { store, pool, catalog, clock } = await open({ expiry: { currentDays: 1 } }, { limits: { expiryLookMax: 3 } })
    for (let index = 0; index < 8; index++) await putText(store, named(`${index}`), 'x')
    clock.time += DAY_MS
    await store.expire(server)
    await store.close()
    await catalog.settled(pool.position.sequence)
    const now = { now: () => clock.time }
    const again = await openStore({ pool, catalog, partition: 'main', stages: () => [], clock: now })
    await expire(again)
    const deleted = (await recordsOf(pool)).filter(({ record }) => record.operation === 'delete')
    expect(new Set(deleted.map(({ record }) => 'key' in record && record.key)).size).toBe(8)
    expect(deleted).toHaveLength(8)
    expect(again.status.expired.objects).toBe(5)
  })

  test('is left alone when it was replaced, or locked, after it was found to be due', async () => {
    const { store, catalog, clock } = await open({ expiry: { currentDays: 1 } })
    for (const key of ['locked', 'replaced']) await putText(store, named(key), key)
    clock.time += DAY_MS
    const list = catalog.versions.bind(catalog)
    catalog.versions = async (...asked) => {
      const listing = await list(...asked)
      await store.versions.hold(origin, named('locked'), true)
      await putText(store, named('replaced'), 'again')
      return listing
    }
    await expire(store)
    expect(store.status.expired.objects).toBe(0)
    expect(await readText(store, named('replaced'))).toBe('again')
    expect(await readText(store, named('locked'))).toBe('locked')
  })

  test('is left alone when it became current again after it was found to be due', async () => {
    const { store, catalog, clock } = await open({ versioning: 'enabled', expiry: { noncurrentDays: 1 } })
    for (const key of ['back', 'back and replaced']) {
      await putText(store, named(key), key)
      await store.remove(origin, named(key))
    }
    clock.time += DAY_MS
    const list = catalog.versions.bind(catalog)
    catalog.versions = async (...asked) => {
      const listing = await list(...asked)
      for (const { state, key, version } of listing.versions)
        if (state === 'marker') await store.versions.removeVersion(origin, named(key), version)
      await putText(store, named('back and replaced'), 'again')
      return listing
    }
    await expire(store)
    catalog.versions = list
    expect(store.status.expired).toEqual({ objects: 0, versions: 0, markers: 0 })
    expect(await readText(store, named('back'))).toBe('back')
    const { versions } = await store.versions.listVersions(origin, 'inbox', { prefix: 'back and' })
    expect(versions.map(({ state }) => state)).toEqual(['current', 'noncurrent'])
  })

  test('is left alone when its bucket expires it no more', async () => {
    const { store, catalog, clock } = await open({ expiry: { currentDays: 1 } })
    await putText(store, named('a'), 'kept')
    clock.time += DAY_MS
    const list = catalog.versions.bind(catalog)
    catalog.versions = async (...asked) => {
      const listing = await list(...asked)
      await store.versions.configure(origin, 'inbox', { expiry: null })
      return listing
    }
    await expire(store)
    expect(await readText(store, named('a'))).toBe('kept')
  })

  test('is nothing where no bucket has an expiry', async () => {
    const { store, pool } = await open({ versioning: 'enabled' })
    await putText(store, named('a'), 'one')
    const { sequence } = pool.position
    expect(await store.expire(server)).toBe(false)
    expect(pool.position.sequence).toBe(sequence)
  })
})

test.each<[string, Partial<ObjectVersion>, object, boolean]>([
  ['of its last moment', { state: 'current', time: 1 }, { currentDays: 1 }, false],
  ['of its end', { state: 'current', time: 0 }, { currentDays: 1 }, true],
  ['of another kind', { state: 'current', time: 0 }, { noncurrentDays: 1 }, false],
  ['replaced long ago', { state: 'noncurrent', time: 0, since: 0 }, { noncurrentDays: 1 }, true],
  ['put long ago and replaced now', { state: 'noncurrent', time: 0, since: 1 }, { noncurrentDays: 1 }, false],
  ['a marker that hides something', { state: 'marker', hides: 1, time: 0 }, { noncurrentDays: 1 }, false],
  ['a marker that hides nothing', { state: 'marker', hides: 0, time: DAY_MS }, { currentDays: 9 }, true],
])('a version %s is due, or not', (_what, version, expiry, isDue) => {
  const whole = { attributes: {}, ...version } as ObjectVersion
  expect(dueOf(whole, { versioning: 'enabled', expiry }, DAY_MS) !== undefined).toBe(isDue)
  expect(dueOf(whole, { versioning: 'enabled' }, DAY_MS)).toBeUndefined()
})
