import { describe, expect, test } from 'vitest'
import type { Drafting, Pool } from '../../pool/index.ts'
import { openVolumes, PoolError } from '../../pool/index.ts'
import type { CatchUpProgress } from '../../streams/index.ts'
import { assertChains } from '../support/chains.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import {
  blockPool,
  levelCatalog,
  named,
  openHarness,
  origin,
  putText,
  readText,
  recordsOf,
  temporaryDirectory,
} from '../support/store-harness.ts'
import { BLOCK, extent, filled, noTimers } from '../support/volume-model.ts'

const SIZE = 64 * BLOCK

const volumesOf = (pool: Pool) => openVolumes(pool, { timers: noTimers, saveRecordsMax: 10 })

/**
 * Keeps commits until there are so many, and lets them go in one turn, one of the first half, one of the second, and so
 * on. Of these, the pool refuses some after they were drafted.
 */
function interleave(pool: Pool, count: number, refused: readonly number[]): void {
  const kept: (() => void)[] = []
  let drafts = 0
  const begin = pool.begin.bind(pool)
  const release = () => {
    const half = count / 2
    for (let i = 0; i < half; i++) for (const commit of [kept[i], kept[half + i]]) commit!()
  }
  pool.begin = () => {
    const transaction = begin()
    const commit = transaction.commit.bind(transaction)
    const placed = (drafting: Drafting) =>
      commit((first) => {
        const draft = drafting(first)
        if (!refused.includes(drafts++)) return draft
        draft.refused?.()
        throw new PoolError('ERR_LIMITS', 'refused after all')
      })
    transaction.commit = (drafting) =>
      new Promise((resolve, reject) => {
        kept.push(() => placed(drafting).then(resolve, reject))
        if (kept.length === count) release()
      })
    return transaction
  }
}

describe('a store and a volume in one pool', () => {
  test('live side by side, in one batch and after each other', async () => {
    const pool = await blockPool()
    const volumes = await volumesOf(pool)
    const volume = await volumes.create('a', SIZE)
    const { store, catalog } = await openHarness({ pool, catalog: await levelCatalog() })
    for (let round = 0; round < 8; round++) {
      const puts = ['x', 'y', 'z'].map((key) => putText(store, named(key), `${key}${round}`))
      const writes = [0, 20, 40].map((block) => volume.write([extent(block, 1 + round, round), extent(63, 1, 0)]))
      await Promise.all([...puts, ...writes])
      // The last record of the pool may be the volume's, and nobody waits for the catalog to fold it.
      await volume.write([extent(62, 1, round)])
      for (const key of ['x', 'y', 'z']) expect(await readText(store, named(key))).toBe(`${key}${round}`)
      expect((await volume.read(20 * BLOCK, BLOCK)).equals(filled(1, round))).toBe(true)
    }
    expect(store.status.sequence).toBeLessThan(pool.position.sequence)
    expect(catalog.position.sequence).toBe(store.status.sequence)
    const { objects } = await store.query(origin, 'object.size:2', {})
    expect(objects.map(({ key }) => key).sort()).toEqual(['x', 'y', 'z'])
    expect(await store.stream(origin, named('x'))).toHaveLength(8)
    await assertChains(pool)
    expect((await pool.check()).findings).toEqual([])
  })

  test('the catalog is folded anew, and goes on from where it was, past the records of volumes', async () => {
    const pool = await blockPool()
    const volumes = await volumesOf(pool)
    const volume = await volumes.create('a', SIZE)
    const directory = await temporaryDirectory()
    const first = await levelCatalog(directory)
    const { store } = await openHarness({ pool, catalog: first })
    const work = async (round: number) => {
      await putText(store, named(`k${round}`), 'text')
      await volume.write([extent(round, 1, round)])
    }
    for (let round = 0; round < 20; round++) await work(round)
    await store.close()
    await first.close()
    for (let round = 20; round < 40; round++) await volume.write([extent(round, 1, round)])
    const seen: CatchUpProgress[] = []
    const onProgress = (progress: CatchUpProgress) => seen.push(progress)
    const again = await openHarness({ pool, catalog: await levelCatalog(directory), onProgress })
    expect(again.store.status.sequence).toBeLessThan(pool.position.sequence)
    expect(seen.at(-1)).toEqual({ records: pool.position.sequence, recordsTotal: pool.position.sequence })
    await putText(again.store, named('k0'), 'later')
    const anew = await openHarness({ pool, catalog: new MemoryCatalog() })
    for (const opened of [again, anew]) {
      expect((await opened.store.list(origin, 'inbox')).objects).toHaveLength(20)
      expect(await readText(opened.store, named('k0'))).toBe('later')
    }
    await assertChains(pool)
    expect((await recordsOf(pool)).length).toBe(22)
  })

  test('what the pool refuses of one is not part of what the other drafts next, in the same batch', async () => {
    const pool = await blockPool()
    const volumes = await volumesOf(pool)
    const volume = await volumes.create('a', SIZE)
    const { store } = await openHarness({ pool })
    await putText(store, named('a'), 'one')
    await volume.write([extent(0, 16, 1)])
    interleave(pool, 6, [0, 3])
    const [writes, puts] = await Promise.all([
      Promise.allSettled([2, 3, 4].map((byte) => volume.write([extent(byte === 4 ? 4 : 3, 1, byte)]))),
      Promise.allSettled(['two', 'three', 'four'].map((text) => putText(store, named('a'), text))),
    ])
    expect(writes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(puts.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await readText(store, named('a'))).toBe('four')
    expect(
      (await volume.read(2 * BLOCK, 3 * BLOCK)).equals(Buffer.concat([filled(1, 1), filled(1, 3), filled(1, 4)])),
    ).toBe(true)
    await assertChains(pool)
    const stored = volumes.list()[0]!.storedBytes
    expect(await pool.check()).toMatchObject({ findings: [], payloadBytes: stored + 4 })
  })

  test('a record that is neither is damage still', async () => {
    const pool = await blockPool()
    await pool
      .begin()
      .commit(() => ({ records: [{ content: Buffer.from('what is this'), payloads: [] }], releases: [] }))
    await expect(openHarness({ pool })).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
  })
})
