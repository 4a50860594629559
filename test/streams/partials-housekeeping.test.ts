import { describe, expect, test } from 'vitest'
import type { Envelope, OpenStore } from '../../streams/index.ts'
import { ROUND_MAX } from '../../streams/partials/partial-housekeeping.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  by,
  bytes,
  cutOff,
  envelope,
  name,
  openPartials,
  operations,
  origin,
  STEP,
} from '../support/partial-uploads.ts'
import { named, putText, recordsOf, refusal } from '../support/store-harness.ts'

describe('a partial upload goes', () => {
  test('when another one begins', async () => {
    const { store, pool } = await openPartials()
    await cutOff(store, bytes(STEP))
    const upload = await store.partials.begin(envelope())
    expect(await store.partials.find(origin, name)).toMatchObject({ size: 0 })
    expect(pool.status().extentBytes).toBe(0)
    await upload.abort()
    expect(await store.partials.find(origin, name)).toBeUndefined()
  })

  test('on request, of its application or of who manages buckets', async () => {
    const { store, pool } = await openPartials()
    await cutOff(store, Buffer.from('a'), named('a'), by('other'))
    await cutOff(store, Buffer.from('b'), named('b'), by('other'))
    expect(await store.partials.drop(by('other', ['object:write']), 'other', named('a'))).toBe(true)
    expect(await store.partials.drop(origin, 'other', named('b'))).toBe(true)
    expect(await store.partials.drop(origin, 'other', named('b'))).toBe(false)
    expect(await operations(pool)).toEqual(['bucket', 'prepare', 'prepare', 'abandon', 'abandon'])
    expect(await store.partials.list(origin)).toEqual([])
  })

  test('when nobody went on with it for so long, the oldest first, a bounded number at a time', async () => {
    let now = 1_700_000_000_000
    const { store, pool } = await openPartials({ clock: { now: () => now } })
    for (let i = 0; i < ROUND_MAX + 2; i++) await cutOff(store, Buffer.from('x'), named(`k${i}`))
    now += 1000
    expect(await store.expirePartials(origin, 1001)).toBe(false)
    expect(await store.partials.list(origin)).toHaveLength(ROUND_MAX + 2)
    await cutOff(store, Buffer.from('young'), named('young'))
    expect(await store.expirePartials(origin, 1000)).toBe(true)
    expect((await store.partials.list(origin)).map(({ key }) => key)).toEqual(['k100', 'k101', 'young'])
    expect(await store.expirePartials(origin, 1000)).toBe(false)
    expect((await store.partials.list(origin)).map(({ key }) => key)).toEqual(['young'])
    const { record } = (await recordsOf(pool)).at(-1)!
    expect(record).toMatchObject({ operation: 'abandon', owner: 'tester', reason: expect.stringContaining('expired') })
  })

  test.each([
    ['too many', { partialsMax: 2 }],
    ['too many bytes', { partialBytesMax: 25 }],
  ])('when its application has %s', async (_, limits) => {
    const { store } = await openPartials({ limits })
    await cutOff(store, bytes(10), named('theirs'), by('other'))
    for (const key of ['one', 'two', 'three']) await cutOff(store, bytes(10), named(key))
    expect((await store.partials.list(origin)).map(({ key }) => key)).toEqual(['theirs', 'two', 'three'])
  })

  test.each<[string, (store: OpenStore) => Promise<unknown>]>([
    ['an upload that declares its size', (store) => begun(store, { size: 40_000 })],
    ['an upload that comes to a step', (store) => resumable(store)],
  ])('when there is no room in the pool for %s', async (_, upload) => {
    const { store } = await openPartials({ pool: memoryPool({ bytesMax: 2.5 * STEP }) })
    await cutOff(store, bytes(STEP), named('one'))
    await cutOff(store, bytes(STEP), named('two'))
    await upload(store)
    expect((await store.partials.list(origin)).map(({ key }) => key)).not.toContain('one')
  })

  test('but not for what would not fit even then', async () => {
    const { store } = await openPartials({ pool: memoryPool({ bytesMax: 3.5 * STEP }) })
    await cutOff(store, bytes(STEP), named('one'))
    await cutOff(store, bytes(STEP), named('two'), by('other'))
    await expect(begun(store, { size: 4 * STEP })).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
    expect((await store.partials.list(origin)).map(({ key }) => key)).toEqual(['one', 'two'])
  })

  test('when there was no room for an upload, so that the next one finds some', async () => {
    const { store } = await openPartials({ pool: memoryPool({ bytesMax: 2000 }) })
    await cutOff(store, bytes(1000), named('one'))
    await cutOff(store, bytes(1000), named('two'))
    await expect(putText(store, name, 'x')).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
    await putText(store, name, 'x')
    expect((await store.partials.list(origin)).map(({ key }) => key)).toEqual(['two'])
  })
})

async function begun(store: OpenStore, expected: Envelope['expected']): Promise<void> {
  await (await store.begin({ ...envelope(named('new')), expected })).abort()
}

async function resumable(store: OpenStore): Promise<void> {
  const upload = await store.partials.begin(envelope(named('new')))
  await upload.write(bytes(STEP / 2))
  await upload.write(bytes(STEP / 2))
  await upload.commit()
}
