import { describe, expect, test } from 'vitest'
import type { Pool } from '../../pool/index.ts'
import { digestOf } from '../../streams/index.ts'
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
import { blockPool, recordsOf, refusal } from '../support/store-harness.ts'

describe.each<[string, () => Promise<Pool>]>([
  ['in memory', async () => memoryPool()],
  ['on a device', () => blockPool()],
])('in a pool %s, an upload that is cut off', (_, openPool) => {
  test.each([1, 5000, 40_000, STEP, STEP + 1, 5 * STEP + 17])('at %i bytes goes on where it was', async (length) => {
    const harness = await openPartials({ pool: await openPool() })
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
    const harness = await openPartials({ pool: await openPool() })
    const { store } = harness
    const whole = bytes(4 * STEP)
    await cutOff(store, Buffer.concat([whole.subarray(0, STEP + 500), bytes(STEP, 7)]))
    await send(await store.partials.resume(envelope(), STEP + 500), whole.subarray(STEP + 500))
    expect((await bytesOf(harness)).equals(whole)).toBe(true)
    await expectSound(harness)
  })

  test('loses nothing when it is cut off again before it was back where it was', async () => {
    const harness = await openPartials({ pool: await openPool() })
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
    const harness = await openPartials({ pool: await openPool() })
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
  const { store } = await openPartials({ pool: await openDevice(device) })
  const whole = bytes(7 * STEP)
  const upload = await store.partials.begin(envelope())
  await upload.write(whole.subarray(0, 4 * STEP + 1000))
  const again = await reopened(device)
  await upload.suspend()
  const { size } = (await again.store.partials.find(origin, name))!
  expect(size % STEP).toBe(0)
  expect(size).toBeGreaterThanOrEqual(3 * STEP)
  await send(await again.store.partials.resume(envelope(), size), whole.subarray(size))
  expect((await bytesOf(again)).equals(whole)).toBe(true)
  await expectSound(again)
})

test('an upload that goes on and is aborted before more of it was prepared leaves what it went on from', async () => {
  const harness = await openPartials()
  const { store } = harness
  const whole = bytes(4 * STEP)
  await cutOff(store, whole.subarray(0, 2 * STEP))
  await (await store.partials.resume(envelope())).abort()
  await (await store.partials.resume(envelope(), STEP)).abort()
  expect(await store.partials.find(origin, name)).toMatchObject({ size: 2 * STEP })
  const upload = await store.partials.resume(envelope())
  await send(upload, whole.subarray(2 * STEP))
  expect((await bytesOf(harness)).equals(whole)).toBe(true)
  await expectSound(harness)
})

test('the last byte is held back, so that whoever has sent all of it comes once more to end it', async () => {
  const harness = await openPartials()
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
    const { store, pool } = await openPartials({ pool: memoryPool({ flush }) })
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
    const { store, pool } = await openPartials({ pool: await blockPool() })
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
