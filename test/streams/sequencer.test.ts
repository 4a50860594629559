import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Drafting, type Pool, PoolError, type Sequence, type Transaction } from '../../pool/index.ts'
import * as changes from '../../streams/changes.ts'
import type { AttributeRecord, DurableRecord, OpenStore } from '../../streams/index.ts'
import { Sequencer } from '../../streams/sequencer.ts'
import { RecentRecords } from '../../streams/tail/recent-records.ts'
import { assertChains } from '../support/chains.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  envelopeOf,
  gate,
  named,
  openHarness,
  origin,
  putText,
  readText,
  recordsOf,
  refusal,
  tickingClock,
  turn,
  turns,
} from '../support/store-harness.ts'

/** What is said to be current, from the records alone: the key's last version, and how many bytes it has. */
function currentOf(records: readonly AttributeRecord[]): Map<string, { version: Sequence; size: number }> {
  const current = new Map<string, { version: Sequence; size: number }>()
  for (const record of records) {
    if (record.operation === 'put') current.set(record.key, { version: record.sequence, size: record.size })
    if (record.operation === 'delete') current.delete(record.key)
    if (record.operation !== 'rename') continue
    current.set(record.key, current.get(record.from.key)!)
    current.delete(record.from.key)
  }
  return current
}

describe('commits at once', () => {
  const key = fc.constantFrom('a', 'b', 'c')
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ verb: fc.constant('put'), key, size: fc.nat(40) }) },
    { weight: 2, arbitrary: fc.record({ verb: fc.constant('remove'), key }) },
    { weight: 2, arbitrary: fc.record({ verb: fc.constant('rename'), key, to: key }) },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('annotate'), key }) },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('renamePrefix'), key, to: key }) },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('two'), key, to: key, size: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('wait') }) },
  ) as fc.Arbitrary<Step>
  interface Step {
    readonly verb: string
    readonly key: string
    readonly to: string
    readonly size: number
  }

  async function two(store: OpenStore, { key, to, size }: Step): Promise<void> {
    const transaction = store.transaction()
    const upload = await transaction.begin(envelopeOf(named(key)))
    await upload.write(Buffer.alloc(size))
    await transaction.remove(origin, named(to))
    await transaction.commit()
  }

  function act(store: OpenStore, step: Step): Promise<unknown> {
    const { verb, key, to, size } = step
    if (verb === 'put') return putText(store, named(key), 'x'.repeat(size))
    if (verb === 'remove') return store.remove(origin, named(key))
    if (verb === 'rename') return store.rename(origin, named(key), named(to))
    if (verb === 'annotate') return store.annotate(origin, named(key), { 'user.a': size ?? 0 })
    if (verb === 'renamePrefix') return store.renamePrefix(origin, named(key), named(`${to}${to}`))
    return verb === 'two' ? two(store, step) : turn()
  }

  /** Refusals that commits at once may meet, whoever is first. */
  const expected = ['ERR_NOT_FOUND', 'ERR_CONFLICT', 'ERR_INVALID', 'ERR_TOO_LARGE']

  test('leave one history, the current bytes and no others', { timeout: 30_000 }, async () => {
    const delays = fc.array(fc.nat(2), { minLength: 1 })
    const scenario = async (steps: Step[], flushes: number[], folds: number[]) => {
      const wait =
        (turns: number[], index = { next: 0 }) =>
        async () => {
          for (let left = turns[index.next++ % turns.length]!; left > 0; left--) await turn()
        }
      const pool = memoryPool({ bytesMax: 10_000, transactionBytesMax: 1200, flush: wait(flushes) })
      const catalog = new MemoryCatalog({ lagMax: 3, pace: wait(folds) })
      const { store } = await openHarness({ pool, catalog })
      const acting: Promise<unknown>[] = []
      for (const step of steps) {
        if (step.verb === 'wait') await turn()
        else acting.push(act(store, step).catch((error) => error))
      }
      const outcomes = (await Promise.all(acting)).filter((outcome) => outcome instanceof Error)
      for (const error of outcomes) expect(expected).toContain((error as PoolError).code)

      await assertChains(pool)
      const records = (await recordsOf(pool)).map(({ record }) => record)
      const current = currentOf(records)
      const { objects } = await store.list(origin, 'inbox')
      expect(objects.map(({ key, sequence }) => [key, sequence])).toEqual(
        [...current].map(([key, { version }]) => [key, version]).sort(),
      )
      const live = [...current.values()].reduce((sum, { size }) => sum + size, 0)
      expect(pool.status()).toMatchObject({ freeBytes: 10_000 - live, stagedBytes: 0 })
      for (const [key, { size }] of current) expect(await readText(store, named(key))).toHaveLength(size)
    }
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), delays, delays, scenario), { numRuns: 150 })
  })

  test('on one name: the last sequence wins, and every payload before it is let go once', async () => {
    const { store, pool } = await openHarness({ pool: memoryPool({ bytesMax: 1000 }) })
    const receipts = await Promise.all(Array.from({ length: 20 }, (_, index) => putText(store, named('a'), `${index}`)))
    const last = receipts.reduce((one, other) => (one.sequence > other.sequence ? one : other))
    expect(await store.stat(origin, named('a'))).toMatchObject({ version: last.version })
    expect(await readText(store, named('a'))).toBe(`${receipts.indexOf(last)}`)
    expect(new Set(receipts.map(({ object }) => object)).size).toBe(1)
    expect(pool.status().freeBytes).toBe(1000 - last.size)
    const released = receipts.filter(({ sequence }) => sequence !== last.sequence)
    for (const { sequence } of released)
      await expect(pool.read(sequence, 0)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: 'ERR_NOT_FOUND',
      })
    await assertChains(pool)
  })
})

describe('a transaction that is refused', () => {
  test('by the pool after it was drawn up leaves no trace in the one after it, in the same batch', async () => {
    const { store, pool } = await openHarness({ pool: memoryPool({ transactionBytesMax: 1500 }) })
    await putText(store, named('a'), 'one')
    const outcomes = await Promise.allSettled([
      putText(store, named('a', 'other'), 'two', { attributes: { 'user.a': 'a'.repeat(1500) } }),
      putText(store, named('a'), 'three', { attributes: { 'user.a': 'a'.repeat(1500) } }),
      putText(store, named('a'), 'four'),
      putText(store, named('b'), 'five', { attributes: { 'user.a': 'a'.repeat(1500) } }),
    ])
    const refused = { status: 'rejected', reason: expect.objectContaining(refusal('ERR_TOO_LARGE')) }
    expect(outcomes).toEqual([refused, refused, expect.objectContaining({ status: 'fulfilled' }), refused])
    expect(pool.position.sequence).toBe(3)
    expect(await store.buckets(origin)).toEqual(['inbox'])
    expect(store.status).toMatchObject({ buckets: 1, uploadsOpen: 0 })
    await putText(store, named('b'), 'six')
    await assertChains(pool)
    expect(await readText(store, named('a'))).toBe('four')
    expect(pool.status()).toMatchObject({ extentBytes: 7, stagedBytes: 0 })
  })

  test('half-way through being drawn up leaves no trace either', async () => {
    const { store, pool } = await openHarness()
    await putText(store, named('a'), 'one')
    const transaction = store.transaction()
    await (await transaction.begin(envelopeOf(named('a', 'other')))).write(Buffer.from('two'))
    await transaction.remove(origin, named('a'))
    await transaction.rename(origin, named('missing'), named('b'))
    const [refused, accepted] = await Promise.allSettled([transaction.commit(), putText(store, named('a'), 'three')])
    expect(refused).toMatchObject({ status: 'rejected', reason: refusal('ERR_NOT_FOUND') })
    expect(accepted).toMatchObject({ status: 'fulfilled', value: { object: '0000000000000002', sequence: 3 } })
    expect(await store.buckets(origin)).toEqual(['inbox'])
    await assertChains(pool)
  })

  test('after it changed one name twice leaves what others see of it as it was', async () => {
    const held = gate()
    let flush = async () => {}
    const { store, pool } = await openHarness({ pool: memoryPool({ flush: () => flush() }) })
    await putText(store, named('a'), 'one')
    flush = () => held.opened
    const earlier = putText(store, named('z'), 'zed')
    await turns(5)
    const transaction = store.transaction()
    await transaction.rename(origin, named('a'), named('b'))
    await transaction.rename(origin, named('b'), named('c'))
    await transaction.rename(origin, named('missing'), named('d'))
    const outcomes = Promise.allSettled([transaction.commit(), putText(store, named('b'), 'two')])
    await turns(5)
    held.open() // Both are waiting, and go into one batch.
    const [refused, accepted] = await outcomes
    expect(refused).toMatchObject({ status: 'rejected', reason: refusal('ERR_NOT_FOUND') })
    expect(accepted).toMatchObject({ status: 'fulfilled', value: { object: '0000000000000004' } })
    expect(await readText(store, named('a'))).toBe('one')
    await earlier
    await assertChains(pool)
  })

  test('because the queue is full may be tried again', async () => {
    const { store, pool } = await openHarness({ pool: memoryPool({ queueTransactionsMax: 1 }) })
    const outcomes = await Promise.allSettled([putText(store, named('a'), 'one'), putText(store, named('b'), 'two')])
    expect(outcomes).toMatchObject([{ status: 'fulfilled' }, { reason: refusal('ERR_BUSY') }])
    expect(pool.status().stagedBytes).toBe(0)
    await putText(store, named('b'), 'two')
    await assertChains(pool)
  })
})

describe('the sequencer', () => {
  /** A pool that drafts at once and resolves when it is told to. */
  function manualPool() {
    let sequence = 0
    const commits: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
    const begin = (): Transaction => ({
      reserve: async () => {},
      stage: () => ({ length: 0, write: async () => {}, shed: async () => {}, async *read() {} }),
      drop: async () => {},
      commit(drafting: Drafting) {
        const first = sequence + 1
        sequence += drafting(first).records.length
        return new Promise((resolve, reject) => commits.push({ resolve: () => resolve(first), reject }))
      },
      prepare: async () => 0,
      abort: async () => {},
    })
    const pool = { position: { pool: 'p', epoch: 3, sequence: 0 }, begin } as unknown as Pool
    return { pool, commits }
  }

  class RecordingCatalog extends MemoryCatalog {
    readonly applied: [sequence: number, epoch: number][] = []
    override apply(records: readonly DurableRecord[], epoch: number): void {
      for (const { record } of records) this.applied.push([record.sequence, epoch])
      super.apply(records, epoch)
    }
  }

  function open(pool: Pool, catalog: MemoryCatalog, buckets: string[] = ['inbox']): Sequencer {
    const recent = new RecentRecords({ recentRecordsMax: 8, recentBytesMax: 1 << 20 }, 0)
    const options = { pool, catalog, partition: 'main', clock: tickingClock(), bucketsMax: 100, recent }
    const known = buckets.map((bucket) => [bucket, { versioning: 'off' }] as const)
    return new Sequencer(options, { sequence: 0, time: 0, digest: '' }, { buckets: known, partials: [] })
  }

  test('hands records over in order and without gaps, whatever resolves first', async () => {
    const { pool, commits } = manualPool()
    const catalog = new RecordingCatalog()
    const sequencer = open(pool, catalog)
    const committing = ['x-1', 'x-2', 'x-3'].map((bucket) =>
      sequencer.commit(pool.begin(), [changes.createBucket(origin, bucket)]),
    )
    await turn()
    commits[2]!.resolve()
    commits[1]!.resolve()
    await Promise.all(committing.slice(1))
    expect(catalog.applied).toEqual([])
    commits[0]!.resolve()
    await committing[0]
    expect(catalog.applied).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ])
  })

  test('takes back what a pool refuses late, when nothing came after it', async () => {
    const { pool, commits } = manualPool()
    const sequencer = open(pool, new MemoryCatalog())
    const committing = sequencer.commit(pool.begin(), [changes.createBucket(origin, 'other')])
    await turn()
    expect([...sequencer.buckets.keys()]).toEqual(['inbox', 'other'])
    commits[0]!.reject(new PoolError('ERR_LIMITS', 'too large'))
    await expect(committing).rejects.toMatchObject({ code: 'ERR_LIMITS' })
    expect([...sequencer.buckets.keys()]).toEqual(['inbox'])
  })

  test('holds a name from before it is drawn up until the catalog has folded it, and no longer', async () => {
    const held = gate()
    const pool = memoryPool()
    const catalog = new MemoryCatalog({ pace: () => held.opened })
    const sequencer = open(pool, catalog)
    const put = (key: string, size: number) => {
      const transaction = pool.begin()
      const digests = { sha256: 'aa', crc32c: 'bb' }
      const parts = {
        origin,
        name: named(key),
        staging: transaction.stage(),
        digests,
        attributes: { 'object.size': size },
      }
      return sequencer.commit(transaction, [changes.put({ ...parts, createsBucket: false })])
    }
    await Promise.all([put('a', 1), put('a', 2), put('b', 3)])
    expect(sequencer.bindings.size).toBe(2)
    await expect(put('c', Number.NaN)).rejects.toThrow('JSON has no NaN')
    expect(sequencer.bindings.size).toBe(2)
    held.open()
    await catalog.settled(3)
    await turn()
    expect(sequencer.bindings.size).toBe(0)
  })

  test('commits nothing when there is nothing to change', async () => {
    const pool = memoryPool()
    const sequencer = open(pool, new MemoryCatalog())
    expect(await sequencer.commit(pool.begin(), [changes.remove(origin, named('a'))])).toEqual([])
    expect(pool.position.sequence).toBe(0)
    expect(sequencer.bindings.size).toBe(0)
  })
})
