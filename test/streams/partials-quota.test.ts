import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Pool } from '../../pool/index.ts'
import type { OpenStore, Origin, ResumableUpload, StoreError } from '../../streams/index.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  bytes,
  bytesOf,
  cutOff,
  envelope,
  expectSound,
  formattedDevice,
  name,
  openPartials,
  origin,
  reopened,
  STEP,
  send,
} from '../support/partial-uploads.ts'
import { openDevice } from '../support/single-device.ts'
import { named, putText, recordsOf, refusal } from '../support/store-harness.ts'

test('what waits for room in a quota while its upload is cut off is no part of it', async () => {
  const catalog = new GatedCatalog()
  const harness = await openPartials({ catalog })
  const { store } = harness
  const bounded = { ...origin, principal: { ...origin.principal, policy: { quotaBytes: 1000 } } }
  const other = await store.partials.begin(envelope(named('other'), bounded))
  await other.write(bytes(600))
  const upload = await store.partials.begin(envelope(name, bounded))
  await upload.write(bytes(300))
  const settle = catalog.shut('settled')
  const ready = catalog.shut('ready')
  const written = upload.write(bytes(200, 300)).catch((error: unknown) => error)
  await new Promise(setImmediate)
  await other.abort()
  const suspended = upload.suspend()
  await new Promise(setImmediate)
  settle()
  await written
  ready()
  await suspended
  const { size } = (await store.partials.find(origin, name))!
  expect(await store.available(bounded)).toBe(1000 - size)
  const again = await store.partials.resume(envelope(name, bounded))
  expect(again.size).toBe(size)
  await send(again, bytes(10, size))
  expect((await bytesOf(harness)).equals(bytes(size + 10))).toBe(true)
  await expectSound(harness)
})

test('what waits for room in a quota while its upload is aborted holds none', async () => {
  const catalog = new GatedCatalog()
  const { store } = await openPartials({ catalog })
  const bounded = { ...origin, principal: { ...origin.principal, policy: { quotaBytes: 1000 } } }
  const other = await store.partials.begin(envelope(named('other'), bounded))
  await other.write(bytes(600))
  const upload = await store.partials.begin(envelope(name, bounded))
  await upload.write(bytes(300))
  const settle = catalog.shut('settled')
  const written = upload.write(bytes(200, 300)).catch((error: unknown) => error)
  await new Promise(setImmediate)
  await other.abort()
  await upload.abort()
  settle()
  await written
  expect(await store.available(bounded)).toBe(1000)
})

/** One that can be made to wait. */
class GatedCatalog extends MemoryCatalog {
  readonly #gates = new Map<string, Promise<void>>()

  /** Until what it returns is called. */
  shut(which: 'settled' | 'ready'): () => void {
    let open = () => {}
    this.#gates.set(which, new Promise((resolve) => (open = resolve)))
    return () => open()
  }

  override async settled(sequence: number): Promise<void> {
    await this.#gates.get('settled')
    return super.settled(sequence)
  }

  override async ready(): Promise<void> {
    await this.#gates.get('ready')
    return super.ready()
  }
}

const heldTo = (quotaBytes: number): Origin => ({
  ...origin,
  principal: { ...origin.principal, policy: { quotaBytes } },
})
const left = (store: OpenStore, from: Origin): Promise<number> => store.available(from)

describe('what is prepared counts', () => {
  const from = heldTo(1000)
  const full = refusal('ERR_QUOTA')

  test('until it is let go, by whatever way', async () => {
    let now = 1_700_000_000_000
    const { store } = await openPartials({ clock: { now: () => now } })
    const lettingGo: readonly (() => Promise<unknown>)[] = [
      () => store.partials.drop(from, 'tester', name),
      () => store.expirePartials(origin, 1),
      () => putText(store, name, ''),
    ]
    for (const letGo of lettingGo) {
      await cutOff(store, bytes(600), name, from)
      expect([await left(store, from), await store.usage('tester')]).toEqual([400, { bytes: 600, objects: 0 }])
      await expect(cutOff(store, bytes(401), named('other'), from)).rejects.toMatchObject(full)
      now += 10
      await letGo()
      expect(await left(store, from)).toBe(1000)
    }
  })

  test('once, while it goes on, and when it has become a version', async () => {
    const { store } = await openPartials()
    await cutOff(store, bytes(600), name, from)
    const upload = await store.partials.resume(envelope(name, from))
    expect([await left(store, from), await store.usage('tester')]).toEqual([400, { bytes: 600, objects: 0 }])
    await upload.write(bytes(301, 600))
    expect(await left(store, from)).toBe(100) // The last byte is held back.
    await upload.suspend()
    expect(await left(store, from)).toBe(100)
    await send(await store.partials.resume(envelope(name, from)), bytes(100, 900))
    expect([await left(store, from), await store.usage('tester')]).toEqual([0, { bytes: 1000, objects: 1 }])
  })

  test('not against what starts anew in its place, or goes on from before its end', async () => {
    const { store } = await openPartials()
    await cutOff(store, bytes(900), name, from)
    const copied = await store.partials.resume(envelope(name, from), 100)
    await copied.write(bytes(701, 100))
    await copied.abort()
    expect(await left(store, from)).toBe(100)
    const anew = await store.partials.begin({ ...envelope(name, from), announced: 1000 })
    expect(await left(store, from)).toBe(0)
    await send(anew, bytes(1000))
    expect(await left(store, from)).toBe(0)
  })

  test('beside a version that it is to replace: what there is no room for is not kept, and stored all the same', async () => {
    const { store } = await openPartials()
    await send(await store.partials.begin(envelope(name, from)), bytes(700))
    await cutOff(store, bytes(300), name, from)
    expect(await store.usage('tester')).toEqual({ bytes: 1000, objects: 1 })
    const upload = await store.partials.resume(envelope(name, from))
    await upload.write(bytes(500, 300))
    await upload.suspend()
    expect(await store.partials.find(from, name)).toMatchObject({ size: 300 })
    await send(await store.partials.resume(envelope(name, from)), bytes(700, 300))
    expect(await store.usage('tester')).toEqual({ bytes: 1000, objects: 1 })
  })

  test('of an upload that no quota bound when it began, too', async () => {
    const { store } = await openPartials()
    await cutOff(store, bytes(600))
    const upload = await store.partials.resume(envelope())
    expect(await left(store, from)).toBe(400)
    await upload.suspend()
    expect(await left(store, from)).toBe(400)
  })

  test('after a restart, and where the quota is less by then', async () => {
    const device = await formattedDevice()
    const { store } = await openPartials({ pool: await openDevice(device) })
    await cutOff(store, bytes(600), name, from)
    const again = await reopened(device)
    expect([await left(again.store, from), await again.store.usage('tester')]).toEqual([
      400,
      { bytes: 600, objects: 0 },
    ])
    await expect(again.store.partials.resume(envelope(name, heldTo(599)))).rejects.toMatchObject(full)
    expect(await left(again.store, from)).toBe(400)
  })
})

test('at no record is a quota passed, whatever is cut off and goes on; and none is refused what there is room for', async () => {
  const QUOTA = 500_000
  const from = heldTo(QUOTA)
  const key = fc.constantFrom('a', 'b', 'c')
  const verb = fc.constantFrom<Step['verb']>('begin', 'begin', 'resume', 'resume', 'back', 'put', 'remove', 'drop')
  const end = fc.constantFrom<Step['end']>('commit', 'suspend', 'suspend', 'abort', 'stay')
  const step = fc.record({ verb, key, end, size: fc.integer({ min: 0, max: 4 * STEP }), isDeclared: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => play(steps, from, QUOTA)),
    {
      numRuns: 25,
    },
  )
})

interface Step {
  readonly verb: 'begin' | 'resume' | 'back' | 'put' | 'remove' | 'drop'
  readonly key: string
  readonly end: 'commit' | 'suspend' | 'abort' | 'stay'
  readonly size: number
  readonly isDeclared: boolean
}

async function play(steps: readonly Step[], from: Origin, quota: number): Promise<void> {
  const pool = memoryPool()
  const { store } = await openPartials({ pool })
  const staying: ResumableUpload[] = []
  for (const step of steps) {
    const before = await modelOf(pool)
    const isAlone = staying.length === 0
    const outcome = await take(store, from, step, staying).then(
      () => '',
      ({ code }: StoreError) => code,
    )
    expect(['', 'ERR_BUSY', 'ERR_CONFLICT', 'ERR_QUOTA']).toContain(outcome)
    if (isAlone && outcome !== 'ERR_CONFLICT') expect(outcome === 'ERR_QUOTA').toBe(needed(step, before) > quota)
    const model = await modelOf(pool)
    expect(model.bytesMost).toBeLessThanOrEqual(quota)
    expect((await store.usage('tester')).bytes).toBe(model.bytes)
  }
  for (const upload of staying) await upload.suspend()
  expect(await store.available(from)).toBe(quota - (await modelOf(pool)).bytes)
  expect(store.status.uploadsOpen).toBe(0)
}

async function take(store: OpenStore, from: Origin, step: Step, staying: ResumableUpload[]): Promise<void> {
  const { verb, key, size, end, isDeclared } = step
  const at = envelope(named(key), from)
  if (verb === 'remove') return void (await store.remove(from, named(key)))
  if (verb === 'drop') return void (await store.partials.drop(from, 'tester', named(key)))
  if (verb === 'put') return void (await putText(store, named(key), 'x'.repeat(size), { origin: from }))
  const there = await store.partials.find(from, named(key))
  const upload =
    verb === 'begin'
      ? await store.partials.begin({ ...at, ...(isDeclared && { announced: size }) })
      : await store.partials.resume(at, verb === 'back' ? (there?.size ?? 0) >> 1 : undefined)
  await upload.write(Buffer.alloc(0)) // What it goes on from is copied by then.
  for (const content = bytes(size); upload.size < size; ) await upload.write(content.subarray(upload.size))
  if (end === 'stay') staying.push(upload)
  else await upload[end]()
}

interface Model {
  readonly versions: ReadonlyMap<string, number>
  readonly partials: ReadonlyMap<string, number>
  readonly bytes: number
  /** At any record so far. */
  readonly bytesMost: number
}

/** The records alone: what they make of versions and of what is prepared. */
async function modelOf(pool: Pool): Promise<Model> {
  const versions = new Map<string, number>()
  const partials = new Map<string, number>()
  const sum = () => [...versions.values(), ...partials.values()].reduce((all, size) => all + size, 0)
  let bytesMost = 0
  for (const { record } of await recordsOf(pool)) {
    if (record.operation === 'put') versions.set(record.key, record.size)
    if (record.operation === 'put' && record.prepared !== undefined) partials.delete(record.key)
    if (record.operation === 'delete') versions.delete(record.key)
    if (record.operation === 'prepare') partials.set(record.key, record.size)
    if (record.operation === 'abandon') partials.delete(record.key)
    bytesMost = Math.max(bytesMost, sum())
  }
  return { versions, partials, bytes: sum(), bytesMost }
}

/** Bytes that there must be room for: what is there of other names, and of this one the version or what replaces it. */
function needed(step: Step, { versions, partials, bytes: all }: Model): number {
  const { verb, key, size } = step
  const version = versions.get(key) ?? 0
  const partial = partials.get(key) ?? 0
  if (verb === 'remove' || verb === 'drop') return 0
  if (verb === 'put') return all - version + Math.max(version, size, 1)
  return all - version - partial + Math.max(version, reached(step, version, partials.get(key)))
}

/** Of the upload: the last byte is held back until its end. */
function reached({ verb, size, end, isDeclared }: Step, version: number, partial?: number): number {
  const whole = verb === 'resume' ? (partial ?? version) : 0
  const start = verb === 'back' ? (partial ?? 0) >> 1 : whole
  const grown = size > start ? size - 1 : 0
  const declared = verb === 'begin' && isDeclared ? size : Math.max(1, start)
  return Math.max(declared, grown, end === 'commit' ? Math.max(size, start) : 0)
}
