import { describe, expect, test } from 'vitest'
import type { ObjectName, OpenStore, ResumableUpload, StoreError } from '../../streams/index.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  by,
  bytes,
  bytesOf,
  cutOff,
  envelope,
  expectSound,
  formattedDevice,
  name,
  openPartials,
  operations,
  origin,
  reopened,
  STEP,
  send,
} from '../support/partial-uploads.ts'
import { openDevice } from '../support/single-device.ts'
import { gate, named, putText, readText, recordsOf, refusal, turns } from '../support/store-harness.ts'

describe('under a name that has a version already', () => {
  test('the beginning of an upload is durable before its first byte', async () => {
    const harness = await openPartials()
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
    const { store, pool } = await openPartials()
    await send(await store.partials.begin(envelope()), Buffer.from('x'))
    expect(await operations(pool)).toEqual(['bucket', 'put'])
  })

  test('a version that was put later is what its name stands for', async () => {
    const { store } = await openPartials()
    await cutOff(store, Buffer.from('part'))
    await putText(store, name, 'whole')
    expect(await store.partials.find(origin, name)).toBeUndefined()
    await store.annotate(origin, name, { 'user.a': 'b' })
    const upload = await store.partials.resume(envelope())
    await send(upload, Buffer.from(' and more'))
    expect(await readText(store, name)).toBe('whole and more')
  })

  test('attributes that were set later say nothing of the bytes', async () => {
    const { store } = await openPartials()
    await putText(store, name, 'whole')
    await cutOff(store, Buffer.from('part'))
    await store.annotate(origin, name, { 'user.a': 'b' })
    expect(await store.partials.find(origin, name)).toMatchObject({ size: 4 })
  })

  test('what it goes on from must not have been replaced meanwhile', async () => {
    const { store } = await openPartials()
    await putText(store, name, 'whole')
    const upload = await store.partials.resume(envelope())
    await upload.write(Buffer.from(' and more'))
    await putText(store, name, 'another')
    await expect(upload.commit()).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    expect(await readText(store, name)).toBe('another')
    expect(await store.partials.find(origin, name)).toBeUndefined()
  })

  test('what was replaced meanwhile is not gone on from once it was cut off, either', async () => {
    const { store } = await openPartials()
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
    const { store, pool } = await openPartials()
    await putText(store, name, 'x'.repeat(10_000))
    const upload = await store.partials.resume(envelope())
    await upload.suspend()
    expect(await operations(pool)).toEqual(['bucket', 'put'])
    expect(pool.status().stagedBytes).toBe(0)
  })
})

describe('one at a time', () => {
  test('another one that goes on is refused, and one that starts anew leaves nothing', async () => {
    const harness = await openPartials()
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
    const { store } = await openPartials()
    const first = await store.partials.begin(envelope())
    await first.write(Buffer.from('part'))
    await send(await store.partials.begin(envelope()), Buffer.from('whole'))
    await first.suspend()
    expect(await store.partials.find(origin, name)).toBeUndefined()
  })

  test('another application has a partial upload of its own', async () => {
    const { store } = await openPartials()
    await cutOff(store, Buffer.from('mine'))
    await cutOff(store, Buffer.from('theirs!'), name, by('other'))
    expect(await store.partials.find(origin, name)).toMatchObject({ size: 4, application: 'tester' })
    expect(await store.partials.find(by('other'), name)).toMatchObject({ size: 7, application: 'other' })
    expect(await store.partials.findAll(origin, 'inbox', 'fi')).toHaveLength(1)
    expect(await store.partials.findAll(origin, 'inbox', 'x')).toHaveLength(0)
    expect(await store.partials.list(origin)).toHaveLength(2)
  })
})

describe('what came to its name later, by any door,', () => {
  const other = by('other')
  const moved = async (store: OpenStore, from: ObjectName, to: ObjectName) => store.rename(origin, from, to)

  test.each<[string, (store: OpenStore) => Promise<unknown>]>([
    ['a version', (store) => putText(store, name, 'later')],
    ["another application's", async (store) => send(await store.partials.begin(envelope(name, other)), bytes(9))],
    ['an object that was renamed', (store) => moved(store, named('older'), name)],
    ['objects that were renamed at once', (store) => store.renamePrefix(origin, named('old'), named('fil'))],
  ])('lets it go for good: %s', async (_, come) => {
    const harness = await openPartials()
    const { store, pool } = harness
    for (const key of ['older', 'oldm']) await putText(store, named(key), 'older')
    await cutOff(store, bytes(STEP))
    await cutOff(store, bytes(STEP), name, by('third'))
    await come(store)
    expect(await store.partials.list(origin)).toEqual([])
    expect(pool.status().extentBytes).toBeLessThan(STEP)
    expect(await store.remove(origin, name)).toBe(true)
    expect(await store.partials.find(origin, name)).toBeUndefined()
    await send(await store.partials.resume(envelope()), bytes(7))
    expect((await bytesOf(harness)).equals(bytes(7))).toBe(true)
    await expectSound(harness)
  })

  test.each<[string, (store: OpenStore) => Promise<unknown>]>([
    ['removed', (store) => store.remove(origin, name)],
    ['renamed', (store) => moved(store, name, named('elsewhere'))],
    [
      'removed as a version',
      async (store) => store.versions.removeVersion(origin, name, (await store.stat(origin, name)).version),
    ],
  ])('also when it was gone on with then, by a server that was killed, once that is %s', async (_, remove) => {
    const device = await formattedDevice()
    const { store } = await openPartials({ pool: await openDevice(device) })
    await cutOff(store, bytes(2 * STEP))
    const upload = await store.partials.resume(envelope())
    await putText(store, name, 'later')
    const again = await reopened(device)
    await upload.abort()
    expect(await again.store.partials.list(origin)).toHaveLength(1)
    expect(await again.store.partials.find(origin, name)).toBeUndefined()
    await remove(again.store)
    expect(await again.store.partials.list(origin)).toEqual([])
    await expectSound(again)
  })

  test('does not let go what is gone on with: it is what its client means still, and left when that is gone, too', async () => {
    const { store } = await openPartials()
    await cutOff(store, bytes(STEP))
    const upload = await store.partials.resume(envelope())
    await putText(store, name, 'later')
    expect(await store.partials.find(origin, name)).toBeUndefined()
    await store.remove(origin, name)
    await upload.write(bytes(101, STEP))
    await upload.suspend()
    expect(await store.partials.find(origin, name)).toMatchObject({ size: STEP + 100 })
  })

  test('lets go what was gone on with once it is cut off', async () => {
    const { store } = await openPartials()
    await cutOff(store, bytes(STEP))
    const upload = await store.partials.resume(envelope())
    await putText(store, name, 'later')
    await upload.write(bytes(100, STEP))
    await upload.suspend()
    expect(await store.partials.list(origin)).toEqual([])
  })
})

describe('one that goes on from a version', () => {
  /** All of the version and a step beyond it, durable. */
  async function cutOffBehind(store: OpenStore, offset?: number): Promise<void> {
    const upload = await store.partials.resume(envelope(), offset)
    await upload.write(bytes(STEP))
    await upload.suspend()
  }

  test('and is cut off again goes on from it still, also after a restart', async () => {
    const device = await formattedDevice()
    const { store, pool } = await openPartials({ pool: await openDevice(device) })
    const { sequence: base } = await putText(store, name, 'whole')
    await cutOffBehind(store)
    await cutOffBehind(store, 100)
    expect((await recordsOf(pool)).at(-1)?.record).toMatchObject({ operation: 'prepare', base })
    const again = await reopened(device)
    expect(await again.store.partials.find(origin, name)).toMatchObject({ base, size: STEP + 99 })
    const upload = await again.store.partials.resume(envelope())
    await putText(again.store, name, 'another')
    await expect(upload.commit()).rejects.toMatchObject(refusal('ERR_CONFLICT'))
    expect(await readText(again.store, name)).toBe('another')
    expect(await again.store.partials.list(origin)).toEqual([])
    await expectSound(again)
  })

  test.each<[string, (store: OpenStore) => Promise<unknown>]>([
    ['is removed', (store) => store.remove(origin, name)],
    ['gives way to the one before', async (store) => removeCurrent(store)],
  ])('is nothing to go on with once that %s: its client is told so once', async (_, lose) => {
    const harness = await openPartials()
    const { store } = harness
    await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
    await putText(store, name, 'before')
    await putText(store, name, 'whole')
    await cutOffBehind(store)
    await lose(store)
    expect(await store.partials.find(origin, name)).toBeUndefined()
    expect(await store.partials.findAll(origin, 'inbox', '')).toEqual([])
    await expect(store.partials.resume(envelope())).rejects.toMatchObject({
      code: 'ERR_CONFLICT',
      message: 'inbox/film was replaced or removed since this upload was cut off',
    })
    expect(await store.partials.list(origin)).toEqual([])
    await (await store.partials.resume(envelope())).abort()
    await expectSound(harness)
  })

  test('goes on, attributes having been set meanwhile', async () => {
    const { store } = await openPartials()
    await putText(store, name, 'whole')
    await cutOffBehind(store)
    await store.annotate(origin, name, { 'user.a': 'b' })
    expect(await (await store.partials.resume(envelope())).commit()).toMatchObject({ size: STEP + 4 })
  })

  const removeCurrent = async (store: OpenStore) =>
    store.versions.removeVersion(origin, name, (await store.stat(origin, name)).version)
})

describe('while something takes its place that is not durable yet, nobody is told that there is nothing:', () => {
  test.each<[string, (store: OpenStore) => Promise<unknown>]>([
    ['the upload itself', async (store) => (await store.partials.resume(envelope())).commit()],
    ['another upload', (store) => putText(store, name, 'x'.repeat(STEP))],
    ['an object that is renamed', (store) => store.rename(origin, named('long'), name)],
  ])('%s', async (_, take) => {
    let flush = async (): Promise<void> => {}
    const { store } = await openPartials({ pool: memoryPool({ flush: () => flush() }) })
    await putText(store, named('long'), 'x'.repeat(STEP))
    await cutOff(store, bytes(STEP))
    const shut = gate()
    flush = () => shut.opened
    const taking = take(store)
    await turns(20)
    const seen = [
      store.partials.find(origin, name).then(async (partial) => partial ?? (await store.stat(origin, name))),
      store.partials
        .findAll(origin, 'inbox', 'fi')
        .then(async ([partial]) => partial ?? (await store.stat(origin, name))),
      store.partials
        .resume(envelope())
        .then((upload) => goneOn(upload))
        .catch(({ code }: StoreError) => (code === 'ERR_BUSY' ? { size: STEP } : {})),
    ]
    await turns(20)
    shut.open()
    flush = async () => {}
    await taking
    for (const one of await Promise.all(seen)) expect(one).toMatchObject({ size: STEP })
  })

  async function goneOn(upload: ResumableUpload): Promise<{ size: number }> {
    await upload.write(Buffer.alloc(0)) // What it goes on from is copied by then.
    const { size } = upload
    await upload.abort()
    return { size }
  }
})
