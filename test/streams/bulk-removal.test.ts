import { describe, expect, test } from 'vitest'
import type { ObjectVersion, OpenStore } from '../../streams/index.ts'
import { CopiedPool, verifyPool } from '../support/custody-harness.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { levelCatalog, named, openHarness, origin, originOf, putText, refusal } from '../support/store-harness.ts'

async function open() {
  const pool = memoryPool()
  const { store } = await openHarness({ pool, catalog: await levelCatalog() })
  await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
  return { store, pool }
}

async function listed(store: OpenStore): Promise<readonly ObjectVersion[]> {
  return (await store.versions.listVersions(origin, 'inbox', { limit: 1000 })).versions
}

const keys = (versions: readonly ObjectVersion[]) => versions.map(({ key, version }) => ({ key, version }))

describe('many versions', () => {
  test('go in one call, those of a name in one transaction, and each is told of', async () => {
    const { store, pool } = await open()
    const versions: string[] = []
    for (const text of ['one', 'two', 'three']) versions.push((await putText(store, named('a'), text)).version)
    await putText(store, named('b'), 'x')
    const before = pool.status().commits
    const asked = [
      { key: 'a', version: versions[2]! },
      { key: 'nobody', version: versions[1]! },
      { key: 'a', version: versions[0]! },
      { key: 'a', version: '0000000000009999' },
      { key: 'b' },
      { key: 'c' },
    ]
    const removals = await store.versions.removeVersions(origin, 'inbox', asked)
    expect(removals.map(({ outcome }) => outcome)).toEqual([
      'removed',
      'missing',
      'removed',
      'missing',
      'removed',
      'missing',
    ])
    expect(removals.map(({ key, version }) => ({ key, ...(version && { version }) }))).toEqual(asked)
    expect(pool.status().commits).toBe(before + 2)
    expect((await listed(store)).map(({ key, state }) => `${key} ${state}`)).toEqual([
      'a current',
      'b marker',
      'b noncurrent',
    ])
    expect((await store.stat(origin, named('a'))).version).toBe(versions[1])
  })

  test('that are locked stay, and the rest goes', async () => {
    const { store } = await open()
    const versions: string[] = []
    for (const text of ['one', 'two', 'three']) versions.push((await putText(store, named('a'), text)).version)
    await store.versions.hold(origin, { ...named('a'), version: versions[1] }, true)
    const asked = versions.map((version) => ({ key: 'a', version }))
    const removals = await store.versions.removeVersions(origin, 'inbox', asked)
    expect(removals.map(({ outcome }) => outcome)).toEqual(['removed', 'refused', 'removed'])
    expect(removals[1]!.error).toMatchObject(refusal('ERR_LOCKED'))
    expect(await store.stat(origin, named('a'))).toMatchObject({ version: versions[1], size: 3 })
    await store.remove(origin, named('a'))
    await putText(store, named('a'), 'another object')
    const marker = (await listed(store)).find(({ state }) => state === 'marker')!
    const [refused] = await store.versions.removeVersions(origin, 'inbox', keys([marker]))
    expect(refused!.error).toMatchObject(refusal('ERR_CONFLICT'))
  })

  test('need object:write, ids that are some, and no more of them than may be', async () => {
    const { store } = await open()
    const ask = (count: number, version = '0000000000000004', by = origin) =>
      store.versions.removeVersions(
        by,
        'inbox',
        Array.from({ length: count }, () => ({ key: 'a', version })),
      )
    await expect(ask(1, undefined, originOf(['object:read']))).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
    await expect(ask(1, '4')).rejects.toMatchObject(refusal('ERR_INVALID'))
    await expect(ask(1001)).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
    expect(await ask(1000)).toHaveLength(1000)
  })
})

const SEED = seedOf(1)
const ROUNDS = 12

/** A history of two names, and which of their versions are asked for. */
async function history(store: OpenStore, seed: number): Promise<readonly ObjectVersion[]> {
  const random = seededRandom(seed)
  for (let step = 0; step < 14; step++) {
    const name = named(random.pick(['a', 'b']))
    const chance = random.below(10)
    if (chance < 6) await putText(store, name, `${step}`.repeat(1 + random.below(3)))
    else if (chance < 8) await store.remove(origin, name)
    else await store.versions.configure(origin, 'inbox', { versioning: random.pick(['enabled', 'suspended']) })
  }
  const all = await listed(store)
  const held = all.filter(({ state }) => state !== 'marker' && random.below(5) === 0)
  for (const { key, version } of held) await store.versions.hold(origin, { ...named(key), version }, true)
  return all.filter(() => random.below(3) > 0)
}

/** What is kept, without what differs because other records lie between. */
const kept = (versions: readonly ObjectVersion[]) =>
  versions.map(({ key, state, object, version }) => [key, state, object, version])

test(`what is left is the same as after one removal after the other, oldest first (seed ${SEED})`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const [one, other] = [await open(), await open()]
    const asked = await history(one.store, SEED * 1000 + round)
    await history(other.store, SEED * 1000 + round)
    const removals = await one.store.versions.removeVersions(origin, 'inbox', keys(asked))
    const outcomes = new Map<string, string>()
    for (const { key, version } of asked.toSorted((left, right) => left.sequence - right.sequence)) {
      const outcome = await other.store.versions.removeVersion(origin, named(key), version).then(
        (isRemoved) => (isRemoved ? 'removed' : 'missing'),
        () => 'refused',
      )
      outcomes.set(version, outcome)
    }
    expect(removals.map(({ outcome }) => outcome)).toEqual(asked.map(({ version }) => outcomes.get(version)))
    expect(kept(await listed(one.store)), `round ${round}`).toEqual(kept(await listed(other.store)))
    const payloads = async (pool: Parameters<typeof CopiedPool.of>[0]) => [
      ...(await CopiedPool.of(pool)).payloads.keys(),
    ]
    expect(await payloads(one.pool)).toEqual(await payloads(other.pool))
    // What the catalog made of it is what drafts go on from, and what the stream says.
    await one.store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    for (const key of ['a', 'b']) await putText(one.store, named(key), 'after')
    expect((await verifyPool(await CopiedPool.of(one.pool))).findings).toEqual([])
    const again = await openHarness({ pool: one.pool })
    expect(kept(await listed(again.store))).toEqual(kept(await listed(one.store)))
  }
})
