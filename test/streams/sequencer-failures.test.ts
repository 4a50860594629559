import { describe, expect, test } from 'vitest'
import { assertChains } from '../support/chains.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { gate, named, openHarness, origin, putText, readText, refusal, turn, turns } from '../support/store-harness.ts'

describe('a pool that fails', () => {
  test('leaves the outcome of what was underway unknown, refuses the rest, and can still be read', async () => {
    let fails = false
    const flush = async () => {
      if (fails) throw new Error('the device is gone')
    }
    const { store } = await openHarness({ pool: memoryPool({ flush }) })
    await putText(store, named('a'), 'one')
    fails = true
    const outcomes = await Promise.allSettled([
      store.annotate(origin, named('a'), { 'user.a': 1 }),
      store.remove(origin, named('a')),
    ])
    const unknown = { status: 'rejected', reason: refusal('ERR_OUTCOME_UNKNOWN') }
    expect(outcomes).toMatchObject([unknown, unknown])
    await expect(putText(store, named('b'), 'x')).rejects.toMatchObject(refusal('ERR_HALTED'))
    expect(await readText(store, named('a'))).toBe('one')
    await store.close()
  })
})

describe('a catalog that is slow', () => {
  test('does not keep receipts back, and reads wait for what was acknowledged', async () => {
    const held = gate()
    const slow = { wait: false }
    const pace = async () => {
      if (slow.wait) await held.opened
    }
    const { store } = await openHarness({ catalog: new MemoryCatalog({ pace }) })
    slow.wait = true
    const receipt = await putText(store, named('a'), 'one')
    expect(store.status).toMatchObject({ sequence: receipt.sequence, catalogSequence: receipt.sequence - 1 })
    const reads = [
      store.stat(origin, named('a')).then(({ sequence }) => sequence),
      readText(store, named('a')),
      store.list(origin, 'inbox').then(({ objects }) => objects.length),
      store.query(origin, 'object.size:3').then(({ objects }) => objects.length),
      store.stream(origin, named('a')).then(({ length }) => length),
    ]
    const settled: unknown[] = []
    for (const read of reads) void read.then((value) => settled.push(value))
    await turns(5)
    expect(settled).toEqual([])
    held.open()
    expect(await Promise.all(reads)).toEqual([receipt.sequence, 'one', 1, 1, 1])
  })

  test('is known to the next commit on the name, before it has learnt', async () => {
    const held = gate()
    const slow = { wait: false }
    const pace = async () => {
      if (slow.wait) await held.opened
    }
    const { store, pool } = await openHarness({ catalog: new MemoryCatalog({ pace }) })
    slow.wait = true
    const first = await putText(store, named('a'), 'one')
    const second = await putText(store, named('a'), 'three')
    expect(second.object).toBe(first.object)
    expect(await store.remove(origin, named('a'))).toBe(true)
    expect(await store.remove(origin, named('a'))).toBe(false)
    expect(pool.status().extentBytes).toBe(0)
    held.open()
    await expect(store.stat(origin, named('a'))).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    await assertChains(pool)
  })

  test('makes commits wait once it lags too far', async () => {
    const gates = Array.from({ length: 4 }, gate)
    let folds = 0
    const pace = () => gates[folds++]?.opened ?? Promise.resolve()
    const opening = openHarness({ catalog: new MemoryCatalog({ lagMax: 1, pace }) })
    gates[0]!.open()
    const { store, pool } = await opening
    await putText(store, named('a'), 'one') // Being folded.
    await putText(store, named('b'), 'two') // Queued.
    const third = putText(store, named('c'), 'three')
    await turns(5)
    expect(pool.position.sequence).toBe(3)
    gates[1]!.open()
    gates[2]!.open()
    expect(await third).toMatchObject({ sequence: 4 })
    for (const { open } of gates) open()
    expect((await store.list(origin, 'inbox')).objects).toHaveLength(3)
  })
})

describe('a catalog that fails', () => {
  test('takes nothing from what was acknowledged, and no more is', async () => {
    let fails = false
    const pace = async () => {
      if (fails) throw new Error('no room for the catalog')
    }
    const { store, pool } = await openHarness({ catalog: new MemoryCatalog({ pace }) })
    fails = true
    expect(await putText(store, named('a'), 'one')).toMatchObject({ sequence: 2 })
    await turn()
    await expect(putText(store, named('b'), 'two')).rejects.toMatchObject(refusal('ERR_INTERNAL'))
    await expect(store.stat(origin, named('a'))).rejects.toMatchObject(refusal('ERR_INTERNAL'))
    expect(pool.status().stagedBytes).toBe(0)
    await store.close()
    const { store: again } = await openHarness({ pool })
    expect(await readText(again, named('a'))).toBe('one')
  })

  test('to tell what a name is bound to refuses the commit, and is asked again by the next', async () => {
    class FailingCatalog extends MemoryCatalog {
      fails = true
      override async head(name: Parameters<MemoryCatalog['head']>[0]) {
        if (this.fails) throw new Error('damaged')
        return super.head(name)
      }
    }
    const catalog = new FailingCatalog()
    const { store, pool } = await openHarness({ catalog })
    const putting = Promise.allSettled([putText(store, named('a'), '1'), putText(store, named('a'), '2')])
    const refused = { status: 'rejected', reason: refusal('ERR_INTERNAL') }
    expect(await putting).toMatchObject([refused, refused])
    expect(pool.status().stagedBytes).toBe(0)
    catalog.fails = false
    await putText(store, named('a'), '3')
    expect(await readText(store, named('a'))).toBe('3')
  })
})
