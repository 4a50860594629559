import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { content } from '../../filters/index.ts'
import type { Envelope, OpenStore, Origin, Policy, StoreErrorCode } from '../../streams/index.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  ALL,
  blockPool,
  envelopeOf,
  levelCatalog,
  named,
  openHarness,
  origin,
  readText,
  recordsOf,
  refusal,
} from '../support/store-harness.ts'

function heldTo(policy: Policy, application = 'scanner'): Origin {
  return { ...origin, principal: { application, partition: 'main', permissions: ALL, policy } }
}

interface Sent extends Partial<Pick<Envelope, 'expected' | 'announced' | 'attributes'>> {
  readonly bytes?: Uint8Array
}

async function put(store: OpenStore, from: Origin, key: string, text: string, sent: Sent = {}) {
  const { bytes = Buffer.from(text), ...more } = sent
  const upload = await store.begin({ ...envelopeOf(named(key)), origin: from, ...more })
  try {
    await upload.write(bytes)
  } catch (error) {
    await upload.abort()
    throw error
  }
  return upload.commit()
}

const open = async () =>
  openHarness({ catalog: await levelCatalog(), pool: await blockPool(), stages: () => [content] })
const expectRefused = (work: Promise<unknown>, code: StoreErrorCode, message?: string) =>
  expect(work).rejects.toMatchObject({ ...refusal(code), ...(message && { message }) })

describe('names', () => {
  const from = heldTo({ names: ['*.pdf', 'inbox/in/**'] })

  test('that meet a pattern are stored, others are refused before the first byte', async () => {
    const { store } = await open()
    await put(store, from, 'a.pdf', 'x')
    await put(store, from, 'in/deep/b.txt', 'x')
    const refused = store.begin({ ...envelopeOf(named('a.exe')), origin: from })
    await expectRefused(refused, 'ERR_NAME', 'scanner may store *.pdf, inbox/in/** and no other names')
    await put(store, origin, 'a.exe', 'x')
  })

  test('are those of a rename and of a stream, too', async () => {
    const { store } = await open()
    await put(store, from, 'a.pdf', 'x')
    await expectRefused(store.rename(from, named('a.pdf'), named('a.exe')), 'ERR_NAME')
    await expectRefused(store.renamePrefix(from, named('a.pdf'), named('b.exe')), 'ERR_NAME')
    const request = { contentType: 'text/plain', messages: [] }
    await expectRefused(store.createStream(from, named('log'), request), 'ERR_NAME')
    await store.rename(from, named('a.pdf'), named('b.pdf'))
    expect((await store.list(origin, 'inbox')).objects.map(({ key }) => key)).toEqual(['b.pdf'])
  })
})

describe('content', () => {
  const png = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de', 'hex')

  test('is what it is found to be, whatever its client calls it', async () => {
    const { store } = await open()
    const from = heldTo({ contentTypes: ['application/pdf', 'image/*'] })
    await put(store, from, 'a', '%PDF-1.7\n')
    await put(store, from, 'b', '', { bytes: png })
    const lie = put(store, from, 'c', 'text', { attributes: { 'content.type': 'application/pdf' } })
    await expectRefused(lie, 'ERR_CONTENT', 'scanner may store application/pdf, image/*, and this is text/plain')
    expect((await store.list(origin, 'inbox')).objects.map(({ key }) => key)).toEqual(['a', 'b'])
    expect((await store.status).uploadsOpen).toBe(0)
  })
})

describe('the size of an object', () => {
  test('is bounded as declared, as announced, and as it comes', async () => {
    const { store } = await open()
    const from = heldTo({ objectBytesMax: 4 })
    await put(store, from, 'a', 'four')
    const words = 'an object may have at most 4 bytes'
    for (const more of [{ expected: { size: 5 } }, { announced: 5 }])
      await expectRefused(store.begin({ ...envelopeOf(named('b')), origin: from, ...more }), 'ERR_TOO_LARGE', words)
    await expectRefused(put(store, from, 'b', 'fives'), 'ERR_TOO_LARGE', words)
  })
})

describe('a quota', () => {
  test('of bytes is used up to the last one, and refuses before the first byte what it can', async () => {
    const { store } = await open()
    const from = heldTo({ quotaBytes: 10 })
    await put(store, from, 'a', 'sixsix')
    const words = 'scanner may keep 10 bytes and has 6: there is no room for 5 more'
    for (const more of [{ expected: { size: 5 } }, { announced: 5 }])
      await expectRefused(store.begin({ ...envelopeOf(named('b')), origin: from, ...more }), 'ERR_QUOTA', words)
    await expectRefused(put(store, from, 'b', 'fives'), 'ERR_QUOTA', words)
    const upload = await store.begin({ ...envelopeOf(named('b')), origin: from })
    await upload.write(Buffer.from('four'))
    await expectRefused(upload.write(Buffer.from('!')), 'ERR_QUOTA') // Not only at its end.
    await put(store, from, 'b', 'four')
    await expectRefused(store.begin({ ...envelopeOf(named('c')), origin: from }), 'ERR_QUOTA')
    await put(store, heldTo({}, 'other'), 'c', 'is not held to it')
  })

  test('of objects is the same, streams included', async () => {
    const { store } = await open()
    const from = heldTo({ quotaObjects: 2 })
    await put(store, from, 'a', 'x')
    const request = { contentType: 'text/plain', messages: [] }
    await store.createStream(from, named('log'), request)
    await expectRefused(put(store, from, 'b', 'x'), 'ERR_QUOTA', 'scanner may keep 2 objects and has 2')
    await expectRefused(store.createStream(from, named('more'), request), 'ERR_QUOTA')
    expect((await store.createStream(from, named('log'), request)).kind).toBe('exists')
    await put(store, from, 'a', 'takes the place of what was there')
  })

  test('has room again for whoever removed something, at once', async () => {
    const { store } = await open()
    const from = heldTo({ quotaBytes: 10, quotaObjects: 1 })
    for (let round = 0; round < 20; round++) {
      await put(store, from, 'a', 'tenbytes..')
      await store.remove(from, named('a'))
    }
  })

  test('lets a version replace one of its own, by what it takes beyond that', async () => {
    const { store } = await open()
    const from = heldTo({ quotaBytes: 10, quotaObjects: 1 })
    await put(store, from, 'a', 'eightby.')
    await put(store, from, 'a', 'tenbytes..')
    await expectRefused(put(store, from, 'a', 'elevenbytes'), 'ERR_QUOTA')
    expect(await readText(store, named('a'))).toBe('tenbytes..')
    await put(store, from, 'a', 'x')
    expect(await store.available(from)).toBe(0) // It has its one object.
  })

  test('does not let it replace what is gone, where its room is somebody else’s by then', async () => {
    const { store } = await open()
    const from = heldTo({ quotaBytes: 10 })
    await put(store, from, 'a', 'tenbytes..')
    const upload = await store.begin({ ...envelopeOf(named('a')), origin: from })
    await upload.write(Buffer.from('tenbytes!!'))
    await store.remove(from, named('a'))
    await put(store, from, 'b', 'sixsix')
    await expectRefused(upload.commit(), 'ERR_QUOTA')
    expect((await store.list(origin, 'inbox')).objects.map(({ key }) => key)).toEqual(['b'])
    await put(store, from, 'c', 'four')
  })

  test('counts versions that are kept, and not those of other applications', async () => {
    const { store } = await open()
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    const from = heldTo({ quotaBytes: 10 })
    const { version } = await put(store, from, 'a', 'fives')
    await put(store, from, 'a', 'fives')
    await expectRefused(put(store, from, 'a', 'x'), 'ERR_QUOTA')
    await put(store, origin, 'a', 'another’s')
    await store.versions.removeVersion(origin, named('a'), version)
    await put(store, from, 'a', 'fives')
    await expectRefused(put(store, from, 'a', 'x'), 'ERR_QUOTA')
  })

  test('is the same after a restart, and after the catalog was lost', async () => {
    const pool = await blockPool()
    const from = heldTo({ quotaBytes: 10 })
    for (const catalog of [await levelCatalog(), await levelCatalog()]) {
      const { store } = await openHarness({ pool, catalog })
      if (catalog.usage('scanner').objects === 0) await put(store, from, 'a', 'sixsix')
      await store.stat(from, named('a')) // The catalog has caught up with it.
      expect(catalog.usage('scanner')).toEqual({ bytes: 6, objects: 1 })
      await expectRefused(put(store, from, 'b', 'fives'), 'ERR_QUOTA')
      await store.close()
    }
  })

  test('is held by uploads underway, and given back by those that come to nothing', async () => {
    const { store } = await open()
    const from = heldTo({ quotaBytes: 10 })
    const upload = await store.begin({ ...envelopeOf(named('a')), origin: from, announced: 8 })
    await expectRefused(put(store, from, 'b', 'four'), 'ERR_QUOTA')
    expect(await store.available(from)).toBe(2)
    await upload.abort()
    expect(await store.available(from)).toBe(10)
    await put(store, from, 'b', 'tenbytes..')
  })

  test('is never passed, however many come at once: at no record of the stream', { timeout: 60_000 }, async () => {
    const step = fc.record({
      verb: fc.constantFrom('put' as const, 'put' as const, 'remove' as const),
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      size: fc.integer({ min: 0, max: 8 }),
      declared: fc.boolean(),
    })
    const scenario = async (steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]) => {
      const pool = memoryPool()
      const { store } = await openHarness({ pool, catalog: await levelCatalog() })
      const from = heldTo({ quotaBytes: 20, quotaObjects: 4 })
      const outcomes = await Promise.allSettled(
        steps.map(({ verb, key, size, declared }) =>
          verb === 'remove'
            ? store.remove(from, named(key))
            : put(store, from, key, 'x'.repeat(size), declared ? { expected: { size } } : {}),
        ),
      )
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(refusal('ERR_QUOTA'))
      const sizes = new Map<string, number>()
      for (const { record } of await recordsOf(pool)) {
        if (record.operation === 'put') sizes.set(record.key, record.size)
        if (record.operation === 'delete') sizes.delete(record.key)
        expect(sizes.size).toBeLessThanOrEqual(4)
        expect([...sizes.values()].reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(20)
      }
      const left = 20 - [...sizes.values()].reduce((sum, size) => sum + size, 0)
      if (sizes.size < 4) expect(await store.available(from)).toBe(left)
    }
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), scenario), { numRuns: 40 })
  })
})

test('what the pool leaves is told, too', async () => {
  const { store, pool } = await open()
  const { freeBytes } = pool.status()
  expect(await store.available(origin)).toBe(freeBytes - pool.limits.reserveBytes)
  expect(await store.available(heldTo({ quotaBytes: 7 }))).toBe(7)
})

describe('an upload that is gone on with', () => {
  test('is held to the quota as a whole, of which it keeps what is durable when it is cut off', async () => {
    const { store } = await open()
    const from = heldTo({ quotaBytes: 10, names: ['a'] })
    const envelope = { ...envelopeOf(named('a')), origin: from }
    const first = await store.partials.begin(envelope)
    await first.write(Buffer.from('sixsix'))
    expect(await store.available(from)).toBe(5) // The last byte is held back.
    await first.suspend()
    expect(await store.available(from)).toBe(5)
    const second = await store.partials.resume(envelope)
    await expectRefused(second.write(Buffer.from('seven..')), 'ERR_QUOTA')
    const third = await store.partials.begin(envelope)
    await third.write(Buffer.from('tenbytes..'))
    await third.commit()
    expect(await store.available(from)).toBe(0)
    await expectRefused(store.partials.begin({ ...envelope, name: named('b') }), 'ERR_NAME')
  })
})
