import { describe, expect, test } from 'vitest'
import {
  by,
  bytes,
  bytesOf,
  cutOff,
  envelope,
  expectSound,
  name,
  openPartials,
  operations,
  origin,
  STEP,
  send,
} from '../support/partial-uploads.ts'
import { putText, readText, refusal } from '../support/store-harness.ts'

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
