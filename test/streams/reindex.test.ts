import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { describe, expect, test, vi } from 'vitest'
import type { Catalog, CatalogOptions } from '../../streams/index.ts'
import { CatalogModel } from './catalog-model.ts'
import { foldRest, newDirectory, open } from './catalog-support.ts'
import { playIndexLives } from './index-lives.ts'

test('an index made anew is what the entries say, whatever happens meanwhile', async () => {
  expect(await playIndexLives({ numRuns: 12 })).toBe(12)
})

describe('before the index is whole', () => {
  /** Objects of which none is in the index, which nobody has begun to make. */
  async function unindexed(options: Partial<CatalogOptions> = {}) {
    const model = new CatalogModel()
    for (let n = 0; n < 40; n += 1) model.put(n < 4 ? 'outbox' : 'inbox', `key-${n}`, { color: `c${n % 2}`, n }, n)
    const catalog = await open(options)
    await catalog.clear('pool')
    await foldRest(catalog, model)
    return { model, catalog }
  }
  const BUSY = { code: 'ERR_BUSY', message: expect.stringContaining('the index is being made anew (0 % is there)') }
  const whole = async (catalog: Catalog) => {
    await catalog.makeIndex()
    await catalog.indexed()
  }

  test('queries are scans, and say so', async () => {
    const { catalog } = await unindexed({ indexEntriesMax: 10 })
    expect(catalog.index).toEqual({ phase: 'building', built: 0, objects: 40 })
    const plan = { index: catalog.index, isScan: true, legs: [{ reads: 'every current object' }] }
    expect(await catalog.explain('n:7', {})).toMatchObject(plan)
    expect(await catalog.explain('n:7', { sort: 'color' })).toMatchObject({ ...plan, sorting: 'gather' })
    const within = await catalog.explain('object.bucket:outbox AND n:3', {})
    expect(within).toMatchObject({ isScan: false, legs: [{ reads: 'the current objects of a bucket' }] })
    const { facets } = await catalog.facets('', { names: ['color'] })
    expect(facets).toMatchObject([{ counted: false, complete: true, values: [{ count: 20 }, { count: 20 }] }])
    await whole(catalog)
    expect(await catalog.explain('n:7', {})).toMatchObject({ index: { phase: 'whole', built: 40 }, isScan: false })
    expect((await catalog.facets('', { names: ['color'] })).facets).toMatchObject([{ counted: true }])
  })

  test('an answer is sorted as far as it can be gathered, and refused beyond', async () => {
    const { catalog } = await unindexed({ querySortMax: 39 })
    await expect(catalog.query('', { sort: '-n' })).rejects.toMatchObject(BUSY)
    const { objects } = await catalog.query('object.bucket:outbox', { sort: '-n' })
    expect(objects.map(({ attributes }) => attributes.n)).toEqual([3, 2, 1, 0])
    await whole(catalog)
    expect((await catalog.query('', { sort: '-n' })).objects).toHaveLength(40)
  })

  test('a cursor that needs the index waits for it, and one that does not goes on without', async () => {
    const { catalog } = await unindexed()
    const text = 'object.bucket:inbox AND color:c1'
    const scanned = await catalog.query(text, { limit: 10 })
    await whole(catalog)
    const indexed = await catalog.query(text, { limit: 10 })
    const rest = await catalog.query(text, { cursor: scanned.cursor! })
    const versions = [...scanned.objects, ...rest.objects].map(({ version }) => version)
    expect(new Set(versions).size).toBe(18)
    expect(versions).toHaveLength(18)

    await catalog.reindex()
    expect(catalog.index.phase).not.toBe('whole')
    await expect(catalog.query(text, { cursor: indexed.cursor! })).rejects.toMatchObject({ code: 'ERR_BUSY' })
    await catalog.indexed()
    expect((await catalog.query(text, { cursor: indexed.cursor! })).objects).toHaveLength(8)
  })

  test('each page adds as many entries as it may, and is told', async () => {
    const steps: unknown[] = []
    const { catalog } = await unindexed({ indexEntriesMax: 15, onIndexed: ({ built }) => steps.push(built) })
    await whole(catalog)
    expect(steps).toEqual([15, 30, 40])
    await catalog.makeIndex()
    expect(steps).toHaveLength(3)
  })

  test('a page has no more than a mebibyte of entries', async () => {
    const directory = await newDirectory()
    const model = new CatalogModel()
    for (let n = 0; n < 20; n += 1) model.put('inbox', `key-${n}`, { n, text: 'x'.repeat(100_000) })
    const steps: number[] = []
    const catalog = await open({ directory, onIndexed: ({ built }) => steps.push(built) })
    await catalog.clear('pool')
    await foldRest(catalog, model)
    await whole(catalog)
    expect(steps).toEqual([11, 20])
  })

  test('a page of the clearing removes sixteen keys for each entry that one adds, of one space', async () => {
    const directory = await newDirectory()
    const { catalog } = await unindexed({ directory })
    await whole(catalog)
    await catalog.close()
    const level = new Level(directory)
    const pages = ['f', 'g', 'i', 'o', 'r', 'w'].map(async (space) => {
      const keys = await level.keys({ gte: space, lt: String.fromCharCode(space.charCodeAt(0) + 1) }).all()
      return Math.ceil(keys.length / 160)
    })
    const expected = (await Promise.all(pages)).reduce((sum, count) => sum + count)
    await level.close()
    expect(expected).toBeGreaterThan(5)
    const phases: string[] = []
    const again = await open({ directory, indexEntriesMax: 10, onIndexed: ({ phase }) => phases.push(phase) })
    await again.reindex()
    await again.indexed()
    expect(phases.filter((phase) => phase === 'clearing')).toHaveLength(expected)
  })

  test('damage that it meets ends it, and is remembered by the next open', async () => {
    const directory = await newDirectory()
    const { catalog } = await unindexed({ directory })
    await catalog.close()
    const level = new Level(directory)
    for (const [key] of (await level.iterator({ gte: 'c', lt: 'd' }).all()).slice(-1)) await level.put(key, 'no entry')
    await level.close()
    const again = await open({ directory, indexEntriesMax: 15 })
    await again.makeIndex()
    const damage = { code: 'ERR_CORRUPT', message: 'an entry of the catalog is damaged' }
    await vi.waitFor(() => access(join(directory, 'DAMAGED')))
    expect(again.failure).toMatchObject(damage)
    await again.close()
    const reasons: string[] = []
    const third = await open({ directory, onDamaged: (reason) => reasons.push(reason) })
    expect([reasons, third.position.sequence]).toEqual([['it was found damaged before'], 0])
  })

  test('a catalog that is closed makes no more of it, and the next goes on', async () => {
    const directory = await newDirectory()
    const { catalog } = await unindexed({ directory, indexEntriesMax: 1 })
    await catalog.makeIndex()
    await catalog.close()
    await expect(catalog.makeIndex()).rejects.toMatchObject({ code: 'ERR_HALTED' })
    await expect(catalog.indexed()).rejects.toMatchObject({ code: 'ERR_HALTED' })
    const again = await open({ directory, onDamaged: () => expect.unreachable() })
    expect(again.index.phase).toBe('building')
    expect(again.index.built).toBeGreaterThan(0)
    await whole(again)
    expect(await again.explain('n:7', {})).toMatchObject({ isScan: false, entries: 1 })
  })
})
