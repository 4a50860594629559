import { describe, expect, test } from 'vitest'
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
  send,
} from '../support/partial-uploads.ts'
import { named, putText, readText, recordsOf, refusal } from '../support/store-harness.ts'

describe('refused is', () => {
  test('an offset beyond what is durable, with what is', async () => {
    const { store } = await openPartials()
    const beyond = store.partials.resume(envelope(), 1)
    await expect(beyond).rejects.toMatchObject({ code: 'ERR_RANGE', message: '0 bytes are there to go on from' })
    await cutOff(store, Buffer.from('four'))
    const far = store.partials.resume(envelope(), 5)
    await expect(far).rejects.toMatchObject({ code: 'ERR_RANGE', message: '4 bytes are there to go on from' })
    await (await store.partials.resume(envelope(), 4)).abort()
    expect(store.status.uploadsOpen).toBe(0)
  })

  test('who may not', async () => {
    const { store } = await openPartials()
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
    const { store } = await openPartials()
    const { sequence } = await putText(store, name, 'cut off')
    const verdict = { origin, name, version: sequence, set: {}, disposition: 'quarantine', reason: 'because' } as const
    await store.judge([verdict])
    const other = by('other', ['object:read', 'object:write'])
    await expect(store.partials.resume(envelope(name, other))).rejects.toMatchObject(refusal('ERR_QUARANTINED'))
    await send(await store.partials.resume(envelope()), Buffer.from(', and on'))
    expect(await readText(store, name)).toBe('cut off, and on')
  })

  test('what is retained, before the first byte', async () => {
    const { store, pool } = await openPartials()
    await store.versions.configure(origin, 'inbox', { retention: { days: 1 } })
    await putText(store, name, 'retained')
    const count = (await recordsOf(pool)).length
    await expect(store.partials.begin(envelope())).rejects.toMatchObject(refusal('ERR_LOCKED'))
    await expect(store.partials.resume(envelope())).rejects.toMatchObject(refusal('ERR_LOCKED'))
    expect(await recordsOf(pool)).toHaveLength(count)
    expect(store.status.uploadsOpen).toBe(0)
  })

  test('what is too large, and nothing is left of it', async () => {
    const { store, pool } = await openPartials({ limits: { objectBytesMax: 3 * STEP } })
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
