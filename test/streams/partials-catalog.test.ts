import { describe, expect, test } from 'vitest'
import type { Catalog, PartialUpload } from '../../streams/index.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  by,
  bytes,
  cutOff,
  envelope,
  expectSound,
  name,
  openPartials,
  origin,
  STEP,
} from '../support/partial-uploads.ts'
import { levelCatalog, named, refusal, textOf } from '../support/store-harness.ts'

test('nobody else is told of it', async () => {
  const harness = await openPartials({ catalog: await levelCatalog() })
  const { store } = harness
  await cutOff(store, bytes(3 * STEP))
  await store.partials.drop(origin, 'tester', name)
  await cutOff(store, bytes(3 * STEP))
  expect((await store.list(origin, 'inbox')).objects).toEqual([])
  expect((await store.query(origin, 'object.key:*')).objects).toEqual([])
  await expect(store.stream(origin, name)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  for await (const { records } of store.tail(origin, { after: 0, signal: new AbortController().signal })) {
    expect(records.map(({ operation }) => operation)).toEqual(['bucket'])
    break
  }
  await expectSound(harness)
})

describe.each<[string, () => Promise<Catalog>]>([
  ['memory', async () => new MemoryCatalog()],
  ['level', () => levelCatalog()],
])('in a catalog on %s', (_, openCatalog) => {
  test('partial uploads are what their records make them, also when it is made anew', async () => {
    const pool = memoryPool()
    const { store, catalog } = await openPartials({ pool, catalog: await openCatalog() })
    await cutOff(store, Buffer.from('a'), named('a'))
    await cutOff(store, Buffer.from('b'), named('b'), by('other'))
    await cutOff(store, Buffer.from('gone'), named('gone'))
    await cutOff(store, Buffer.from('whole'), named('whole'))
    await (await store.partials.resume(envelope(named('whole')))).commit()
    await store.partials.drop(origin, 'tester', named('gone'))
    await store.close()
    await catalog.settled(pool.position.sequence)
    const told = [...(await catalog.partials())].sort((one: PartialUpload, other) => one.prepared - other.prepared)
    expect(told).toMatchObject([
      { application: 'tester', key: 'a', size: 1 },
      { application: 'other', key: 'b', size: 1 },
    ])
    const again = await openPartials({ pool, catalog: await openCatalog() })
    expect(await again.store.partials.list(origin)).toEqual(told)
    expect(await textOf((await again.store.read(origin, named('whole'))).body)).toBe('whole')
  })
})
