import { Level } from 'level'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { RecentHeads } from '../../streams/catalog/catalog-heads.ts'
import { openLevel } from '../../streams/catalog/catalog-level.ts'
import { CatalogWriter } from '../../streams/catalog/catalog-writer.ts'
import { UsageCounters } from '../../streams/catalog/usage-counters.ts'
import { openCatalog } from '../../streams/index.ts'
import { CatalogModel } from './catalog-model.ts'
import { folded, newDirectory, open } from './catalog-support.ts'

const memory = () => ({ heads: new RecentHeads(), usages: new UsageCounters(), messageIds: { note: () => {} } })
const HALTED = { code: 'ERR_HALTED' }

function modelOf(objects: number): CatalogModel {
  const model = new CatalogModel()
  for (let index = 0; index < objects; index += 1) model.put('inbox', `key-${index}`)
  return model
}

describe('the queue', () => {
  test('is written in batches, what comes meanwhile in the next one', async () => {
    const catalog = await open({ batchRecordsMax: 4 })
    const { records } = modelOf(10)
    const positions: number[] = []
    catalog.apply(records.slice(0, 1), 1)
    catalog.apply(records.slice(1), 1)
    for (const sequence of [1, 2, 6]) {
      await catalog.settled(sequence)
      positions.push(catalog.position.sequence)
    }
    expect(positions).toEqual([1, 5, 9])
    await catalog.settled(10)
  })

  test('holds commits back from its bound on, until it is below it', async () => {
    const catalog = await open({ lagMax: 10, batchRecordsMax: 4 })
    const { records } = modelOf(20)
    catalog.apply(records.slice(0, 9), 1)
    const positions: number[] = []
    await catalog.ready()
    positions.push(catalog.position.sequence)
    catalog.apply(records.slice(9, 10), 1)
    await catalog.ready()
    positions.push(catalog.position.sequence)
    catalog.apply(records.slice(10), 1)
    await catalog.ready()
    positions.push(catalog.position.sequence)
    expect(positions).toEqual([0, 4, 12])
  })

  test('takes records in order only, with gaps where others have theirs', async () => {
    const catalog = await open()
    const { records } = modelOf(3)
    catalog.apply(records.slice(1, 2), 1)
    expect(() => catalog.apply(records.slice(1, 2), 1)).toThrow('in sequence order')
    expect(() => catalog.apply(records.slice(0, 1), 1)).toThrow('in sequence order')
  })

  test('takes none, too, and goes on', async () => {
    const catalog = await open()
    const { records } = modelOf(3)
    catalog.apply([], 1)
    catalog.apply(records, 1)
    await catalog.settled(records.at(-1)!.record.sequence)
  })

  test('is written before the catalog closes; whoever waits for more is told', async () => {
    const directory = await newDirectory()
    const catalog = await openCatalog({ directory, batchRecordsMax: 2 })
    catalog.apply(modelOf(9).records, 1)
    const beyond = expect(catalog.settled(10)).rejects.toMatchObject(HALTED)
    await catalog.close()
    await beyond
    await expect(catalog.settled(10)).rejects.toMatchObject(HALTED)
    await expect(catalog.head({ bucket: 'inbox', key: 'other' })).rejects.toMatchObject(HALTED)
    expect((await open({ directory })).position.sequence).toBe(9)
  })

  test('is synced with every 1,024th batch', async () => {
    const { database, position } = await openLevel(await newDirectory(), () => expect.unreachable())
    onTestFinished(() => database.close())
    const synced: number[] = []
    const begin = database.batch.bind(database) as () => ReturnType<typeof database.batch>
    let batches = 0
    vi.spyOn(database, 'batch').mockImplementation(() => {
      const batch = begin()
      const write = batch.write.bind(batch)
      return Object.assign(batch, {
        write(options: { sync: boolean }) {
          batches += 1
          if (options.sync) synced.push(batches)
          return write(options)
        },
      })
    })
    const writer = new CatalogWriter(database, position, memory(), {
      lagMax: 100,
      batchRecordsMax: 1,
      facetCountersMax: 100,
      facetCountersKeptMax: 100,
      indexEntriesMax: 100,
      onIndexed: () => {},
    })
    writer.apply(modelOf(2050).records, 1)
    await writer.settled(2050)
    expect(synced).toEqual([1024, 2048])
  })

  test('is dropped when the catalog is cleared', async () => {
    const catalog = await open({ batchRecordsMax: 2 })
    catalog.apply(modelOf(9).records, 1)
    const waiting = expect(catalog.settled(9)).rejects.toMatchObject(HALTED)
    await catalog.clear('another')
    await waiting
    expect(catalog.position).toMatchObject({ pool: 'another', sequence: 0 })
    expect((await catalog.query('', {})).objects).toEqual([])
  })

  test('sees a record through its object, whichever batch the one before was in', async () => {
    const model = modelOf(1)
    const object = model.head({ bucket: 'inbox', key: 'key-0' })?.stat.object ?? ''
    const from = { bucket: 'inbox', key: 'key-0' }
    model.append({ operation: 'attributes', object, ...from, set: { color: 'red' }, unset: [] })
    model.append({ operation: 'rename', object, bucket: 'inbox', key: 'new', from })
    model.append({ operation: 'attributes', object, bucket: 'inbox', key: 'new', set: { size: 2 }, unset: ['color'] })
    for (const batchRecordsMax of [1, 2, 256]) {
      const catalog = await folded(model, { batchRecordsMax })
      expect((await catalog.query('size:2', {})).objects).toEqual([model.head({ bucket: 'inbox', key: 'new' })?.stat])
      expect((await catalog.query('color:*', {})).objects).toEqual([])
    }
  })
})

describe('a write that fails', () => {
  test('ends the fold: what is written stays, and nothing more is taken', async () => {
    const { database, position } = await openLevel(await newDirectory(), () => expect.unreachable())
    onTestFinished(() => database.close())
    const writer = new CatalogWriter(database, position, memory(), {
      lagMax: 100,
      batchRecordsMax: 2,
      facetCountersMax: 100,
      facetCountersKeptMax: 100,
      indexEntriesMax: 100,
      onIndexed: () => {},
    })
    const { records } = modelOf(5)
    writer.apply(records.slice(0, 2), 1)
    await writer.settled(2)
    expect(writer.failure).toBeUndefined()
    await database.close()
    writer.apply(records.slice(2, 4), 1)
    await expect(writer.settled(3)).rejects.toMatchObject(HALTED)
    writer.apply(records.slice(4), 1)
    await expect(writer.ready()).rejects.toMatchObject(HALTED)
    await expect(writer.settled(3)).rejects.toMatchObject(HALTED)
    await writer.settled(2)
    expect(writer.position.sequence).toBe(2)
    expect(writer.failure).toMatchObject(HALTED)
  })

  test('because an entry is damaged has the catalog made new', async () => {
    const directory = await newDirectory()
    const model = modelOf(1)
    await (await folded(model, { directory })).close()
    const level = new Level(directory)
    await level.put('cinbox\u0000key-0', '{')
    await level.close()
    const catalog = await openCatalog({ directory })
    catalog.apply([model.put('inbox', 'key-0')], 1)
    await expect(catalog.settled(2)).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await expect(catalog.ready()).rejects.toMatchObject({ code: 'ERR_CORRUPT' })
    await catalog.close()
    expect((await open({ directory })).position.sequence).toBe(0)
  })
})

describe('recent heads', () => {
  test('are forgotten beyond their number, the least recently used one first', () => {
    const heads = new RecentHeads(2, 1000)
    heads.set('a', '1')
    heads.set('b', '2')
    expect(heads.get('a')).toBe('1')
    heads.set('c', '3')
    expect(['a', 'b', 'c'].map((key) => heads.get(key))).toEqual(['1', undefined, '3'])
  })

  test('are forgotten beyond their length', () => {
    const heads = new RecentHeads(100, 10)
    heads.set('a', '1234')
    heads.set('b', '1234')
    heads.set('b', '123')
    expect(['a', 'b'].map((key) => heads.get(key))).toEqual(['1234', '123'])
    heads.set('c', '1')
    expect(['a', 'b', 'c'].map((key) => heads.get(key))).toEqual([undefined, '123', '1'])
    heads.set('c', '1234567890')
    expect(['b', 'c'].map((key) => heads.get(key))).toEqual([undefined, undefined])
  })

  test('tell a name known not to be bound from one that is not known', () => {
    const heads = new RecentHeads()
    heads.set('a', '1')
    heads.written([['a', undefined]])
    expect(heads.get('a')).toBeNull()
    expect(heads.get('b')).toBeUndefined()
  })

  test('learn what was read, but not over what was written meanwhile', () => {
    const heads = new RecentHeads(4, 100)
    const { ages } = heads
    heads.written([['a', 'new']])
    heads.learn('a', 'old', ages)
    heads.learn('b', null, ages)
    expect(['a', 'b'].map((key) => heads.get(key))).toEqual(['new', null])
    heads.written(['c', 'd', 'e'].map((key) => [key, key]))
    heads.learn('a', 'old', ages)
    expect(heads.get('a')).toBe('new')
  })

  test('learn nothing that may have been written and forgotten meanwhile', () => {
    for (const forgetting of [['b', 'c', 'd', 'e', 'f', 'g'], ['long']]) {
      const heads = new RecentHeads(4, 100)
      const { ages } = heads
      heads.written([['a', 'new'], ...forgetting.map((key) => [key, key === 'long' ? key.repeat(100) : key] as const)])
      heads.learn('a', 'old', ages)
      expect(heads.get('a')).toBeUndefined()
    }
  })
})
