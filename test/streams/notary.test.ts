import { describe, expect, test } from 'vitest'
import type { Pool } from '../../pool/index.ts'
import { openVolumes, PoolError } from '../../pool/index.ts'
import { MerkleTree } from '../../streams/custody/merkle.ts'
import { isSignedBy } from '../../streams/custody/signed-record.ts'
import {
  type AttributeRecord,
  type CheckpointRecord,
  type CustodyOptions,
  digestOf,
  type KeyRecord,
} from '../../streams/index.ts'
import { assertChains } from '../support/chains.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { ManualTimers, MemoryChest } from '../support/signing.ts'
import {
  blockPool,
  type Harness,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  recordsOf,
  refusal,
  turns,
} from '../support/store-harness.ts'
import { BLOCK, extent, noTimers } from '../support/volume-model.ts'

interface Opened extends Harness {
  readonly timers: ManualTimers
  readonly chest: MemoryChest
  readonly custody: Awaited<ReturnType<Harness['store']['custody']>>
  readonly failures: unknown[]
}

async function open(
  options: { pool?: Pool; catalog?: MemoryCatalog; chest?: MemoryChest } & Partial<CustodyOptions> = {},
): Promise<Opened> {
  const { pool = memoryPool(), catalog = new MemoryCatalog(), chest = new MemoryChest(), ...more } = options
  const harness = await openHarness({ pool, catalog })
  const timers = new ManualTimers()
  const failures: unknown[] = []
  const onFailure = (error: unknown) => failures.push(error)
  const custody = await harness.store.custody({ chest, origin, timers, onFailure, ...more })
  return { ...harness, timers, chest, custody, failures }
}

const small = { limits: { checkpointRecordsMax: 4 } }

async function put({ store }: Pick<Harness, 'store'>, count: number): Promise<void> {
  for (let at = 0; at < count; at++) await putText(store, named(`k${at % 3}`), `text ${at}`)
}

const ofOperation = async <O extends AttributeRecord['operation']>(pool: Pool, operation: O) =>
  (await recordsOf(pool)).flatMap(({ record }) =>
    record.operation === operation ? [record as Extract<AttributeRecord, { operation: O }>] : [],
  )
const checkpointsOf = (pool: Pool): Promise<CheckpointRecord[]> => ofOperation(pool, 'checkpoint')
const keysOf = (pool: Pool): Promise<KeyRecord[]> => ofOperation(pool, 'key')

/** Every checkpoint covers what came since the one before, is signed, and follows from it. */
async function assertCheckpoints(pool: Pool): Promise<void> {
  const records = (await recordsOf(pool)).map(({ sequence, content, record }) => {
    return { sequence, digest: digestOf(content), record }
  })
  let covered = 0
  let before = { sequence: 0, digest: '' }
  for (const { record, sequence, digest } of records) {
    if (record.operation !== 'checkpoint') continue
    const there = records.filter((one) => one.sequence > covered && one.sequence <= record.covers.last)
    expect(record.covers).toEqual({
      first: there[0]!.sequence,
      last: there.at(-1)!.sequence,
      records: there.length,
      digest: there.at(-1)!.digest,
      root: new MerkleTree(there.map((one) => one.digest)).root,
    })
    expect(record.before).toEqual(before)
    const key = (await keysOf(pool)).findLast((one) => one.sequence < sequence)
    expect(record.signer).toBe(key?.id)
    expect(isSignedBy(record, key!.publicKey)).toBe(true)
    covered = record.covers.last
    before = { sequence, digest }
  }
  await assertChains(pool)
}

describe('checkpoints are signed', () => {
  test('after so many records', async () => {
    const opened = await open(small)
    await put(opened, 20)
    await turns(20)
    await opened.custody.close()
    expect((await checkpointsOf(opened.pool)).length).toBeGreaterThanOrEqual(5)
    await assertCheckpoints(opened.pool)
    for (const { covers } of await checkpointsOf(opened.pool)) expect(covers.records).toBeLessThanOrEqual(4)
  })

  test('after so long, and not again while nothing else happens', async () => {
    const opened = await open()
    await put(opened, 3)
    expect(await checkpointsOf(opened.pool)).toHaveLength(0)
    opened.timers.run()
    await turns(10)
    expect(await checkpointsOf(opened.pool)).toHaveLength(1)
    expect(opened.timers.size).toBe(0)
    opened.timers.run()
    await opened.custody.close()
    expect(await checkpointsOf(opened.pool)).toHaveLength(1)
    await assertCheckpoints(opened.pool)
  })

  test('over records that stand behind more checkpoints than one covers', async () => {
    const opened = await open(small)
    for (let at = 0; at < 12; at++) {
      await put(opened, 1)
      opened.timers.run()
      await turns(10)
    }
    await put(opened, 30)
    await turns(20)
    await opened.custody.close()
    await assertCheckpoints(opened.pool)
  })

  test('when custody closes, and then no more', async () => {
    const opened = await open()
    await put(opened, 2)
    await opened.custody.close()
    expect(await checkpointsOf(opened.pool)).toHaveLength(1)
    await put(opened, 2)
    opened.timers.run()
    await turns(10)
    expect(await checkpointsOf(opened.pool)).toHaveLength(1)
  })

  test('over all that there was before custody began, in pieces', async () => {
    const pool = memoryPool()
    const first = await openHarness({ pool })
    await put(first, 30)
    await first.store.close()
    const opened = await open({ pool, ...small })
    await opened.custody.close()
    await assertCheckpoints(pool)
    expect((await checkpointsOf(pool)).at(-1)!.covers.last).toBeGreaterThanOrEqual(30)
  })

  test('sixteen at the most when custody closes: the rest is for its next life', async () => {
    const pool = memoryPool()
    const first = await openHarness({ pool })
    await put(first, 100)
    await first.store.close()
    const chest = new MemoryChest()
    await (await open({ pool, chest, ...small })).custody.close()
    const { length } = await checkpointsOf(pool)
    expect([length >= 16, length < 20]).toEqual([true, true])
    await (await open({ pool, chest, ...small })).custody.close()
    expect((await checkpointsOf(pool)).at(-1)!.covers.last).toBeGreaterThan(100)
    await assertCheckpoints(pool)
  })

  test('past records of volumes, which are none of theirs', async () => {
    const pool = await blockPool()
    const volume = await (await openVolumes(pool, { timers: noTimers, saveRecordsMax: 10 })).create('a', 64 * BLOCK)
    const opened = await open({ pool, ...small })
    for (let round = 0; round < 12; round++) {
      await put(opened, 1)
      await volume.write([extent(round, 1, round)])
    }
    await opened.custody.close()
    await assertCheckpoints(pool)
    const chest = opened.chest
    const again = await open({ pool, chest, ...small })
    await put(again, 3)
    await volume.write([extent(1, 1, 1)])
    await put(again, 3)
    await again.custody.close()
    await assertCheckpoints(pool)
  })

  test('over more records at once than are held, which are read again', async () => {
    const opened = await open(small)
    await Promise.all(Array.from({ length: 100 }, (_, at) => putText(opened.store, named(`p${at}`), 'x')))
    await turns(50)
    await opened.custody.close()
    await opened.custody.close()
    await assertCheckpoints(opened.pool)
    const last = (await checkpointsOf(opened.pool)).at(-1)!
    expect(last.covers.last).toBeGreaterThanOrEqual(100)
  })

  test('again after a full pool refused one, and no sooner than its time', async () => {
    const pool = memoryPool()
    const opened = await open({ pool, ...small })
    const begin = pool.begin.bind(pool)
    let refusals = 0
    pool.begin = () => {
      const transaction = begin()
      transaction.commit = async () => {
        refusals += 1
        await transaction.abort()
        throw new PoolError('ERR_NO_SPACE', 'the pool is full')
      }
      return transaction
    }
    opened.timers.run()
    await turns(20)
    expect(refusals).toBe(1)
    expect(opened.failures).toHaveLength(1)
    pool.begin = begin
    await put(opened, 12)
    expect(await checkpointsOf(pool)).toHaveLength(0)
    opened.timers.run()
    await turns(30)
    expect((await checkpointsOf(pool)).length).toBeGreaterThan(2)
    await opened.custody.close()
    await assertCheckpoints(pool)
  })
})

describe('after a restart', () => {
  test.each([
    ['with its catalog', true],
    ['with a catalog made again', false],
  ])('checkpoints go on where they were, %s', async (_what, keeps) => {
    const pool = memoryPool()
    const catalog = new MemoryCatalog()
    const chest = new MemoryChest()
    const first = await open({ pool, catalog, chest, ...small })
    await put(first, 10)
    await turns(20)
    // No last checkpoint: the process was killed.
    await first.store.close()
    const before = await checkpointsOf(pool)
    const again = await open({ pool, chest, ...small, ...(keeps && { catalog }) })
    await put(again, 3)
    await again.custody.close()
    expect((await checkpointsOf(pool)).length).toBeGreaterThan(before.length)
    expect(await keysOf(pool)).toHaveLength(1)
    await assertCheckpoints(pool)
  })

  test('so many records are enough again, without waiting for their time', async () => {
    const pool = memoryPool()
    const chest = new MemoryChest()
    const first = await open({ pool, chest, ...small })
    await put(first, 9)
    await first.custody.close()
    await first.store.close()
    const before = (await checkpointsOf(pool)).length
    const again = await open({ pool, chest, ...small })
    await put(again, 8)
    await turns(20)
    expect((await checkpointsOf(pool)).length).toBeGreaterThan(before)
    await assertCheckpoints(pool)
  })

  test('reads no more than what the last checkpoint does not cover', async () => {
    const pool = memoryPool()
    const catalog = new MemoryCatalog()
    const chest = new MemoryChest()
    const first = await open({ pool, catalog, chest })
    await put(first, 50)
    await first.custody.close()
    await first.store.close()
    const froms: number[] = []
    const { replay } = pool
    pool.replay = (from, onLost) => {
      froms.push(from)
      return replay.call(pool, from, onLost)
    }
    const again = await open({ pool, catalog, chest })
    await put(again, 1)
    await again.custody.close()
    expect(Math.min(...froms)).toBeGreaterThan(50)
    await assertCheckpoints(pool)
  })
})

describe('the keys', () => {
  test('the first one signs itself, and each one after it is introduced by the one before', async () => {
    const opened = await open()
    const [first] = await opened.custody.keys()
    await put(opened, 2)
    const second = await opened.custody.rotate(origin)
    await put(opened, 2)
    await opened.custody.close()
    expect(await opened.custody.keys()).toMatchObject([
      { id: first!.id, signer: first!.id, state: 'retired' },
      { id: second.id, signer: first!.id, state: 'active' },
    ])
    expect([...opened.chest.keys.keys()]).toEqual([second.id])
    const [one, two] = await keysOf(opened.pool)
    expect(isSignedBy(one!, one!.publicKey)).toBe(true)
    expect(isSignedBy(two!, one!.publicKey)).toBe(true)
    const checkpoints = await checkpointsOf(opened.pool)
    expect(checkpoints.map(({ signer }) => signer)).toEqual([first!.id, second.id])
    await assertCheckpoints(opened.pool)
  })

  test('a retired key signs nothing, whatever is underway while it is rotated', async () => {
    const opened = await open(small)
    const puts = put(opened, 40)
    for (let round = 0; round < 5; round++) await opened.custody.rotate(origin)
    await puts
    await turns(20)
    await opened.custody.close()
    await assertCheckpoints(opened.pool)
    expect(await keysOf(opened.pool)).toHaveLength(6)
  })

  test('are rotated by who may manage applications, and one rotation at a time', async () => {
    const opened = await open()
    await expect(opened.custody.rotate(originOf(['object:read', 'object:write']))).rejects.toMatchObject(
      refusal('ERR_FORBIDDEN'),
    )
    const rotations = await Promise.allSettled([opened.custody.rotate(origin), opened.custody.rotate(origin)])
    expect(rotations.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await keysOf(opened.pool)).toHaveLength(2)
  })

  test('a rotation that a full pool refuses leaves the key as it was', async () => {
    const pool = memoryPool()
    const opened = await open({ pool })
    const begin = pool.begin.bind(pool)
    pool.begin = () => {
      throw new PoolError('ERR_NO_SPACE', 'the pool is full')
    }
    await expect(opened.custody.rotate(origin)).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
    pool.begin = begin
    const [key] = await opened.custody.keys()
    expect([...opened.chest.keys.keys()]).toEqual([key!.id])
    await put(opened, 1)
    await opened.custody.close()
    await assertCheckpoints(pool)
  })

  test('of a rotation that was cut off, the next life keeps the one that the stream names', async () => {
    const chest = new MemoryChest()
    const opened = await open({ chest })
    await opened.store.close()
    const { pool } = opened
    // Made, and its record never became durable.
    await chest.create()
    const again = await open({ pool, chest })
    const [key] = await again.custody.keys()
    expect([...chest.keys.keys()]).toEqual([key!.id])
    // Durable, and the old one was not forgotten yet.
    const old = [...chest.keys.values()][0]!
    const next = await again.custody.rotate(origin)
    chest.keys.set(old.id, old)
    await again.store.close()
    await open({ pool, chest })
    expect([...chest.keys.keys()]).toEqual([next.id])
  })

  test('one that is lost is refused, and replaced only when that is asked for', async () => {
    const { pool, store } = await open()
    await store.close()
    await expect(open({ pool })).rejects.toMatchObject(refusal('ERR_CORRUPT'))
    const again = await open({ pool, replaceLostKey: true })
    expect(await again.custody.keys()).toHaveLength(2)
  })

  test('there are no more than evidence can hold', async () => {
    const opened = await open()
    const { catalog } = opened
    const keyRecords = catalog.keyRecords.bind(catalog)
    catalog.keyRecords = async () => Array<number>(1000).fill((await keyRecords())[0]!)
    await expect(opened.custody.rotate(origin)).rejects.toMatchObject(refusal('ERR_QUOTA'))
  })
})
