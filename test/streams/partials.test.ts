import { describe, expect, test } from 'vitest'
import { content, ftp } from '../../filters/index.ts'
import { chooseFormat, MemoryDevice, type Pool } from '../../pool/index.ts'
import {
  type Catalog,
  digestOf,
  type Envelope,
  type ObjectName,
  type OpenStore,
  type Origin,
  type PartialUpload,
  type ResumableUpload,
  type Stage,
  verifyStream,
} from '../../streams/index.ts'
import { ROUND_MAX } from '../../streams/partials/partial-housekeeping.ts'
import { MemoryCatalog } from '../support/memory-catalog.ts'
import { memoryPool } from '../support/memory-pool.ts'
import { formatDevice, openDevice } from '../support/single-device.ts'
import {
  blockPool,
  type Harness,
  type HarnessOptions,
  levelCatalog,
  named,
  openHarness,
  originOf,
  putText,
  readText,
  recordsOf,
  refusal,
  textOf,
} from '../support/store-harness.ts'

const KIB = 1024
/** Steps of 64 KiB, so that little is enough to come to one. */
const STEP = 64 * KIB
const origin = originOf()
const name = named('film')

const by = (application: string, permissions = origin.principal.permissions): Origin => ({
  ...origin,
  principal: { ...origin.principal, application, permissions },
})

function envelope(of: ObjectName = name, by: Origin = origin): Envelope {
  return {
    origin: by,
    name: of,
    facts: { type: 'ftp', user: 'tester', path: `/${of.bucket}/${of.key}`, secure: false },
    expected: {},
    attributes: {},
  }
}

/** No two bytes a mebibyte apart are alike. */
function bytes(length: number, from = 0): Buffer {
  const all = Buffer.alloc(length)
  for (let i = 0; i < length; i++) all[i] = ((from + i) * 31 + ((from + i) >> 8) * 7 + ((from + i) >> 16) * 3) & 255
  return all
}

const open = (options: HarnessOptions = {}): Promise<Harness> =>
  openHarness({
    ...options,
    stages: ({ facts }) => (facts.type === 'ftp' ? [ftp as Stage, content] : [content]),
    limits: { prepareBytes: STEP, ...options.limits },
  })

/** With one byte more, which is held back. */
async function cutOff(store: OpenStore, content: Uint8Array, of = name, by = origin): Promise<void> {
  const upload = await store.partials.begin(envelope(of, by))
  await upload.write(content)
  await upload.write(Buffer.from('!'))
  await upload.suspend()
}

async function send(upload: ResumableUpload, content: Uint8Array) {
  for (let at = 0; at < content.length; at += 10_000) await upload.write(content.subarray(at, at + 10_000))
  return upload.commit()
}

async function bytesOf({ store }: Harness, of = name): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (await store.read(origin, of)).body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const operations = async (pool: Pool) => (await recordsOf(pool)).map(({ record }) => record.operation)

async function expectSound({ pool, store }: Harness): Promise<void> {
  const findings = []
  const custody = { pool, settled: async () => {} }
  for await (const event of verifyStream(custody, {})) if (event.type === 'finding') findings.push(event)
  expect(findings).toEqual([])
  expect((await pool.check()).findings).toEqual([])
  expect(store.status.uploadsOpen).toBe(0)
}

describe.each<[string, () => Promise<Pool>]>([
  ['in memory', async () => memoryPool()],
  ['on a device', () => blockPool()],
])('in a pool %s, an upload that is cut off', (_, openPool) => {
  test.each([1, 5000, 40_000, STEP, STEP + 1, 5 * STEP + 17])('at %i bytes goes on where it was', async (length) => {
    const harness = await open({ pool: await openPool() })
    const { store } = harness
    const whole = bytes(6 * STEP + 99)
    await cutOff(store, whole.subarray(0, length))
    expect(await store.partials.find(origin, name)).toMatchObject({ size: length, upload: '0000000000000002' })
    await expect(store.stat(origin, name)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
    const upload = await store.partials.resume(envelope(), length)
    expect(upload.size).toBe(length)
    const { size, digests } = await send(upload, whole.subarray(length))
    expect({ size, sha256: digests.sha256 }).toEqual({ size: whole.length, sha256: digestOf(whole) })
    expect((await bytesOf(harness)).equals(whole)).toBe(true)
    expect(await store.partials.find(origin, name)).toBeUndefined()
    await expectSound(harness)
  })

  test('is cut back when it goes on from before its end', async () => {
    const harness = await open({ pool: await openPool() })
    const { store } = harness
    const whole = bytes(4 * STEP)
    await cutOff(store, Buffer.concat([whole.subarray(0, STEP + 500), bytes(STEP, 7)]))
    await send(await store.partials.resume(envelope(), STEP + 500), whole.subarray(STEP + 500))
    expect((await bytesOf(harness)).equals(whole)).toBe(true)
    await expectSound(harness)
  })

  test('loses nothing when it is cut off again before it was back where it was', async () => {
    const harness = await open({ pool: await openPool() })
    const { store } = harness
    const whole = bytes(4 * STEP)
    await cutOff(store, whole.subarray(0, 3 * STEP))
    const upload = await store.partials.resume(envelope(), 2 * STEP)
    await upload.suspend()
    expect(await store.partials.find(origin, name)).toMatchObject({ size: 3 * STEP })
    await send(await store.partials.resume(envelope()), whole.subarray(3 * STEP))
    expect((await bytesOf(harness)).equals(whole)).toBe(true)
  })

  test('can be cut off again and again, and what is not needed any more is given back', async () => {
    const harness = await open({ pool: await openPool() })
    const { store, pool } = harness
    const whole = bytes(10 * STEP)
    const before = pool.status()
    for (let at = 0; at < whole.length; at += 50_000) {
      const upload = await store.partials.resume(envelope())
      expect(upload.size).toBe(at)
      await upload.write(whole.subarray(at, at + 50_001))
      await upload.suspend()
    }
    const last = await store.partials.resume(envelope())
    const { digests } = await send(last, whole.subarray(last.size))
    expect(digests.sha256).toBe(digestOf(whole))
    await expectSound(harness)
    await store.remove(origin, name)
    for (let i = 0; i < 2; i++) await pool.checkpoint()
    expect(pool.status()).toMatchObject({ extentBytes: before.extentBytes, stagedBytes: 0, promisedBytes: 0 })
  })
})

test('what was durable goes on after the server was killed', async () => {
  const device = await formattedDevice()
  const { store } = await open({ pool: await openDevice(device) })
  const whole = bytes(7 * STEP)
  const upload = await store.partials.begin(envelope())
  await upload.write(whole.subarray(0, 4 * STEP + 1000))
  const killed = new MemoryDevice(device.bytes.length, 4096)
  killed.bytes.set(device.bytes)
  await upload.suspend()
  const again = await open({ pool: await openDevice(killed), catalog: await levelCatalog() })
  const { size } = (await again.store.partials.find(origin, name))!
  expect(size % STEP).toBe(0)
  expect(size).toBeGreaterThanOrEqual(3 * STEP)
  await send(await again.store.partials.resume(envelope(), size), whole.subarray(size))
  expect((await bytesOf(again)).equals(whole)).toBe(true)
  await expectSound(again)
})

async function formattedDevice(): Promise<MemoryDevice> {
  const device = new MemoryDevice(64 << 20, 4096)
  await formatDevice(device, chooseFormat(64 << 20), { pool: Buffer.alloc(16, 1), member: Buffer.alloc(16, 2) })
  return device
}

test('the last byte is held back, so that whoever has sent all of it comes once more to end it', async () => {
  const harness = await open()
  const { store } = harness
  const whole = bytes(3 * STEP)
  const upload = await store.partials.begin(envelope())
  await upload.write(whole)
  expect(upload.size).toBe(whole.length)
  await upload.suspend()
  expect(await store.partials.find(origin, name)).toMatchObject({ size: whole.length - 1 })
  const last = await store.partials.resume(envelope(), whole.length - 1)
  await last.write(whole.subarray(-1))
  expect(await last.commit()).toMatchObject({ size: whole.length })
  expect(last.size).toBe(whole.length)
  expect((await bytesOf(harness)).equals(whole)).toBe(true)
})

describe('how much is not durable', () => {
  test('is two steps at the most, however slow the device', async () => {
    let release = () => {}
    let flushes = 0
    const flush = () => (++flushes > 1 ? new Promise<void>((resolve) => (release = resolve)) : Promise.resolve())
    const { store, pool } = await open({ pool: memoryPool({ flush }) })
    const upload = await store.partials.begin(envelope())
    let taken = 0
    const writing = (async () => {
      for (const piece = bytes(1000); taken < 10 * STEP; taken += 1000) await upload.write(piece)
    })()
    for (let i = 0; i < 1000; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(taken).toBeGreaterThan(2 * STEP - 2000)
    expect(upload.size).toBeLessThanOrEqual(2 * STEP)
    expect(pool.position.sequence).toBe(1)
    const opening = setInterval(() => release(), 1)
    await writing
    await upload.commit()
    clearInterval(opening)
  })

  test('what a record says of the stages is true of its bytes', async () => {
    const { store, pool } = await open({ pool: await blockPool() })
    const upload = await store.partials.begin(envelope())
    const whole = bytes(9 * STEP + 5)
    for (let at = 0; at < whole.length; at += 777) await upload.write(whole.subarray(at, at + 777))
    const prepared = (await recordsOf(pool)).filter(({ record }) => record.operation === 'prepare')
    expect(prepared.length).toBeGreaterThan(5)
    const { record, payloads } = prepared.at(-1)!
    const [size] = payloads
    expect(record).toMatchObject({ size, stages: { limiter: size, digest: { sha256: { length: size } } } })
    await upload.commit()
  })
})

test('what waits for room in a quota while its upload is cut off is no part of it', async () => {
  const catalog = new GatedCatalog()
  const harness = await open({ catalog })
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
  expect(await store.available(bounded)).toBe(1000)
  const again = await store.partials.resume(envelope(name, bounded))
  expect(again.size).toBe(size)
  await send(again, bytes(10, size))
  expect((await bytesOf(harness)).equals(bytes(size + 10))).toBe(true)
  await expectSound(harness)
})

test('what waits for room in a quota while its upload is aborted holds none', async () => {
  const catalog = new GatedCatalog()
  const { store } = await open({ catalog })
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

describe('under a name that has a version already', () => {
  test('the beginning of an upload is durable before its first byte', async () => {
    const harness = await open()
    const { store, pool } = harness
    await putText(store, name, 'the version before')
    const upload = await store.partials.begin(envelope())
    expect(await operations(pool)).toEqual(['bucket', 'put', 'prepare'])
    expect(await store.partials.find(origin, name)).toMatchObject({ size: 0 })
    expect(await readText(store, name)).toBe('the version before')
    await send(upload, Buffer.from('the version after'))
    expect(await readText(store, name)).toBe('the version after')
    expect(await store.partials.find(origin, name)).toBeUndefined()
    await expectSound(harness)
  })

  test('a new name costs no record', async () => {
    const { store, pool } = await open()
    await send(await store.partials.begin(envelope()), Buffer.from('x'))
    expect(await operations(pool)).toEqual(['bucket', 'put'])
  })

  test('a version that was put later is what its name stands for', async () => {
    const { store } = await open()
    await cutOff(store, Buffer.from('part'))
    await putText(store, name, 'whole')
    expect(await store.partials.find(origin, name)).toBeUndefined()
    await store.annotate(origin, name, { 'user.a': 'b' })
    const upload = await store.partials.resume(envelope())
    await send(upload, Buffer.from(' and more'))
    expect(await readText(store, name)).toBe('whole and more')
  })

  test('attributes that were set later say nothing of the bytes', async () => {
    const { store } = await open()
    await putText(store, name, 'whole')
    await cutOff(store, Buffer.from('part'))
    await store.annotate(origin, name, { 'user.a': 'b' })
    expect(await store.partials.find(origin, name)).toMatchObject({ size: 4 })
  })

  test('what it goes on from must not have been replaced meanwhile', async () => {
    const { store } = await open()
    await putText(store, name, 'whole')
    const upload = await store.partials.resume(envelope())
    await upload.write(Buffer.from(' and more'))
    await putText(store, name, 'another')
    await expect(upload.commit()).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    expect(await readText(store, name)).toBe('another')
    expect(await store.partials.find(origin, name)).toBeUndefined()
  })

  test('what was replaced meanwhile is not gone on from once it was cut off, either', async () => {
    const { store } = await open()
    await putText(store, name, 'whole')
    const upload = await store.partials.resume(envelope())
    await upload.write(bytes(STEP))
    await putText(store, name, 'another')
    await upload.write(bytes(STEP))
    await upload.suspend()
    expect(await store.partials.find(origin, name)).toBeUndefined()
    await send(await store.partials.resume(envelope()), Buffer.from(' and more'))
    expect(await readText(store, name)).toBe('another and more')
  })

  test('and that is cut off before all of that was copied leaves nothing', async () => {
    const { store, pool } = await open()
    await putText(store, name, 'x'.repeat(10_000))
    const upload = await store.partials.resume(envelope())
    await upload.suspend()
    expect(await operations(pool)).toEqual(['bucket', 'put'])
    expect(pool.status().stagedBytes).toBe(0)
  })
})

describe('one at a time', () => {
  test('another one that goes on is refused, and one that starts anew leaves nothing', async () => {
    const harness = await open()
    const { store } = harness
    await cutOff(store, bytes(STEP))
    const first = await store.partials.resume(envelope())
    await expect(store.partials.resume(envelope())).rejects.toMatchObject(refusal('ERR_BUSY'))
    await expect(store.partials.drop(origin, 'tester', name)).rejects.toMatchObject(refusal('ERR_BUSY'))
    expect(await store.expirePartials(origin, 0)).toBe(false)
    const second = await store.partials.begin(envelope())
    await second.write(bytes(3 * STEP, 5))
    await second.suspend()
    await first.write(bytes(11, STEP))
    await first.suspend()
    expect(await store.partials.find(origin, name)).toMatchObject({ size: STEP + 10 })
    const third = await store.partials.resume(envelope())
    await third.commit()
    expect((await bytesOf(harness)).equals(bytes(STEP + 10))).toBe(true)
    await expectSound(harness)
  })

  test('one whose client has gone leaves nothing before the version that came meanwhile', async () => {
    const { store } = await open()
    const first = await store.partials.begin(envelope())
    await first.write(Buffer.from('part'))
    await send(await store.partials.begin(envelope()), Buffer.from('whole'))
    await first.suspend()
    expect(await store.partials.find(origin, name)).toBeUndefined()
  })

  test('another application has a partial upload of its own', async () => {
    const { store } = await open()
    await cutOff(store, Buffer.from('mine'))
    await cutOff(store, Buffer.from('theirs!'), name, by('other'))
    expect(await store.partials.find(origin, name)).toMatchObject({ size: 4, application: 'tester' })
    expect(await store.partials.find(by('other'), name)).toMatchObject({ size: 7, application: 'other' })
    expect(await store.partials.findAll(origin, 'inbox', 'fi')).toHaveLength(1)
    expect(await store.partials.findAll(origin, 'inbox', 'x')).toHaveLength(0)
    expect(await store.partials.list(origin)).toHaveLength(2)
  })
})

describe('refused is', () => {
  test('an offset beyond what is durable, with what is', async () => {
    const { store } = await open()
    const beyond = store.partials.resume(envelope(), 1)
    await expect(beyond).rejects.toMatchObject({ code: 'ERR_RANGE', message: '0 bytes are there to go on from' })
    await cutOff(store, Buffer.from('four'))
    const far = store.partials.resume(envelope(), 5)
    await expect(far).rejects.toMatchObject({ code: 'ERR_RANGE', message: '4 bytes are there to go on from' })
    await (await store.partials.resume(envelope(), 4)).abort()
    expect(store.status.uploadsOpen).toBe(0)
  })

  test('who may not', async () => {
    const { store } = await open()
    const reader = by('tester', ['object:read'])
    const writer = by('tester', ['object:write'])
    const refused = refusal('ERR_FORBIDDEN')
    await expect(store.partials.begin(envelope(name, reader))).rejects.toMatchObject(refused)
    await expect(store.partials.resume(envelope(name, reader))).rejects.toMatchObject(refused)
    await expect(store.partials.find(reader, name)).rejects.toMatchObject(refused)
    await expect(store.partials.findAll(reader, 'inbox', '')).rejects.toMatchObject(refused)
    await expect(store.partials.list(writer)).rejects.toMatchObject(refused)
    await expect(store.partials.drop(writer, 'other', name)).rejects.toMatchObject(refused)
    await putText(store, name, 'not to be read')
    await expect(store.partials.resume(envelope(name, writer))).rejects.toMatchObject(refused)
    await expect(store.partials.resume(envelope(named('a'), writer))).resolves.toBeDefined()
  })

  test('what is quarantined, but to whom it came from', async () => {
    const { store } = await open()
    const { sequence } = await putText(store, name, 'cut off')
    const verdict = { origin, name, version: sequence, set: {}, disposition: 'quarantine', reason: 'because' } as const
    await store.judge([verdict])
    const other = by('other', ['object:read', 'object:write'])
    await expect(store.partials.resume(envelope(name, other))).rejects.toMatchObject(refusal('ERR_QUARANTINED'))
    await send(await store.partials.resume(envelope()), Buffer.from(', and on'))
    expect(await readText(store, name)).toBe('cut off, and on')
  })

  test('what is retained, before the first byte', async () => {
    const { store, pool } = await open()
    await store.versions.configure(origin, 'inbox', { retention: { days: 1 } })
    await putText(store, name, 'retained')
    const count = (await recordsOf(pool)).length
    await expect(store.partials.begin(envelope())).rejects.toMatchObject(refusal('ERR_LOCKED'))
    await expect(store.partials.resume(envelope())).rejects.toMatchObject(refusal('ERR_LOCKED'))
    expect(await recordsOf(pool)).toHaveLength(count)
    expect(store.status.uploadsOpen).toBe(0)
  })

  test('what is too large, and nothing is left of it', async () => {
    const { store, pool } = await open({ limits: { objectBytesMax: 3 * STEP } })
    const upload = await store.partials.begin(envelope())
    await upload.write(bytes(2 * STEP))
    await expect(upload.write(bytes(2 * STEP))).rejects.toMatchObject(refusal('ERR_TOO_LARGE'))
    await upload.suspend()
    expect(await store.partials.find(origin, name)).toBeUndefined()
    expect((await operations(pool)).at(-1)).toBe('abandon')
    expect(pool.status()).toMatchObject({ stagedBytes: 0, extentBytes: 0 })
    expect(store.status.uploadsOpen).toBe(0)
  })
})

describe('a partial upload goes', () => {
  test('when another one begins', async () => {
    const { store, pool } = await open()
    await cutOff(store, bytes(STEP))
    const upload = await store.partials.begin(envelope())
    expect(await store.partials.find(origin, name)).toMatchObject({ size: 0 })
    expect(pool.status().extentBytes).toBe(0)
    await upload.abort()
    expect(await store.partials.find(origin, name)).toBeUndefined()
  })

  test('on request, of its application or of who manages buckets', async () => {
    const { store, pool } = await open()
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
    const { store, pool } = await open({ clock: { now: () => now } })
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
    const { store } = await open({ limits })
    await cutOff(store, bytes(10), named('theirs'), by('other'))
    for (const key of ['one', 'two', 'three']) await cutOff(store, bytes(10), named(key))
    expect((await store.partials.list(origin)).map(({ key }) => key)).toEqual(['theirs', 'two', 'three'])
  })

  test.each<[string, (store: OpenStore) => Promise<unknown>]>([
    ['an upload that declares its size', (store) => begun(store, { size: 40_000 })],
    ['an upload that comes to a step', (store) => resumable(store)],
  ])('when there is no room in the pool for %s', async (_, upload) => {
    const { store } = await open({ pool: memoryPool({ bytesMax: 2.5 * STEP }) })
    await cutOff(store, bytes(STEP), named('one'))
    await cutOff(store, bytes(STEP), named('two'))
    await upload(store)
    expect((await store.partials.list(origin)).map(({ key }) => key)).not.toContain('one')
  })

  test('but not for what would not fit even then', async () => {
    const { store } = await open({ pool: memoryPool({ bytesMax: 3.5 * STEP }) })
    await cutOff(store, bytes(STEP), named('one'))
    await cutOff(store, bytes(STEP), named('two'), by('other'))
    await expect(begun(store, { size: 4 * STEP })).rejects.toMatchObject(refusal('ERR_NO_SPACE'))
    expect((await store.partials.list(origin)).map(({ key }) => key)).toEqual(['one', 'two'])
  })

  test('when there was no room for an upload, so that the next one finds some', async () => {
    const { store } = await open({ pool: memoryPool({ bytesMax: 2000 }) })
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

test('nobody else is told of it', async () => {
  const harness = await open({ catalog: await levelCatalog() })
  const { store } = harness
  await cutOff(store, bytes(3 * STEP))
  await store.partials.drop(origin, 'tester', name)
  await cutOff(store, bytes(3 * STEP))
  expect((await store.list(origin, 'inbox')).objects).toEqual([])
  expect((await store.query(origin, 'object.key:*')).objects).toEqual([])
  await expect(store.stream(origin, name)).rejects.toMatchObject(refusal('ERR_NOT_FOUND'))
  for await (const { records } of store.tail(origin, { after: 0, signal: new AbortController().signal })) {
    expect(records.map(({ operation }) => operation)).toEqual(['bucket'])
    break
  }
  await expectSound(harness)
})

describe.each<[string, () => Promise<Catalog>]>([
  ['memory', async () => new MemoryCatalog()],
  ['level', () => levelCatalog()],
])('in a catalog on %s', (_, openCatalog) => {
  test('partial uploads are what their records make them, also when it is made anew', async () => {
    const pool = memoryPool()
    const { store, catalog } = await open({ pool, catalog: await openCatalog() })
    await cutOff(store, Buffer.from('a'), named('a'))
    await cutOff(store, Buffer.from('b'), named('b'), by('other'))
    await cutOff(store, Buffer.from('gone'), named('gone'))
    await cutOff(store, Buffer.from('whole'), named('whole'))
    await (await store.partials.resume(envelope(named('whole')))).commit()
    await store.partials.drop(origin, 'tester', named('gone'))
    await store.close()
    await catalog.settled(pool.position.sequence)
    const told = [...(await catalog.partials())].sort((one: PartialUpload, other) => one.prepared - other.prepared)
    expect(told).toMatchObject([
      { application: 'tester', key: 'a', size: 1 },
      { application: 'other', key: 'b', size: 1 },
    ])
    const again = await open({ pool, catalog: await openCatalog() })
    expect(await again.store.partials.list(origin)).toEqual(told)
    expect(await textOf((await again.store.read(origin, named('whole'))).body)).toBe('whole')
  })
})
