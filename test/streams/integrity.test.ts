import { describe, expect, test } from 'vitest'
import type { IntegrityVerdict } from '../../streams/index.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { blockPool, levelCatalog, named, openHarness, origin, putText, recordsOf } from '../support/store-harness.ts'

const verdict = (sequence: number, state: IntegrityVerdict['state'] = 'damaged'): IntegrityVerdict => ({
  sequence,
  state,
  detail: `bytes 0 to 65536 are ${state}`,
  time: '2026-11-24T10:00:00.000Z',
})

describe.each([
  ['its pool in memory', async () => memoryPool(), () => levelCatalog()],
  ['its pool on blocks', () => blockPool(), () => levelCatalog()],
])('a verdict on the bytes of a version, with %s', (_what, openPool, openCatalog) => {
  const open = async () => openHarness({ catalog: await openCatalog(), pool: await openPool() })

  test("is in the object's stream and attributes, and found by a query", async () => {
    const { store } = await open()
    const { sequence } = await putText(store, named('a'), 'hello')
    await putText(store, named('b'), 'hello')
    expect(await store.noteIntegrity(origin, verdict(sequence))).toBe(true)
    expect((await store.stat(origin, named('a'))).attributes).toMatchObject({
      'integrity.state': 'damaged',
      'integrity.detail': 'bytes 0 to 65536 are damaged',
      'integrity.time': '2026-11-24T10:00:00.000Z',
    })
    const stream = await store.stream(origin, named('a'))
    expect(stream.map(({ operation }) => operation)).toEqual(['put', 'attributes'])
    const found = await store.query(origin, 'integrity.state:damaged')
    expect(found.objects.map(({ key }) => key)).toEqual(['a'])
  })

  test('is said once, and again when it changes', async () => {
    const { store, pool } = await open()
    const { sequence } = await putText(store, named('a'), 'hello')
    expect(await store.noteIntegrity(origin, verdict(sequence))).toBe(true)
    const { length } = await recordsOf(pool)
    expect(await store.noteIntegrity(origin, { ...verdict(sequence), time: '2026-12-01T10:00:00.000Z' })).toBe(false)
    expect((await recordsOf(pool)).length).toBe(length)
    expect(await store.noteIntegrity(origin, verdict(sequence, 'repaired'))).toBe(true)
    expect((await store.query(origin, 'integrity.state:damaged')).objects).toEqual([])
  })

  test('follows a version to its new name, and is not said of one that was replaced or removed', async () => {
    const { store, pool } = await open()
    const renamed = await putText(store, named('a'), 'hello')
    await store.rename(origin, named('a'), named('c'))
    expect(await store.noteIntegrity(origin, verdict(renamed.sequence))).toBe(true)
    expect((await store.stat(origin, named('c'))).attributes['integrity.state']).toBe('damaged')
    const replaced = await putText(store, named('b'), 'hello')
    const after = await putText(store, named('b'), 'world')
    const removed = await putText(store, named('d'), 'hello')
    await store.remove(origin, named('d'))
    const { length } = await recordsOf(pool)
    for (const { sequence } of [replaced, removed])
      expect(await store.noteIntegrity(origin, verdict(sequence))).toBe(false)
    expect(await store.noteIntegrity(origin, verdict(1))).toBe(false) // The record of the bucket.
    expect((await recordsOf(pool)).length).toBe(length)
    expect((await store.stat(origin, named('b'))).attributes['integrity.state']).toBeUndefined()
    await store.noteIntegrity(origin, verdict(after.sequence))
    await putText(store, named('b'), 'whole again')
    expect((await store.query(origin, 'integrity.state:damaged')).objects.map(({ key }) => key)).toEqual(['c'])
  })

  test('says nothing of a version that is replaced while it is looked up', async () => {
    const { store } = await open()
    const { sequence } = await putText(store, named('a'), 'hello')
    const [said] = await Promise.all([
      store.noteIntegrity(origin, verdict(sequence)),
      putText(store, named('a'), 'world'),
      store.rename(origin, named('a'), named('b')),
    ])
    const { attributes, sequence: now } = await store.stat(origin, named('b'))
    expect(attributes['integrity.state']).toBe(said && now === sequence ? 'damaged' : undefined)
  })
})
