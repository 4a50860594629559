import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MESSAGES_MAX, ORDER_BYTES_MAX } from '../../streams/appending/appending.ts'
import { PRODUCER_ID_BYTES_MAX } from '../../streams/appending/producer.ts'
import { STREAM_TYPE_BYTES_MAX } from '../../streams/appending/stream-creation.ts'
import { PRODUCERS_MAX } from '../../streams/appending/stream-state.ts'
import type {
  AppendOutcome,
  AppendRecord,
  AttributeChange,
  CreateOutcome,
  OpenStore,
  Producer,
} from '../../streams/index.ts'
import { assertChains } from '../support/chains.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  gate,
  levelCatalog,
  named,
  openHarness,
  origin,
  originOf,
  putText,
  refusal,
  temporaryDirectory,
  turns,
} from '../support/store-harness.ts'

const log = named('log')
const json = { contentType: 'application/json', messages: [] }
const from = (id: string, epoch: number, sequence: number): Producer => ({ id, epoch, sequence })
const say = (store: OpenStore, message: string, producer?: Producer): Promise<AppendOutcome> =>
  store.append(origin, log, { messages: [message], contentType: 'application/json', ...(producer && { producer }) })

async function messagesOf(store: OpenStore, name = log): Promise<string[]> {
  const ending = new AbortController()
  const messages: string[] = []
  for await (const page of store.tail(origin, { after: 0, name, messages: true, signal: ending.signal })) {
    for (const record of page.records) messages.push(...(record as AppendRecord).messages)
    if (page.upToDate) break
  }
  return messages
}

describe('a stream that an application makes', () => {
  test('is an object, whose messages are its records', async () => {
    const { store, pool } = await openHarness()
    expect(await store.createStream(origin, log, json)).toEqual({ kind: 'created', next: 2, isClosed: false })
    expect(await say(store, '1')).toEqual({ kind: 'appended', next: 3, isClosed: false })
    expect(await store.append(origin, log, { messages: ['2', '3'] })).toMatchObject({ next: 4 })
    expect(await messagesOf(store)).toEqual(['1', '2', '3'])
    expect(await store.streamHead(origin, log)).toEqual({
      first: 2,
      last: 4,
      next: 4,
      isClosed: false,
      contentType: 'application/json',
    })
    expect(await store.stat(origin, log)).toMatchObject({
      size: 0,
      attributes: { 'stream.content-type': 'application/json', 'object.size': 0, 'object.name': 'log' },
    })
    await assertChains(pool)
  })

  test('is made once; what is there already is told', async () => {
    const { store } = await openHarness()
    await store.createStream(origin, log, { ...json, messages: ['1'] })
    const same = { contentType: 'Application/JSON; charset=utf-8', messages: ['2'] }
    expect(await store.createStream(origin, log, same)).toEqual({ kind: 'exists', next: 3, isClosed: false })
    expect(await store.createStream(origin, log, { ...json, closes: true })).toMatchObject({ kind: 'another' })
    expect(await store.createStream(origin, log, { contentType: 'text/plain', messages: [] })).toMatchObject({
      kind: 'another',
    })
    await putText(store, named('a'), 'one')
    expect(await store.createStream(origin, named('a'), json)).toMatchObject({ kind: 'another' })
    expect(await messagesOf(store)).toEqual(['1'])
  })

  test('is another one when it is made again after it was removed', async () => {
    const { store } = await openHarness()
    await store.createStream(origin, log, { ...json, messages: ['1'] })
    await say(store, '2', from('p', 3, 0))
    await store.remove(origin, log)
    await expect(say(store, '3')).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    await store.createStream(origin, log, json)
    expect(await messagesOf(store)).toEqual([])
    expect(await say(store, '4', from('p', 0, 0))).toMatchObject({ kind: 'appended' })
  })

  test('is found, renamed and described like any object', async () => {
    const { store } = await openHarness({ catalog: await levelCatalog() })
    await store.createStream(origin, log, { ...json, messages: ['1'] })
    await store.annotate(origin, log, { 'user.line': 7 })
    await store.rename(origin, log, named('old'))
    const { objects } = await store.query(origin, 'stream.content-type:* AND user.line = 7')
    expect(objects.map(({ key }) => key)).toEqual(['old'])
    expect(await store.append(origin, named('old'), { messages: ['2'] })).toMatchObject({ kind: 'appended' })
    expect(await messagesOf(store, named('old'))).toEqual(['1', '2'])
    expect(await store.streamHead(origin, named('old'))).toMatchObject({ next: 6, last: 6 })
  })

  test('takes nothing once it is closed', async () => {
    const { store } = await openHarness()
    await store.createStream(origin, log, json)
    const last = { messages: ['1'], closes: true, producer: from('p', 0, 0) }
    expect(await store.append(origin, log, last)).toEqual({ kind: 'appended', next: 3, isClosed: true })
    expect(await say(store, '2')).toEqual({ kind: 'closed', next: 3, isClosed: true })
    expect(await say(store, '2', from('p', 0, 1))).toMatchObject({ kind: 'closed' })
    expect(await store.append(origin, log, last)).toMatchObject({ kind: 'duplicate', isClosed: true })
    expect(await store.append(origin, log, { messages: [], closes: true })).toMatchObject({ kind: 'closed-before' })
    expect(await messagesOf(store)).toEqual(['1'])
  })

  test('takes its own type only, in its own order', async () => {
    const { store } = await openHarness()
    await store.createStream(origin, log, json)
    const text = { messages: ['x'], contentType: 'text/plain' }
    expect(await store.append(origin, log, text)).toMatchObject({ kind: 'another-type' })
    const ordered = (order: string) => store.append(origin, log, { messages: [order], order })
    expect(await ordered('2')).toMatchObject({ kind: 'appended' })
    for (const order of ['10', '2', '']) expect(await ordered(order)).toMatchObject({ kind: 'out-of-order' })
    expect(await ordered('\u{10000}')).toMatchObject({ kind: 'appended' })
    expect(await ordered('\uffff')).toMatchObject({ kind: 'out-of-order' })
    expect(await messagesOf(store)).toEqual(['2', '\u{10000}'])
  })

  test('is no stream when it is an object with bytes', async () => {
    const { store } = await openHarness()
    await putText(store, log, 'bytes')
    expect(await say(store, '1')).toMatchObject({ kind: 'no-stream' })
    expect(await store.streamHead(origin, log)).not.toHaveProperty('contentType')
  })

  test('is made in a bucket that exists, or by one who may make it', async () => {
    const { store } = await openHarness()
    const writer = originOf(['object:write'])
    await expect(store.createStream(writer, named('log', 'logs'), json)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    expect(await store.createStream(origin, named('log', 'logs'), json)).toMatchObject({ kind: 'created' })
    expect(await store.buckets(origin)).toEqual(['inbox', 'logs'])
  })
})

describe('a producer', () => {
  test('is heard once, in its order, in its last life', async () => {
    const { store } = await openHarness()
    await store.createStream(origin, log, json)
    expect(await say(store, '1', from('p', 0, 1))).toMatchObject({ kind: 'gap', expected: 0, received: 1 })
    expect(await say(store, '1', from('p', 0, 0))).toMatchObject({ kind: 'appended', next: 3 })
    expect(await say(store, 'x', from('p', 0, 0))).toMatchObject({ kind: 'duplicate', next: 3 })
    expect(await say(store, '2', from('p', 0, 1))).toMatchObject({ kind: 'appended' })
    expect(await say(store, 'x', from('p', 0, 0))).toMatchObject({
      kind: 'duplicate',
      producer: { epoch: 0, sequence: 1, record: 4 },
    })
    expect(await say(store, 'x', from('p', 0, 3))).toMatchObject({ kind: 'gap', expected: 2, received: 3 })
    await expect(say(store, 'x', from('p', 1, 1))).rejects.toMatchObject(refusal('ERR_INVALID'))
    expect(await say(store, '3', from('p', 5, 0))).toMatchObject({ kind: 'appended' })
    expect(await say(store, 'x', from('p', 4, 0))).toMatchObject({ kind: 'stale', epoch: 5 })
    expect(await say(store, '4', from('q', 9, 0))).toMatchObject({ kind: 'appended' })
    expect(await messagesOf(store)).toEqual(['1', '2', '3', '4'])
  })

  test('is remembered by the records, whatever becomes of the catalog', async () => {
    const pool = memoryPool()
    const directory = await temporaryDirectory()
    const first = await openHarness({ pool, catalog: await levelCatalog(directory) })
    await first.store.createStream(origin, log, json)
    await say(first.store, '1', from('p', 2, 0))
    await putText(first.store, named('a'), 'one')
    await first.store.appendChanges(origin, named('a'), [{ set: { 'user.n': 1 }, unset: [] }], from('__proto__', 0, 0))
    await first.store.close()
    for (const catalog of [undefined, await levelCatalog()]) {
      const { store } = await openHarness({ pool, ...(catalog && { catalog }) })
      expect(await say(store, 'x', from('p', 2, 0))).toMatchObject({ kind: 'duplicate' })
      expect(await say(store, 'x', from('p', 1, 0))).toMatchObject({ kind: 'stale', epoch: 2 })
      const changes = [{ set: { 'user.n': 2 }, unset: [] }]
      expect(await store.appendChanges(origin, named('a'), changes, from('__proto__', 0, 0))).toMatchObject({
        kind: 'duplicate',
      })
      await store.close()
    }
  })

  test('is remembered over a new version of the object, and over its removal where versions are kept', async () => {
    const { store } = await openHarness({ catalog: await levelCatalog() })
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    await putText(store, named('a'), 'one')
    const change = () => store.appendChanges(origin, named('a'), [{ set: { 'user.n': 1 }, unset: [] }], from('p', 0, 0))
    expect(await change()).toMatchObject({ kind: 'appended' })
    await putText(store, named('a'), 'two')
    expect(await change()).toMatchObject({ kind: 'duplicate' })
    await store.remove(origin, named('a'))
    const marker = (await store.versions.listVersions(origin, 'inbox')).versions.find(
      ({ state }) => state === 'marker',
    )!
    await store.versions.removeVersion(origin, named('a'), marker.version)
    expect(await change()).toMatchObject({ kind: 'duplicate' })
  })

  test('that repeats itself at once is told so when the first is durable', async () => {
    const flushed = gate()
    let isHeld = false
    const pool = memoryPool({ flush: async () => (isHeld ? flushed.opened : undefined) })
    const { store } = await openHarness({ pool })
    await store.createStream(origin, log, json)
    isHeld = true
    const outcomes: AppendOutcome[] = []
    const saying = [1, 2].map(async () => outcomes.push(await say(store, '1', from('p', 0, 0))))
    await turns(20)
    expect(outcomes).toEqual([])
    flushed.open()
    await Promise.all(saying)
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['appended', 'duplicate'])
    expect(await messagesOf(store)).toEqual(['1'])
  })

  test('to a stream that another request makes just then is told so when that is durable', async () => {
    const flushed = gate()
    let isHeld = false
    const pool = memoryPool({ flush: async () => (isHeld ? flushed.opened : undefined) })
    const { store } = await openHarness({ pool })
    isHeld = true
    const outcomes: CreateOutcome[] = []
    const making = [1, 2].map(async () => outcomes.push(await store.createStream(origin, log, json)))
    await turns(20)
    expect(outcomes).toEqual([])
    flushed.open()
    await Promise.all(making)
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['created', 'exists'])
  })

  test.each([
    ['a bucket that is made', (store: OpenStore) => store.createBucket(origin, 'other')],
    ['a setting', (store: OpenStore) => store.versions.configure(origin, 'inbox', { versioning: 'enabled' })],
    ['an object that is removed', (store: OpenStore) => store.remove(origin, named('a'))],
  ])('%s just then is there when it is durable, for whoever asks for the same', async (_, ask) => {
    const flushed = gate()
    let isHeld = false
    const pool = memoryPool({ flush: async () => (isHeld ? flushed.opened : undefined) })
    const { store } = await openHarness({ pool })
    await putText(store, named('a'), 'one')
    isHeld = true
    let answers = 0
    const asking = [1, 2].map(async () => {
      await ask(store)
      answers += 1
    })
    await turns(20)
    expect(answers).toBe(0)
    flushed.open()
    await Promise.all(asking)
    expect(answers).toBe(2)
  })

  test('that repeats itself is not told that all is well when the pool fails', async () => {
    const flushed = gate()
    let isHeld = false
    const flush = async () => {
      if (!isHeld) return
      await flushed.opened
      throw new Error('the device failed')
    }
    const { store } = await openHarness({ pool: memoryPool({ flush }) })
    await store.createStream(origin, log, json)
    isHeld = true
    const saying = [1, 2].map(() => say(store, '1', from('p', 0, 0)))
    const settled = Promise.allSettled(saying)
    await turns(20)
    flushed.open()
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  test('changes attributes, all that one request has or nothing', async () => {
    const { store } = await openHarness()
    await putText(store, named('a'), 'one')
    const changes = [1, 2].map((n) => ({ set: { 'user.n': n }, unset: n === 2 ? ['user.m'] : [] }))
    const change = (sequence: number, some: readonly AttributeChange[] = changes) =>
      store.appendChanges(origin, named('a'), some, from('p', 0, sequence))
    expect(await change(0)).toEqual({ kind: 'appended', next: 4, isClosed: false })
    expect(await change(0)).toMatchObject({ kind: 'duplicate', next: 4 })
    expect(await change(2)).toMatchObject({ kind: 'gap', expected: 1 })
    const bad = [...changes, { set: { 'object.size': 1 }, unset: [] }]
    await expect(change(1, bad)).rejects.toMatchObject(refusal('ERR_INVALID'))
    await expect(change(1, [])).rejects.toMatchObject(refusal('ERR_INVALID'))
    expect(await store.stream(origin, named('a'))).toHaveLength(3)
    expect(await store.appendChanges(origin, named('a'), changes)).toMatchObject({ kind: 'appended', next: 6 })
  })
})

describe('bounds', () => {
  test('a stream has so many producers', async () => {
    const { store } = await openHarness()
    await store.createStream(origin, log, json)
    for (let count = 0; count < PRODUCERS_MAX; count++) await say(store, '1', from(`p${count}`, 0, 0))
    await expect(say(store, '1', from('one more', 0, 0))).rejects.toMatchObject(refusal('ERR_QUOTA'))
    expect(await say(store, '1', from('p0', 0, 1))).toMatchObject({ kind: 'appended' })
  })

  test.each([
    [{ messages: new Array(MESSAGES_MAX + 1).fill('1') }, 'ERR_TOO_LARGE'],
    [{ messages: ['1'], order: 'x'.repeat(ORDER_BYTES_MAX + 1) }, 'ERR_INVALID'],
    [{ messages: ['1'], producer: from('x'.repeat(PRODUCER_ID_BYTES_MAX + 1), 0, 0) }, 'ERR_INVALID'],
    [{ messages: ['1'], producer: from('', 0, 0) }, 'ERR_INVALID'],
    [{ messages: ['1'], producer: from('p', -1, 0) }, 'ERR_INVALID'],
    [{ messages: ['1'], producer: from('p', 0, 2 ** 53) }, 'ERR_INVALID'],
  ] as const)('an append beyond them is refused (%#)', async (append, code) => {
    const { store } = await openHarness()
    await store.createStream(origin, log, json)
    await expect(store.append(origin, log, append)).rejects.toMatchObject(refusal(code))
    expect(await messagesOf(store)).toEqual([])
  })

  test('a media type has so many bytes', async () => {
    const { store } = await openHarness()
    const request = { contentType: 'x'.repeat(STREAM_TYPE_BYTES_MAX + 1), messages: [] }
    await expect(store.createStream(origin, log, request)).rejects.toMatchObject(refusal('ERR_INVALID'))
  })

  test('a client sets no attribute of a stream', async () => {
    const { store } = await openHarness()
    await putText(store, named('a'), 'one')
    const set = { 'stream.content-type': 'text/plain' }
    await expect(store.annotate(origin, named('a'), set)).rejects.toMatchObject(refusal('ERR_INVALID'))
  })

  test.each([
    ['createStream', (store: OpenStore) => store.createStream(originOf(['object:read']), log, json)],
    ['append', (store: OpenStore) => store.append(originOf(['object:read']), log, { messages: ['1'] })],
    [
      'appendChanges',
      (store: OpenStore) => store.appendChanges(originOf(['object:read']), log, [{ set: {}, unset: [] }]),
    ],
    ['streamHead', (store: OpenStore) => store.streamHead(originOf(['object:write']), log)],
  ])('%s needs its permission', async (_name, ask) => {
    const { store } = await openHarness()
    await expect(ask(store)).rejects.toMatchObject(refusal('ERR_FORBIDDEN'))
  })
})

test('whatever is sent again, and whenever the server stops, each message is there once and in order', async () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ what: fc.constant('send' as const), producer: fc.nat(2), again: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const), forget: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('epoch' as const), producer: fc.nat(2) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      const pool = memoryPool()
      let { store, catalog } = await openHarness({ pool })
      await store.createStream(origin, log, json)
      const places = [0, 1, 2].map(() => ({ epoch: 0, next: 0 }))
      const expected: string[] = []
      for (const made of steps) {
        if (made.what === 'restart') {
          await store.close()
          ;({ store, catalog } = await openHarness({ pool, ...(!made.forget && { catalog }) }))
        } else if (made.what === 'epoch') {
          const place = places[made.producer]!
          if (place.next > 0) places[made.producer] = { epoch: place.epoch + 1, next: 0 }
        } else {
          const place = places[made.producer]!
          const isAgain = made.again && place.next > 0
          const sequence = isAgain ? place.next - 1 : place.next
          const message = JSON.stringify([made.producer, place.epoch, sequence])
          const sent = say(store, message, from(`p${made.producer}`, place.epoch, sequence))
          if (!isAgain) place.next += 1
          if (!isAgain) expected.push(message)
          expect((await sent).kind).toBe(isAgain ? 'duplicate' : 'appended')
        }
      }
      expect(await messagesOf(store)).toEqual(expected)
    }),
    { numRuns: 100 },
  )
})
