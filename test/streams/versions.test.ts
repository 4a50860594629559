import { describe, expect, test } from 'vitest'
import type { BucketChange, OpenStore, StoreErrorCode } from '../../streams/index.ts'
import { PastFold } from '../../streams/versions/past.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  blockPool,
  gate,
  type Harness,
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

const DAY_MS = 86_400_000
const START = 1_700_000_000_000

async function open(change: BucketChange = { versioning: 'enabled' }, options = {}): Promise<Harness> {
  const harness = await openHarness({ catalog: await levelCatalog(), clock: { now: () => START }, ...options })
  await harness.store.versions.configure(origin, 'inbox', change)
  return harness
}

async function states(store: OpenStore, prefix = ''): Promise<string[]> {
  const { versions } = await store.versions.listVersions(origin, 'inbox', { prefix })
  return versions.map(({ key, state, sequence }) => `${key} ${state} ${sequence}`)
}

async function textOfVersion(store: OpenStore, key: string, version: string): Promise<string> {
  return textOf((await store.versions.readVersion(origin, { ...named(key), version })).body)
}

describe('where versions are kept', () => {
  test('a put over an object leaves the version before, a removal a marker, and its removal brings back the object', async () => {
    const { store } = await open()
    const first = await putText(store, named('a'), 'one')
    const second = await putText(store, named('a'), 'two')
    expect(second.object).toBe(first.object)
    expect(await textOfVersion(store, 'a', first.version)).toBe('one')
    await store.remove(origin, named('a'))
    expect((await store.list(origin, 'inbox')).objects).toEqual([])
    expect((await store.query(origin, 'object.key=a')).objects).toEqual([])
    expect(await states(store)).toEqual(['a marker 5', 'a noncurrent 4', 'a noncurrent 3'])
    expect(await store.versions.removeVersion(origin, named('a'), '0000000000000005')).toBe(true)
    expect(await readText(store, named('a'))).toBe('two')
    expect((await store.query(origin, 'object.key=a')).objects).toHaveLength(1)
    const stream = await store.stream(origin, named('a'))
    expect(stream.map(({ sequence }) => sequence)).toEqual([3, 4, 5, 6])
  })

  test('the current version that is removed gives way to the one before, with its attributes', async () => {
    const { store } = await open()
    const first = await putText(store, named('a'), 'one', { attributes: { 'user.n': 1 } })
    const second = await putText(store, named('a'), 'two', { attributes: { 'user.n': 2 } })
    await store.annotate(origin, named('a'), { 'user.n': 3 })
    expect(
      (await store.versions.statVersion(origin, { ...named('a'), version: first.version })).attributes,
    ).toMatchObject({ 'user.n': 1 })
    await store.versions.removeVersion(origin, named('a'), second.version)
    expect((await store.stat(origin, named('a'))).attributes).toMatchObject({ 'user.n': 1, 'object.size': 3 })
    expect((await store.query(origin, 'user.n=1')).objects).toHaveLength(1)
    await store.versions.removeVersion(origin, named('a'), first.version)
    await expect(store.stat(origin, named('a'))).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    expect(await states(store)).toEqual([])
  })

  test('a put after a removal begins another object; the marker stays while it has the name', async () => {
    const { store } = await open()
    const first = await putText(store, named('a'), 'one')
    await store.remove(origin, named('a'))
    const second = await putText(store, named('a'), 'two')
    expect(second.object).not.toBe(first.object)
    expect(await states(store)).toEqual(['a current 5', 'a marker 4', 'a noncurrent 3'])
    const removing = store.versions.removeVersion(origin, named('a'), '0000000000000004')
    await expect(removing).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    await store.rename(origin, named('a'), named('b'))
    await store.versions.removeVersion(origin, named('a'), '0000000000000004')
    expect([await readText(store, named('a')), await readText(store, named('b'))]).toEqual(['one', 'two'])
  })

  test('a rename takes the versions with it, and what had the name goes under a marker', async () => {
    const { store } = await open()
    const old = await putText(store, named('a'), 'one')
    await putText(store, named('a'), 'two')
    const replaced = await putText(store, named('b'), 'three')
    await store.rename(origin, named('a'), named('b'))
    expect(await states(store)).toEqual(['b current 4', 'b noncurrent 3', 'b marker 6', 'b noncurrent 5'])
    expect(await textOfVersion(store, 'b', old.version)).toBe('one')
    expect(await textOfVersion(store, 'b', replaced.version)).toBe('three')
    const gone = store.versions.statVersion(origin, { ...named('a'), version: old.version })
    await expect(gone).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    await store.createBucket(origin, 'plain')
    const moving = store.rename(origin, named('b'), named('b', 'plain'))
    await expect(moving).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    await store.versions.removeVersion(origin, named('b'), old.version)
    await store.rename(origin, named('b'), named('b', 'plain'))
    expect(await readText(store, named('b', 'plain'))).toBe('two')
  })

  test('suspended, a put replaces the version put while none were kept, and no other', async () => {
    const { store } = await open({ versioning: 'off' })
    await putText(store, named('a'), 'off')
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    await putText(store, named('a'), 'kept')
    expect(await states(store)).toEqual(['a current 4', 'a noncurrent 2'])
    await store.versions.configure(origin, 'inbox', { versioning: 'suspended' })
    await putText(store, named('a'), 'suspended')
    expect(await states(store)).toEqual(['a current 6', 'a noncurrent 4'])
    await putText(store, named('a'), 'again')
    expect(await states(store)).toEqual(['a current 7', 'a noncurrent 4'])
    await store.remove(origin, named('a'))
    expect(await states(store)).toEqual(['a marker 8', 'a noncurrent 4'])
    await putText(store, named('b'), 'b')
    await store.remove(origin, named('b'))
    expect(await states(store, 'b')).toEqual([])
  })

  test('settings go one way, and only with permission', async () => {
    const { store } = await open()
    const refused: [BucketChange, StoreErrorCode][] = [
      [{ versioning: 'off' }, 'ERR_CONFLICT'],
      [{ retention: { days: 0 } }, 'ERR_INVALID'],
      [{ retention: { days: 36_501 } }, 'ERR_INVALID'],
      [{ expiry: { currentDays: 1.5 } }, 'ERR_INVALID'],
    ]
    for (const [change, code] of refused)
      await expect(store.versions.configure(origin, 'inbox', change)).rejects.toMatchObject(refusal(code))
    const stranger = originOf(['object:read', 'object:write', 'bucket:create'])
    const changing = store.versions.configure(stranger, 'inbox', { versioning: 'suspended' })
    await expect(changing).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
    for (const act of [
      () => store.versions.retain(stranger, named('a'), START + DAY_MS),
      () => store.versions.hold(stranger, named('a'), true),
      () => store.versions.removeVersion(originOf(['object:read']), named('a'), '0000000000000003'),
      () => store.versions.listVersions(originOf(['object:write']), 'inbox'),
      () => store.versions.settings(originOf(['object:write']), 'inbox'),
    ])
      await expect(act()).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
    await store.versions.configure(origin, 'inbox', { retention: { days: 36_500 }, expiry: { noncurrentDays: 1 } })
    expect(await store.versions.settings(origin, 'inbox')).toEqual({
      versioning: 'enabled',
      retention: { days: 36_500 },
      expiry: { noncurrentDays: 1 },
    })
    await store.versions.configure(origin, 'inbox', { retention: null, expiry: null })
    expect(await store.versions.settings(origin, 'inbox')).toEqual({ versioning: 'enabled' })
  })

  test('a change that changes nothing is no record', async () => {
    const { store, pool } = await open()
    await putText(store, named('a'), 'one')
    const { sequence } = pool.position
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    await store.versions.hold(origin, named('a'), false)
    expect(pool.position.sequence).toBe(sequence)
    await store.versions.hold(origin, named('a'), true)
    await store.versions.hold(origin, named('a'), true)
    expect(pool.position.sequence).toBe(sequence + 1)
  })
})

describe('retention', () => {
  test('comes from the bucket at each put, and is in the record and the answer of queries', async () => {
    const { store, pool } = await open({ versioning: 'off', retention: { days: 2 } })
    await putText(store, named('a'), 'one')
    const until = new Date(START + 2 * DAY_MS).toISOString()
    expect((await store.stat(origin, named('a'))).attributes['retention.until']).toBe(until)
    expect((await recordsOf(pool)).at(-1)?.record).toMatchObject({ attributes: { 'retention.until': until } })
    expect((await store.query(origin, `retention.until=${until}`)).objects).toHaveLength(1)
    await expect(putText(store, named('a'), 'two')).rejects.toMatchObject(refusal('ERR_LOCKED'))
    expect(pool.status().stagedBytes).toBe(0)
  })

  test('is not for a client to declare', async () => {
    const { store } = await open()
    for (const name of ['retention.until', 'retention.hold']) {
      const declared = putText(store, named('a'), 'x', { attributes: { [name]: true } })
      await expect(declared).rejects.toMatchObject(refusal('ERR_INVALID'))
    }
    await putText(store, named('a'), 'x')
    await store.versions.hold(origin, named('a'), true)
    const unset = store.annotate(origin, named('a'), {}, ['retention.hold'])
    await expect(unset).rejects.toMatchObject(refusal('ERR_INVALID'))
  })

  test('of an older version keeps it, and keeps its object from another name', async () => {
    let now = START
    const { store } = await open({ versioning: 'enabled' }, { clock: { now: () => now } })
    const first = await putText(store, named('a'), 'one')
    await putText(store, named('a'), 'two')
    await store.versions.retain(origin, { ...named('a'), version: first.version }, START + DAY_MS)
    const act = [
      () => store.versions.removeVersion(origin, named('a'), first.version),
      () => store.rename(origin, named('a'), named('b')),
    ]
    for (const each of act) await expect(each()).rejects.toMatchObject(refusal('ERR_LOCKED'))
    now += DAY_MS
    await store.rename(origin, named('a'), named('b'))
    expect(await store.versions.removeVersion(origin, named('b'), first.version)).toBe(true)
  })

  test('of the version that a put in a suspended bucket would replace refuses that put, and a removal', async () => {
    const { store } = await open({ versioning: 'off' })
    const replaceable = await putText(store, named('a'), 'one')
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    await putText(store, named('a'), 'two')
    await store.versions.hold(origin, { ...named('a'), version: replaceable.version }, true)
    await store.versions.configure(origin, 'inbox', { versioning: 'suspended' })
    await expect(putText(store, named('a'), 'three')).rejects.toMatchObject(refusal('ERR_LOCKED'))
    await expect(store.remove(origin, named('a'))).rejects.toMatchObject(refusal('ERR_LOCKED'))
    expect(await textOfVersion(store, 'a', replaceable.version)).toBe('one')
    await store.versions.hold(origin, { ...named('a'), version: replaceable.version }, false)
    await putText(store, named('a'), 'three')
    expect((await states(store)).map((row) => row.split(' ')[1])).toEqual(['current', 'noncurrent'])
  })

  test('of an older version goes with it when it is the current one again, and keeps the name no longer than it', async () => {
    const { store } = await open()
    await putText(store, named('a'), 'one')
    await putText(store, named('a'), 'two')
    await store.versions.hold(origin, named('a'), true)
    const third = await putText(store, named('a'), 'three')
    await store.versions.removeVersion(origin, named('a'), third.version)
    const renaming = () => store.rename(origin, named('a'), named('b'))
    await expect(renaming()).rejects.toMatchObject(refusal('ERR_LOCKED'))
    await store.versions.hold(origin, named('a'), false)
    await renaming()
    expect(await readText(store, named('b'))).toBe('two')
  })

  test('is for a hundred years at the most, and not for what has passed', async () => {
    const { store } = await open()
    await putText(store, named('a'), 'one')
    for (const until of [START, START - 1, START + 36_501 * DAY_MS, Number.NaN])
      await expect(store.versions.retain(origin, named('a'), until)).rejects.toMatchObject(refusal('ERR_INVALID'))
    await store.versions.retain(origin, named('a'), START + 36_500 * DAY_MS)
  })
})

test('a verdict on the bytes of an older version, or one under a marker, is in its attributes and its stream', async () => {
  const { store, pool } = await open()
  const first = await putText(store, named('a'), 'one')
  await putText(store, named('a'), 'two')
  const verdict = { state: 'damaged', detail: 'bytes 0 to 2', time: '2026-11-24T10:00:00.000Z' } as const
  expect(await store.noteIntegrity(origin, { ...verdict, sequence: first.sequence })).toBe(true)
  expect(await store.noteIntegrity(origin, { ...verdict, sequence: first.sequence })).toBe(false)
  await store.remove(origin, named('a'))
  const repaired = { ...verdict, state: 'repaired' } as const
  expect(await store.noteIntegrity(origin, { ...repaired, sequence: first.sequence })).toBe(true)
  const { attributes } = await store.versions.statVersion(origin, { ...named('a'), version: first.version })
  expect(attributes['integrity.state']).toBe('repaired')
  expect((await recordsOf(pool)).filter(({ record }) => record.operation === 'attributes')).toMatchObject([
    { record: { object: first.object, version: first.sequence } },
    { record: { object: first.object, version: first.sequence } },
  ])
  await store.versions.removeVersion(origin, named('a'), '0000000000000006')
  expect((await store.stat(origin, named('a'))).attributes['integrity.state']).toBeUndefined()
})

test('once all is deleted, nothing of it takes room', { timeout: 30_000 }, async () => {
  const pool = await blockPool()
  const { store } = await open({ versioning: 'enabled' }, { pool })
  const start = pool.status()
  for (let round = 0; round < 12; round++) {
    for (const key of ['a', 'b', 'c']) {
      const text = 'x'.repeat(key === 'a' ? 10 : 300_000 + round)
      await putText(store, named(key), text)
      if (round % 4 === 3) await store.remove(origin, named(key))
      if (round === 6) await store.rename(origin, named(key), named(`${key}${key}`))
      if (round === 9) await store.versions.configure(origin, 'inbox', { versioning: 'suspended' })
    }
  }
  expect(pool.status().extentBytes).toBeGreaterThan(10 * 300_000)
  for (let listed = await store.versions.listVersions(origin, 'inbox'); listed.versions.length > 0; ) {
    for (const { bucket, key, version } of listed.versions)
      await store.versions.removeVersion(origin, { bucket, key }, version).catch(onlyConflicts)
    listed = await store.versions.listVersions(origin, 'inbox')
  }
  for (let checkpoint = 0; checkpoint < 20; checkpoint++) await pool.checkpoint()
  const end = pool.status()
  expect(end.extentBytes).toBe(0)
  expect(end.stagedBytes).toBe(0)
  expect(end.freeBytes + end.historyBytes).toBe(start.freeBytes + start.historyBytes)
  expect((await pool.check()).findings).toEqual([])
})

function onlyConflicts(error: unknown): void {
  expect(error).toMatchObject(refusal('ERR_CONFLICT'))
}

describe('what an object was', () => {
  async function story(): Promise<Harness> {
    let now = START
    const { store, pool, catalog } = await open({ versioning: 'enabled' }, { clock: { now: () => now++ } })
    await putText(store, named('a'), 'one', { attributes: { 'user.n': 1 } }) // 3
    await store.annotate(origin, named('a'), { 'user.n': 2 }) // 4
    await putText(store, named('a'), 'two') // 5
    await store.rename(origin, named('a'), named('b')) // 6
    await store.remove(origin, named('b')) // 7
    await store.versions.removeVersion(origin, named('b'), '0000000000000007') // 8
    await store.versions.removeVersion(origin, named('b'), '0000000000000005') // 9
    return { store, pool, catalog }
  }

  test('is told as of each of its records, and as of its time', async () => {
    const { store, pool } = await story()
    const seen = []
    for (let sequence = 3; sequence <= 9; sequence++) {
      const past = await store.versions.objectAt(origin, named('b'), { sequence })
      const { time } = (await recordsOf(pool))[sequence - 1]!.record
      expect(await store.versions.objectAt(origin, named('b'), { time })).toEqual(past)
      seen.push([past.sequence, past.key, past.version, past.readable, past.attributes['user.n']])
    }
    expect(seen).toEqual([
      [3, 'a', '0000000000000003', true, 1],
      [4, 'a', '0000000000000003', true, 2],
      [5, 'a', '0000000000000005', false, undefined],
      [6, 'b', '0000000000000005', false, undefined],
      [7, 'b', null, false, undefined],
      [8, 'b', '0000000000000005', false, undefined],
      [9, 'b', '0000000000000003', true, 2],
    ])
    const later = await store.versions.objectAt(origin, named('b'), { sequence: 1000 })
    expect(later.sequence).toBe(9)
    const before = store.versions.objectAt(origin, named('b'), { sequence: 2 })
    await expect(before).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  })

  test('is asked of the hidden object that was there then, when the one there now is younger', async () => {
    const { store } = await open()
    await putText(store, named('a'), 'one') // 3
    await store.remove(origin, named('a')) // 4
    await putText(store, named('a'), 'two') // 5
    const at = (sequence: number) => store.versions.objectAt(origin, named('a'), { sequence })
    expect(await at(3)).toMatchObject({ version: '0000000000000003', readable: true })
    expect(await at(4)).toMatchObject({ version: null })
    expect(await at(5)).toMatchObject({ version: '0000000000000005' })
  })

  test('is bounded as its stream is', async () => {
    const { store } = await open({ versioning: 'enabled' }, { limits: { streamRecordsMax: 2 } })
    for (const text of ['one', 'two', 'three']) await putText(store, named('a'), text)
    const asking = store.versions.objectAt(origin, named('a'), { sequence: 3 })
    await expect(asking).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
  })

  test('ends as what it is', async () => {
    const { store, pool } = await story()
    const fold = new PastFold()
    for (const { record } of await recordsOf(pool)) fold.take(record)
    const { sequence, attributes } = await store.stat(origin, named('b'))
    expect(fold.past).toMatchObject({ version: sequence, attributes })
  })
})

test('a page of versions ends where it is told to, within an object, too', async () => {
  const { store } = await open()
  for (let index = 0; index < 7; index++) await putText(store, named('a'), `${index}`)
  await store.remove(origin, named('a'))
  for (const key of ['a', 'a/b', 'b']) await putText(store, named(key), key)
  const whole = (await store.versions.listVersions(origin, 'inbox')).versions
  expect(whole).toHaveLength(11)
  for (const limit of [1, 2, 5]) {
    const rows = []
    let cursor: string | undefined
    do {
      const page = await store.versions.listVersions(origin, 'inbox', {
        limit,
        ...(cursor !== undefined && { cursor }),
      })
      expect(page.versions.length).toBeLessThanOrEqual(limit)
      rows.push(...page.versions)
      cursor = page.next
    } while (cursor !== undefined)
    expect(rows).toEqual(whole)
  }
  const prefixed = await store.versions.listVersions(origin, 'inbox', { prefix: 'a/' })
  expect(prefixed.versions.map(({ key }) => key)).toEqual(['a/b'])
  await expect(store.versions.listVersions(origin, 'inbox', { limit: 0 })).rejects.toMatchObject(refusal('ERR_INVALID'))
})

test('listings and queries read no more for what is kept besides', async () => {
  let count = 0
  const { openCatalog } = await import('../../streams/index.ts')
  const { newDirectory } = await import('./catalog-support.ts')
  const catalog = await openCatalog({ directory: await newDirectory(), onRead: (entries) => (count += entries) })
  const { store } = await open({ versioning: 'enabled' }, { catalog })
  for (const key of ['a', 'b']) await putText(store, named(key), key)
  const reads = async () => {
    count = 0
    await store.list(origin, 'inbox')
    await store.query(origin, 'object.size>=0')
    return count
  }
  const before = await reads()
  for (let round = 0; round < 50; round++) {
    await putText(store, named('a'), 'again')
    await putText(store, named(`x${round}`), 'x')
    await store.remove(origin, named(`x${round}`))
  }
  expect(await reads()).toBe(before)
  await catalog.close()
})

test('a version being removed waits for a put under the same name, and the next put for it', async () => {
  const held = gate()
  let flush = async () => {}
  const pool = memoryPool({ flush: () => flush() })
  const { store } = await open({ versioning: 'enabled' }, { pool, catalog: new MemoryCatalog() })
  const first = await putText(store, named('a'), 'one')
  flush = () => held.opened
  const doing: Promise<unknown>[] = [putText(store, named('a'), 'two')]
  await turns(5)
  doing.push(store.versions.removeVersion(origin, named('a'), first.version))
  await turns(5)
  doing.push(putText(store, named('a'), 'three'), putText(store, named('b'), 'free'))
  await turns(5)
  held.open()
  await Promise.all(doing)
  const records = (await recordsOf(pool)).slice(3).map(({ record }) => record)
  const told = records.map((record) => [record.operation, 'key' in record && record.key])
  expect(told.filter(([, key]) => key === 'a')).toEqual([
    ['put', 'a'],
    ['delete', 'a'],
    ['put', 'a'],
  ])
  expect(told.findIndex(([, key]) => key === 'b')).toBeLessThan(told.findIndex(([verb]) => verb === 'delete'))
  expect(await states(store, 'a')).toEqual(['a current 7', 'a noncurrent 4'])
})
