import { describe, expect, test } from 'vitest'
import type { Disposition, OpenStore, Receipt, StoreErrorCode, Verdict } from '../../streams/index.ts'
import {
  blockPool,
  levelCatalog,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  readText,
  recordsOf,
  refusal,
  textOf,
} from '../support/store-harness.ts'

const DAY_MS = 86_400_000
const reader = originOf(['object:read', 'object:write'])

function verdict({ bucket, key, sequence }: Receipt, disposition: Disposition, completion = 'control-lost'): Verdict {
  const reason = disposition === 'keep' ? {} : { reason: 'the sender vanished' }
  return {
    origin: reader,
    name: { bucket, key },
    version: sequence,
    set: { 'ftp.completion': completion },
    disposition,
    ...reason,
  }
}

const attributesOf = async (store: OpenStore, key: string) => (await store.stat(origin, named(key))).attributes
const open = async () => openHarness({ catalog: await levelCatalog(), pool: await blockPool() })
const expectRefused = (work: Promise<unknown>, code: StoreErrorCode, message?: string) =>
  expect(work).rejects.toMatchObject({ ...refusal(code), ...(message && { message }) })

describe('a verdict', () => {
  test('on many versions is one transaction, and a record in the stream of each', async () => {
    const { store, pool } = await open()
    const receipts = []
    for (let index = 0; index < 50; index++) receipts.push(await putText(store, named(`a${index}`), 'x'))
    const before = (await recordsOf(pool)).at(-1)!.record
    await store.judge(receipts.map((receipt) => verdict(receipt, 'keep', 'confirmed')))
    const records = (await recordsOf(pool)).map(({ record }) => record).slice(-50)
    expect(records.map(({ sequence }) => sequence)).toEqual(receipts.map((_, index) => before.sequence + 1 + index))
    expect(new Set(records.map(({ time }) => time)).size).toBe(1) // A draft has one time.
    expect(records[7]).toMatchObject({
      operation: 'attributes',
      application: 'tester',
      key: 'a7',
      set: { 'ftp.completion': 'confirmed' },
      version: receipts[7]!.sequence,
    })
    expect((await store.query(origin, 'ftp.completion:confirmed')).objects.length).toBe(50)
  })

  test('that says nothing new leaves no record', async () => {
    const { store, pool } = await open()
    const receipt = await putText(store, named('a'), 'x')
    for (let times = 0; times < 2; times++)
      await store.judge([verdict(receipt, 'keep'), verdict(receipt, 'quarantine')])
    expect((await recordsOf(pool)).filter(({ record }) => record.operation === 'attributes').length).toBe(2)
    await store.judge([])
  })

  test('follows its version to another name, and into the past, and leaves what replaced it alone', async () => {
    const { store } = await open()
    const renamed = await putText(store, named('a'), 'x')
    await store.rename(origin, named('a'), named('b'))
    const replaced = await putText(store, named('c'), 'old')
    await putText(store, named('c'), 'new')
    const removed = await putText(store, named('d'), 'x')
    await store.remove(origin, named('d'))
    await store.judge([renamed, replaced, removed].map((receipt) => verdict(receipt, 'quarantine')))
    expect(await attributesOf(store, 'b')).toMatchObject({ 'ftp.completion': 'control-lost' })
    expect(await attributesOf(store, 'c')).not.toHaveProperty('ftp.completion')
    expect(await readText(store, named('c'))).toBe('new')
    expect((await store.stream(origin, named('c'))).map(({ operation }) => operation)).toEqual(['put', 'put'])
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    const older = await putText(store, named('e'), 'old')
    await putText(store, named('e'), 'new')
    await store.judge([verdict(older, 'quarantine')])
    expect(await attributesOf(store, 'e')).not.toHaveProperty('quarantine.reason')
    await expectRefused(
      store.versions.readVersion(reader, { ...named('e'), version: older.version }),
      'ERR_QUARANTINED',
    )
  })
})

describe('what is quarantined', () => {
  test('is listed and found, and read by nobody who may not judge it', async () => {
    const { store } = await open()
    const receipt = await putText(store, named('a'), 'half a fi')
    await store.judge([verdict(receipt, 'quarantine')])
    const words = 'inbox/a is quarantined: the sender vanished'
    const { version } = receipt
    await expectRefused(store.read(reader, named('a')), 'ERR_QUARANTINED', words)
    await expectRefused(store.read(reader, named('a'), { offset: 1, length: 2 }), 'ERR_QUARANTINED', words)
    await expectRefused(store.versions.readVersion(reader, { ...named('a'), version }), 'ERR_QUARANTINED', words)
    expect(await readText(store, named('a'))).toBe('half a fi')
    expect((await store.list(reader, 'inbox')).objects).toMatchObject([{ key: 'a', size: 9 }])
    const { objects } = await store.query(reader, 'quarantine.reason:*')
    expect(objects).toMatchObject([{ key: 'a', attributes: { 'quarantine.reason': 'the sender vanished' } }])
    expect(objects[0]?.attributes['quarantine.time']).toMatch(/^2023-11-14T.*Z$/)
  })

  test('is quarantined under its new name, and not after another put', async () => {
    const { store } = await open()
    await store.judge([verdict(await putText(store, named('a'), 'half'), 'quarantine')])
    await store.rename(reader, named('a'), named('b'))
    await expectRefused(store.read(reader, named('b')), 'ERR_QUARANTINED')
    await putText(store, named('b'), 'whole')
    expect(await textOf((await store.read(reader, named('b'))).body)).toBe('whole')
  })

  test('cannot be let go by its client', async () => {
    const { store } = await open()
    await store.judge([verdict(await putText(store, named('a'), 'half'), 'quarantine')])
    await expectRefused(store.annotate(reader, named('a'), {}, ['quarantine.reason']), 'ERR_INVALID')
    await expectRefused(store.versions.release(reader, named('a')), 'ERR_FORBIDDEN')
    await expectRefused(store.versions.discard(reader, named('a')), 'ERR_FORBIDDEN')
    await expectRefused(store.read(reader, named('a')), 'ERR_QUARANTINED')
  })

  test('is released, once', async () => {
    const { store } = await open()
    await store.judge([verdict(await putText(store, named('a'), 'half'), 'quarantine')])
    expect(await store.versions.release(origin, named('a'))).toBe(true)
    expect(await textOf((await store.read(reader, named('a'))).body)).toBe('half')
    expect(await attributesOf(store, 'a')).toMatchObject({ 'ftp.completion': 'control-lost' })
    expect(await store.versions.release(origin, named('a'))).toBe(false)
    expect(await store.versions.discard(origin, named('a'))).toBe(false)
    expect(await readText(store, named('a'))).toBe('half')
    await expectRefused(store.versions.release(origin, named('missing')), 'ERR_NOT_FOUND')
  })

  test('is removed for good, and the version before comes back', async () => {
    const { store } = await open()
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    await putText(store, named('a'), 'whole')
    await store.judge([verdict(await putText(store, named('a'), 'half'), 'quarantine')])
    expect(await store.versions.discard(origin, named('a'))).toBe(true)
    expect(await textOf((await store.read(reader, named('a'))).body)).toBe('whole')
    const stream = await store.stream(origin, named('a'))
    expect(stream.at(-1)).toMatchObject({ operation: 'delete', reason: 'discarded from quarantine' })
  })
})

describe('what is dropped', () => {
  test('is gone, with its reason in the stream', async () => {
    const { store, pool } = await open()
    const dropped = await putText(store, named('a'), 'half')
    const kept = await putText(store, named('b'), 'whole')
    await store.judge([verdict(dropped, 'drop'), verdict(kept, 'keep', 'confirmed')])
    await expectRefused(store.stat(origin, named('a')), 'ERR_NOT_FOUND')
    expect(await readText(store, named('b'))).toBe('whole')
    const records = (await recordsOf(pool)).map(({ record }) => record)
    const stream = records.filter((record) => 'object' in record && record.object === dropped.object)
    expect(stream.map(({ operation }) => operation)).toEqual(['put', 'attributes', 'delete'])
    expect(stream[1]).toMatchObject({ set: { 'ftp.completion': 'control-lost' } })
    expect(stream[2]).toMatchObject({ reason: 'the sender vanished', version: dropped.sequence })
  })

  test.each<[string, (store: OpenStore, now: number) => Promise<void>]>([
    ['retained', (store, now) => store.versions.retain(origin, named('a'), now + DAY_MS)],
    ['held', (store) => store.versions.hold(origin, named('a'), true)],
  ])('stays in quarantine while it is %s', async (_what, lock) => {
    const { store } = await open()
    const receipt = await putText(store, named('a'), 'half')
    await lock(store, (await store.stat(origin, named('a'))).time)
    await store.judge([verdict(receipt, 'drop')])
    await expectRefused(store.read(reader, named('a')), 'ERR_QUARANTINED')
    expect(await readText(store, named('a'))).toBe('half')
    await expectRefused(store.versions.discard(origin, named('a')), 'ERR_LOCKED')
  })
})
