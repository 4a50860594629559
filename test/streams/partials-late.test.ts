import { describe, expect, test } from 'vitest'
import { digestOf } from '../../streams/index.ts'
import { SLOW_BYTES, SLOW_WAITS_MAX } from '../../streams/partials/preparation.ts'
import { Unprepared } from '../../streams/partials/unprepared.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { memoryPool } from '../support/memory-pool.ts'
import {
  bytes,
  bytesOf,
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
import { gate, named, putText, recordsOf } from '../support/store-harness.ts'

const MS = 1000

describe('who waits to be prepared', () => {
  function waiting() {
    const clock = new ManualClock()
    const called: string[] = []
    const unprepared = new Unprepared({ timers: clock, clock, prepareMsMax: MS })
    const upload = (name: string) => () => void called.push(name)
    return { clock, called, unprepared, upload }
  }

  test('is called on once its time has come, in order, and once; one timer does for all', () => {
    const { clock, called, unprepared, upload } = waiting()
    const one = upload('one')
    unprepared.add(one)
    clock.run(400)
    unprepared.add(one)
    unprepared.add(upload('two'))
    expect(clock.timers).toBe(1)
    clock.run(599)
    expect(called).toEqual([])
    clock.run(1)
    expect(called).toEqual(['one'])
    clock.run(399)
    expect(called).toEqual(['one'])
    clock.run(1)
    expect(called).toEqual(['one', 'two'])
    expect([clock.timers, unprepared.size]).toEqual([0, 0])
  })

  test('is not once it is prepared, and waits anew with what comes then', () => {
    const { clock, called, unprepared, upload } = waiting()
    const one = upload('one')
    unprepared.add(one)
    clock.run(500)
    unprepared.delete(one)
    unprepared.add(one)
    clock.run(999)
    expect(called).toEqual([])
    clock.run(1)
    expect(called).toEqual(['one'])
  })

  test('is called on late where the clock stood still, and not twice as late where it was set back', () => {
    const { clock, called, unprepared, upload } = waiting()
    let ahead = 1e6
    const set = new Unprepared({ timers: clock, clock: { now: () => clock.now() + ahead }, prepareMsMax: MS })
    set.add(upload('set back'))
    ahead = 0
    unprepared.add(upload('late'))
    clock.jump(5 * MS)
    expect(called).toEqual(['late'])
    ahead = 1e6
    clock.run(MS)
    expect(called).toEqual(['late', 'set back'])
  })

  test('waits no longer because another one goes on waiting', () => {
    const { clock, called, unprepared, upload } = waiting()
    const slow = () => unprepared.add(slow)
    unprepared.add(slow)
    clock.run(MS - 1)
    unprepared.add(upload('one'))
    clock.run(MS - 1)
    expect(called).toEqual([])
    clock.run(1)
    expect(called).toEqual(['one'])
  })

  test('is called on by nobody after the end', () => {
    const { clock, called, unprepared, upload } = waiting()
    unprepared.add(upload('one'))
    unprepared.close()
    clock.run(5 * MS)
    expect([called, clock.timers]).toEqual([[], 0])
  })
})

describe('what came of an upload', () => {
  async function slow(pool = memoryPool(), prepareBytes = STEP) {
    const clock = new ManualClock()
    const harness = await openPartials({ pool, clock, timers: clock, limits: { prepareMsMax: MS, prepareBytes } })
    const durable = async () => (await harness.store.partials.find(origin, name))?.size
    /** Lets time pass, and what that begins come to its end. */
    const pass = async (milliseconds: number) => {
      clock.run(milliseconds)
      for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate)
    }
    return { ...harness, clock, durable, pass }
  }

  test('is durable after a second, whether more of it comes or not, but for its last byte', async () => {
    const { store, durable, pass, clock } = await slow()
    const upload = await store.partials.begin(envelope())
    await upload.write(bytes(100))
    await pass(MS - 1)
    expect(await durable()).toBeUndefined()
    await upload.write(bytes(100, 100))
    await pass(1)
    expect(await durable()).toBe(199)
    await pass(10 * MS)
    expect(clock.timers).toBe(0)
    await upload.write(bytes(1, 200))
    await pass(MS)
    await pass(MS)
    expect(await durable()).toBe(200)
    await upload.write(bytes(99, 201))
    expect(await upload.commit()).toMatchObject({ size: 300, digests: { sha256: digestOf(bytes(300)) } })
    await pass(10 * MS)
    expect(clock.timers).toBe(0)
  })

  test('is durable less and less often while it trickles, and after each wait again once it does not', async () => {
    const { store, pool, pass, clock } = await slow(memoryPool(), 8 * SLOW_BYTES)
    const upload = await store.partials.begin(envelope())
    const prepared = async () => (await operations(pool)).filter((operation) => operation === 'prepare').length
    /** What `count` waits have prepared, in which so many bytes came each. */
    const during = async (count: number, each: number) => {
      const before = await prepared()
      for (let index = 0; index < count; index++) {
        await upload.write(bytes(each))
        await pass(MS)
      }
      return (await prepared()) - before
    }
    await upload.write(bytes(1)) // The last byte that came is held back.
    expect(await during(1 + 2 + 4 + 8 + 16 + 32 + 2 * SLOW_WAITS_MAX, 1)).toBe(6 + 2)
    expect(await during(3, SLOW_BYTES + 1)).toBe(3)
    expect(await during(3, 1)).toBe(2)
    await upload.abort()
    expect(clock.timers).toBe(0)
  })

  test('goes on after a kill from what was durable then', async () => {
    const device = await formattedDevice()
    const { store, pass } = await slow(await openDevice(device))
    const whole = bytes(5 * STEP)
    const upload = await store.partials.begin(envelope())
    await upload.write(whole.subarray(0, STEP + 1000))
    await pass(MS)
    await pass(MS)
    const again = await reopened(device)
    await upload.abort()
    expect(await again.store.partials.find(origin, name)).toMatchObject({ size: STEP + 999 })
    await send(await again.store.partials.resume(envelope()), whole.subarray(STEP + 999))
    expect((await bytesOf(again)).equals(whole)).toBe(true)
    await expectSound(again)
  })

  test('is not prepared of what ends before, nor of what has no place of its own', async () => {
    const { store, pool, pass, clock } = await slow()
    const upload = await store.partials.begin(envelope())
    await upload.write(bytes(100))
    const second = await store.partials.begin(envelope())
    await second.write(bytes(100))
    await upload.commit()
    await pass(10 * MS)
    expect(await operations(pool)).toEqual(['bucket', 'put'])
    await second.abort()
    expect(clock.timers).toBe(0)
  })

  test('waits while it is sealed, and is tried again when it could not be prepared', async () => {
    let flush = async (): Promise<void> => {}
    const { store, pool, pass, durable } = await slow(memoryPool({ flush: () => flush(), queueTransactionsMax: 1 }))
    const upload = await store.partials.begin(envelope())
    await upload.write(bytes(100))
    const shut = gate()
    flush = () => shut.opened
    const others: Promise<unknown>[] = []
    for (const key of ['flushed', 'waiting']) {
      others.push(putText(store, named(key), 'x'))
      await pass(1)
    }
    await pass(MS)
    shut.open()
    await Promise.all(others)
    expect(await durable()).toBeUndefined()
    flush = async () => {}
    await pass(MS)
    expect(await durable()).toBe(99)
    for (let at = 100; at < 5 * STEP; at += 700) {
      await upload.write(bytes(700, at))
      if (at % 5 === 0) void pass(334)
    }
    const { size, digests } = await upload.commit()
    expect(digests.sha256).toBe(digestOf(bytes(size)))
    const prepared = (await recordsOf(pool)).filter(({ record }) => record.operation === 'prepare')
    for (const { record, payloads } of prepared)
      expect(record).toMatchObject({ size: payloads[0], stages: { digest: { sha256: { length: payloads[0] } } } })
    expect(prepared.length).toBeGreaterThan(10)
  })
})
