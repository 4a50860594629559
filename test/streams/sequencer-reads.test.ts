import { describe, expect, test } from 'vitest'
import { PoolError } from '../../pool/index.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { named, openHarness, origin, putText, readText, refusal, turn } from '../support/store-harness.ts'

describe('a read', () => {
  /** A catalog that is overtaken: between its answer and the use of it, something happens. */
  class OvertakenCatalog extends MemoryCatalog {
    meanwhile: () => Promise<unknown> = async () => {}
    override async head(name: Parameters<MemoryCatalog['head']>[0]) {
      const head = await super.head(name)
      await this.meanwhile()
      return head
    }
  }

  test('of what was just replaced gives what replaced it', async () => {
    const catalog = new OvertakenCatalog()
    const { store } = await openHarness({ catalog })
    await putText(store, named('a'), 'one')
    catalog.meanwhile = async () => {
      catalog.meanwhile = async () => {}
      await putText(store, named('a'), 'two')
    }
    expect(await readText(store, named('a'))).toBe('two')
  })

  test('of what was just replaced waits for a catalog that does not know it yet', async () => {
    const catalog = new OvertakenCatalog({ pace: turn })
    const { store } = await openHarness({ catalog })
    await putText(store, named('a'), 'one')
    catalog.meanwhile = async () => {
      catalog.meanwhile = async () => {}
      await putText(store, named('a'), 'two')
    }
    expect(await readText(store, named('a'))).toBe('two')
  })

  test('of what was just removed finds nothing', async () => {
    const catalog = new OvertakenCatalog()
    const { store } = await openHarness({ catalog })
    await putText(store, named('a'), 'one')
    catalog.meanwhile = async () => {
      catalog.meanwhile = async () => {}
      await store.remove(origin, named('a'))
    }
    await expect(store.read(origin, named('a'))).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  })

  test('of what is replaced again and again gives up', async () => {
    const catalog = new OvertakenCatalog()
    const { store } = await openHarness({ catalog })
    await putText(store, named('a'), 'one')
    let isPutting = false
    catalog.meanwhile = async () => {
      if (isPutting) return
      isPutting = true
      await putText(store, named('a'), 'more')
      isPutting = false
    }
    await expect(store.read(origin, named('a'))).rejects.toMatchObject(refusal('ERR_BUSY'))
  })

  test('of bytes that are not where they should be says so', async () => {
    const pool = memoryPool()
    const { store } = await openHarness({ pool })
    await putText(store, named('a'), 'one')
    pool.read = async function* () {
      yield* []
      throw new PoolError('ERR_NOT_FOUND', 'gone')
    }
    await expect(store.read(origin, named('a'))).rejects.toMatchObject(refusal('ERR_CORRUPT'))
  })

  test("tells of damage in the store's words, at once or on the way, and lets go of what it read from", async () => {
    const pool = memoryPool()
    const { store } = await openHarness({ pool })
    await putText(store, named('a'), 'one')
    let chunks = 0
    let isOpen = false
    pool.read = async function* () {
      isOpen = true
      try {
        for (; chunks > 0; chunks--) yield Buffer.from('x')
        throw new PoolError('ERR_CORRUPT', 'a block is damaged')
      } finally {
        isOpen = false
      }
    }
    await expect(store.read(origin, named('a'))).rejects.toMatchObject(refusal('ERR_CORRUPT'))
    chunks = 2
    const { body } = await store.read(origin, named('a'))
    const read = async () => {
      for await (const _chunk of body);
    }
    await expect(read()).rejects.toMatchObject(refusal('ERR_CORRUPT'))
    chunks = 2
    const { body: unread } = await store.read(origin, named('a'))
    expect(isOpen).toBe(true)
    await unread[Symbol.asyncIterator]().return?.()
    expect(isOpen).toBe(false)
  })
})

describe('a list of a prefix', () => {
  test('tells of no bucket that is not durable yet, and of one that is, folded or not', async () => {
    let goOn = () => {}
    let flush = async () => {}
    const { store } = await openHarness({
      pool: memoryPool({ flush: () => flush() }),
      catalog: new MemoryCatalog({ pace: turn }),
    })
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    flush = () => held
    const created = store.createBucket(origin, 'fresh')
    for (let turns = 0; turns < 10; turns++) await turn()
    await expect(store.list(origin, 'fresh', { prefix: 'a/' })).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    goOn()
    await created
    expect((await store.list(origin, 'fresh', { prefix: 'a/' })).objects).toEqual([])
  })

  test('waits for the catalog to know what was stored under it, and for nothing else', async () => {
    let goOn = () => {}
    const pause = new Promise<void>((resolve) => (goOn = resolve))
    let isPaused = false
    const { store } = await openHarness({
      catalog: new MemoryCatalog({ pace: () => (isPaused ? pause : turn()) }),
    })
    await putText(store, named('a/1'), 'one')
    await store.list(origin, named('').bucket)
    isPaused = true
    await putText(store, named('b/1'), 'two')
    const keysUnder = async (prefix: string) =>
      (await store.list(origin, named('').bucket, { prefix })).objects.map(({ key }) => key)
    expect(await keysUnder('a/')).toEqual(['a/1'])
    const listed = keysUnder('b/')
    goOn()
    expect(await listed).toEqual(['b/1'])
  })
})
