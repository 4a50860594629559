import { describe, expect, test } from 'vitest'
import type { Catalog, NewSubscription, OpenStore } from '../../streams/index.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  levelCatalog,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  recordsOf,
  refusal,
  temporaryDirectory,
} from '../support/store-harness.ts'

const asked: NewSubscription = {
  url: 'https://example.org/hook',
  query: 'content.type:image/*',
  format: 'json',
  after: 'now',
  secret: { kind: 'sealed', value: 'sealed' },
}
const letter = (sequence: number) => ({ sequence, attempts: 20, time: 7, reason: 'it answered 500' })

/** Two subscriptions with a past, and one that ended. */
async function tell(store: OpenStore): Promise<void> {
  await store.subscribe(origin, 'one', asked)
  await store.subscribe(origin, 'two', { ...asked, after: 0 })
  await store.subscribe(origin, 'gone', asked)
  await store.noteDelivery(origin, { id: 'one', after: 4, dead: [letter(4), letter(3)], settled: [] })
  await store.noteDelivery(origin, { id: 'two', after: 1, dead: [], settled: [] })
  await store.noteDelivery(origin, { id: 'gone', after: 1, dead: [letter(1)], settled: [] })
  await store.noteDelivery(origin, { id: 'one', after: 5, dead: [{ ...letter(3), attempts: 40 }], settled: [4] })
  await store.subscribe(origin, 'gone', null)
  await store.noteDelivery(origin, { id: 'gone', after: 2, dead: [], settled: [] })
  await store.subscribe(originOf(), 'one', { ...asked, url: 'https://example.org/other', after: 6, paused: true })
}

const { secret, url, query, format } = asked
const registration = { secret, url, query, format }
const changed = { ...registration, url: 'https://example.org/other', after: 6, paused: true }
const told = [
  { id: 'one', application: 'tester', registration: changed, after: 6 },
  { id: 'two', application: 'tester', registration: { ...registration, after: 0 }, after: 1 },
]

describe.each<[string, () => Promise<Catalog>]>([
  ['memory', async () => new MemoryCatalog()],
  ['level', () => levelCatalog()],
])('in a catalog on %s', (_, openCatalog) => {
  test('subscriptions are what their records make them', async () => {
    const { store } = await openHarness({ catalog: await openCatalog() })
    await tell(store)
    const states = await store.subscriptions()
    expect(states).toMatchObject(told)
    expect(states[0]!.dead).toEqual([{ ...letter(3), attempts: 40 }])
  })

  test('they are so again when the catalog is made anew', async () => {
    const pool = memoryPool()
    const first = await openHarness({ pool })
    await tell(first.store)
    await first.store.close()
    const { store } = await openHarness({ pool, catalog: await openCatalog() })
    expect(await store.subscriptions()).toEqual(await first.catalog.subscriptions())
  })
})

test('they are there when the catalog is opened again', async () => {
  const directory = await temporaryDirectory()
  const pool = memoryPool()
  const first = await openHarness({ pool, catalog: await levelCatalog(directory) })
  await tell(first.store)
  const before = await first.store.subscriptions()
  await first.store.close()
  await first.catalog.close()
  const { store } = await openHarness({ pool, catalog: await levelCatalog(directory) })
  expect(await store.subscriptions()).toEqual(before)
})

test('one that begins now begins after its own record', async () => {
  const { store } = await openHarness()
  await putText(store, named('a'), 'x')
  expect(await store.subscribe(origin, 'one', asked)).toMatchObject({ after: 3, dead: [] })
  expect(await store.subscribe(origin, 'one', null)).toBeUndefined()
})

describe('refused is', () => {
  test.each([
    ['a query that is none', { query: 'content.type' }, 'ERR_INVALID'],
    ['a format that is none', { format: 'morse' }, 'ERR_INVALID'],
    ['a place beyond the end', { after: 2 }, 'ERR_INVALID'],
    ['a place before the beginning', { after: -1 }, 'ERR_INVALID'],
  ] as const)('%s', async (_, changes, code) => {
    const { store, pool } = await openHarness()
    await expect(store.subscribe(origin, 'one', { ...asked, ...changes })).rejects.toMatchObject(refusal(code))
    expect(await recordsOf(pool)).toHaveLength(1)
  })

  test('who may not read, or may not subscribe', async () => {
    const { store } = await openHarness()
    for (const permissions of [['object:read'], ['subscription:manage']] as const)
      await expect(store.subscribe(originOf(permissions), 'one', asked)).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
    const progress = { id: 'one', after: 0, dead: [], settled: [] }
    await expect(store.noteDelivery(originOf(['object:read']), progress)).rejects.toMatchObject(
      refusal('ERR_FORBIDDEN'),
    )
  })
})

test('nobody is told of the notes, nor of a secret, nor of what others subscribe to', async () => {
  const { store } = await openHarness()
  await tell(store)
  const seenBy = async (by: typeof origin) => {
    const { value } = await store.tail(by, { after: 0, signal: new AbortController().signal }).next()
    return value.records as readonly { operation: string }[]
  }
  const all = await seenBy(origin)
  expect(all.map(({ operation }) => operation)).toEqual(['bucket', ...new Array(5).fill('subscription')])
  expect(JSON.stringify(all)).not.toContain('sealed')
  const other = {
    ...originOf(['object:read']),
    principal: { ...origin.principal, permissions: ['object:read'] as const },
  }
  expect(await seenBy(other)).toHaveLength(6)
  const stranger = { ...other, principal: { ...other.principal, application: 'stranger' } }
  expect(await seenBy(stranger)).toHaveLength(1)
})
