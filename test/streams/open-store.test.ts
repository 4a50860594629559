import { rm } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import type { Pool, Sequence } from '../../pool/index.ts'
import { type CatchUpProgress, openCatalog } from '../../streams/index.ts'
import { assertChains } from '../support/chains.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  named,
  openHarness,
  origin,
  putText,
  readText,
  recordsOf,
  refusal,
  temporaryDirectory,
} from '../support/store-harness.ts'

/** A pool that holds `inbox`, two versions of `a`, and `b`; and how many records replay() gave, from where. */
async function filledPool() {
  const pool = memoryPool()
  const { store } = await openHarness({ pool })
  for (const [key, text] of [
    ['a', 'one'],
    ['a', 'two'],
    ['b', 'three'],
  ] as const)
    await putText(store, named(key), text)
  await store.close()
  const replays: { from: Sequence; records: number }[] = []
  const { replay } = pool
  pool.replay = async function* (from) {
    const seen = { from, records: 0 }
    replays.push(seen)
    for await (const record of replay.call(pool, from)) {
      seen.records += 1
      yield record
    }
  }
  return { pool, replays }
}

async function catalogOf(pool: Pool): Promise<MemoryCatalog> {
  const catalog = new MemoryCatalog()
  await openHarness({ pool, catalog })
  return catalog
}

describe('opening a store', () => {
  test('folds all that the pool holds into a catalog that is new, and says how far it is', async () => {
    const { pool, replays } = await filledPool()
    const progress: CatchUpProgress[] = []
    const { store } = await openHarness({ pool, onProgress: (step) => progress.push(step) })
    expect(replays).toEqual([{ from: 1, records: 4 }])
    expect(progress).toEqual([{ records: 4, recordsTotal: 4 }])
    expect(await readText(store, named('a'))).toBe('two')
    expect(await store.buckets(origin)).toEqual(['inbox'])
  })

  test('goes on from where the catalog is, when that is right', async () => {
    const { pool, replays } = await filledPool()
    const catalog = await catalogOf(pool)
    const { store } = await openHarness({ pool, catalog, onProgress: () => expect.unreachable() })
    expect(replays.at(-1)).toEqual({ from: 5, records: 0 })
    expect(catalog.clears).toBe(1)

    await putText(store, named('c'), 'four')
    const records = await recordsOf(pool)
    const behind = new MemoryCatalog()
    await behind.clear(pool.position.pool)
    const { catalog: full } = await openHarness({ pool, catalog: behind })
    expect(full.position).toMatchObject({ sequence: 5 })
    expect(behind.clears).toBe(1)
    expect(records).toHaveLength(5)
  })

  test('reads only what the catalog has not folded', async () => {
    const { pool, replays } = await filledPool()
    const catalog = await catalogOf(pool)
    const { store } = await openHarness({ pool })
    await putText(store, named('c'), 'four')
    const { store: again } = await openHarness({ pool, catalog })
    expect(replays.at(-1)).toEqual({ from: 5, records: 1 })
    expect(await readText(again, named('c'))).toBe('four')
    expect(catalog.clears).toBe(1)
  })

  test.each([
    ['of another pool', (catalog: MemoryCatalog) => ({ ...catalog.position, pool: 'another' })],
    ['ahead of the pool', (catalog: MemoryCatalog) => ({ ...catalog.position, sequence: 5 })],
    ['of another history', (catalog: MemoryCatalog) => ({ ...catalog.position, digest: '0'.repeat(64) })],
    ['of another history, shorter', (catalog: MemoryCatalog) => ({ ...catalog.position, sequence: 3 })],
  ])('makes a catalog anew that is %s', async (_what, positionOf) => {
    const { pool, replays } = await filledPool()
    const catalog = await catalogOf(pool)
    catalog.position = positionOf(catalog)
    const { store } = await openHarness({ pool, catalog })
    expect(replays.at(-1)).toEqual({ from: 1, records: 4 })
    expect(catalog.clears).toBe(2)
    expect(catalog.position).toMatchObject({ pool: pool.position.pool, sequence: 4 })
    expect(await readText(store, named('a'))).toBe('two')
  })

  test('makes the catalog anew when its files were deleted, and else goes on from them', async () => {
    const { pool, replays } = await filledPool()
    const directory = await temporaryDirectory()
    const open = async () => {
      const catalog = await openCatalog({ directory })
      const { store } = await openHarness({ pool, catalog })
      const text = await readText(store, named('b'))
      await store.close()
      await catalog.close()
      return text
    }
    expect(await open()).toBe('three')
    expect(replays.at(-1)).toEqual({ from: 1, records: 4 })
    expect(await open()).toBe('three')
    expect(replays.at(-1)).toEqual({ from: 5, records: 0 })
    await rm(directory, { recursive: true })
    expect(await open()).toBe('three')
    expect(replays.at(-1)).toEqual({ from: 1, records: 4 })
  })

  test('goes on with the chains and the time of the last record', async () => {
    const { pool } = await filledPool()
    const { time } = (await recordsOf(pool)).at(-1)!.record
    const { store } = await openHarness({ pool, clock: { now: () => 0 } })
    const receipt = await putText(store, named('a'), 'after')
    expect(receipt).toMatchObject({ object: '0000000000000002', sequence: 5 })
    expect((await store.stat(origin, named('a'))).time).toBe(time)
    await assertChains(pool)

    const catalog = await catalogOf(pool)
    const { store: again } = await openHarness({ pool, catalog, clock: { now: () => 0 } })
    await putText(again, named('a'), 'later')
    await assertChains(pool)
  })

  test('folds many records in pieces', async () => {
    const { pool } = await filledPool()
    const { store } = await openHarness({ pool })
    await Promise.all(Array.from({ length: 600 }, (_, index) => putText(store, named(`n/${index}`), '')))
    const progress: number[] = []
    const catalog = new MemoryCatalog({ lagMax: 1 })
    const onProgress = ({ records }: CatchUpProgress) => {
      progress.push(records)
      expect(records - catalog.position.sequence).toBeLessThanOrEqual(1)
    }
    await openHarness({ pool, catalog, onProgress })
    expect(progress).toEqual([256, 512, 604])
  })

  test.each([
    ['its chain', (text: string) => text.replace(/"partition":"[0-9a-f]{64}"/, `"partition":"${'0'.repeat(64)}"`)],
    ['its sequence', (text: string) => text.replace('"sequence":3', '"sequence":4')],
    ['its form', (text: string) => text.slice(0, -1)],
  ])('refuses a history whose record is damaged in %s', async (_what, damage) => {
    const { pool } = await filledPool()
    const { replay } = pool
    pool.replay = async function* (from) {
      for await (const record of replay.call(pool, from)) {
        const content =
          record.sequence === 3 ? Buffer.from(damage(Buffer.from(record.content).toString())) : record.content
        yield { ...record, content }
      }
    }
    await expect(openHarness({ pool })).rejects.toMatchObject(refusal('ERR_CORRUPT'))
  })

  test('is refused in words of the store when the pool is closed', async () => {
    const { pool } = await filledPool()
    await pool.close()
    await expect(openHarness({ pool })).rejects.toMatchObject(refusal('ERR_HALTED'))
  })
})
