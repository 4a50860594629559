import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { ScrubClock, ScrubFinding } from '../../pool/index.ts'
import { ScrubVerdicts } from '../../server/scrub-verdicts.ts'
import { Scrubbing } from '../../server/scrubbing.ts'
import { ARRANGEMENTS, rot, ScrubbedPool } from '../support/scrubbed-pool.ts'
import { levelCatalog, named, openHarness, origin, putText } from '../support/store-harness.ts'

const silent = { info() {}, warn() {}, error() {} }
const NOON = Date.parse('2026-11-24T12:00:00.000Z')
const idle: ScrubClock = { now: () => 0, sleep: async () => {} }

async function served(time = { now: () => NOON }) {
  const folder = mkdtempSync(join(tmpdir(), 'cenote-scrub-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const devices = new ScrubbedPool(ARRANGEMENTS['a mirror of two']!, 512 * 1024)
  await devices.format()
  const pool = await devices.open({ tuning: { transactionBytesMax: 4096 } })
  const { store } = await openHarness({ pool, catalog: await levelCatalog() })
  const file = join(folder, 'scrub.json')
  const open = () => new Scrubbing({ pool, store, file, log: silent, clock: idle, time })
  return { devices, pool, store, file, open, scrubbing: open() }
}

const note = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))

test('puts what it finds to the objects, once, and counts', async () => {
  const { devices, pool, store, file, scrubbing } = await served()
  const mended = await putText(store, named('mended'), 'm'.repeat(3000))
  const lost = await putText(store, named('lost'), 'l'.repeat(3000))
  const gone = await putText(store, named('gone'), 'g'.repeat(3000))
  await putText(store, named('whole'), 'w'.repeat(3000))
  rot((await devices.data(mended.sequence))[1]!)
  for (const spot of await devices.data(lost.sequence, 1)) rot(spot)
  for (const spot of await devices.data(gone.sequence)) rot(spot)
  await store.remove(origin, named('gone'))
  const { damaged, repaired } = await scrubbing.run()
  expect([damaged.length, repaired.length]).toEqual([2, 1])
  expect(scrubbing.totals).toMatchObject({ repaired: 1, damaged: 2 })
  expect(scrubbing.totals.bytes).toBeGreaterThan(10_000)
  const stateOf = async (key: string) => (await store.stat(origin, named(key))).attributes
  expect(await stateOf('mended')).toMatchObject({ 'integrity.state': 'repaired' })
  expect(await stateOf('lost')).toMatchObject({
    'integrity.state': 'damaged',
    'integrity.detail':
      'payload: checksum on member 0, bytes 1024 to 2047; payload: checksum on member 1, bytes 1024 to 2047',
    'integrity.time': '2026-11-24T12:00:00.000Z',
  })
  expect(await stateOf('whole')).not.toHaveProperty('integrity.state')
  expect(note(file)).toEqual({ pool: pool.position.pool, finished: NOON })
  const { sequence } = pool.position
  await scrubbing.run()
  expect(pool.position.sequence).toBe(sequence)
})

test('is noted when it is stopped, and gone on with by a later process', async () => {
  const { pool, store, file, open, scrubbing } = await served()
  for (let i = 0; i < 8; i++) await putText(store, named(`k${i}`), 'x'.repeat(3000))
  const running = scrubbing.run()
  expect(scrubbing.status.running).toBe(true)
  await expect(scrubbing.run()).rejects.toMatchObject({ code: 'ERR_BUSY' })
  await scrubbing.stop()
  const first = await running
  expect(first.finished).toBe(false)
  expect(note(file)).toEqual({ pool: pool.position.pool, cursor: first.cursor })
  const later = open()
  expect(later.status).toMatchObject({ running: false, progress: null, resumable: true, finished: null })
  const second = await later.run({ resume: true })
  expect(second).toMatchObject({ finished: true, damaged: [] })
  expect(later.status).toMatchObject({ resumable: false, finished: '2026-11-24T12:00:00.000Z' })
})

test('a note that is none, or of another pool, is as good as none', async () => {
  const { file, scrubbing, open } = await served()
  await scrubbing.run()
  const { writeFileSync } = await import('node:fs')
  writeFileSync(file, '{"pool":"another","cursor":{"stage":"members","member":1},"finished":1}')
  expect(open().status).toMatchObject({ resumable: false, finished: null })
  writeFileSync(file, 'nonsense')
  expect(open().status).toMatchObject({ resumable: false, finished: null })
})

test('runs of itself when it is due, and not before', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  let now = NOON
  const { pool, scrubbing } = await served({ now: () => now })
  const scrub = vi.spyOn(pool, 'scrub')
  scrubbing.every(24, 1 << 20)
  expect(scrub).toHaveBeenCalledTimes(1)
  await vi.waitFor(() => expect(scrubbing.status).toMatchObject({ running: false, finished: expect.any(String) }))
  vi.advanceTimersByTime(3_600_000)
  expect(scrub).toHaveBeenCalledTimes(1)
  now += 24 * 3_600_000
  vi.advanceTimersByTime(60_000)
  expect(scrub).toHaveBeenCalledTimes(2)
  await scrubbing.close()
  now += 48 * 3_600_000
  vi.advanceTimersByTime(600_000)
  expect(scrub).toHaveBeenCalledTimes(2)
})

test('a verdict sums up what was found of one record', () => {
  const verdicts = new ScrubVerdicts()
  const finding: ScrubFinding = { subject: 'payload', kind: 'checksum', member: 0, sequence: 7, payload: 0, length: 5 }
  verdicts.take('repaired', finding)
  for (let i = 0; i < 10; i++) verdicts.take('damaged', { ...finding, offset: i * 5 })
  verdicts.take('damaged', { subject: 'guard', kind: 'checksum', member: 0 })
  verdicts.take('repaired', { subject: 'batch', kind: 'checksum', sequence: 8, records: 100 })
  verdicts.take('damaged', { subject: 'batch', kind: 'checksum', sequence: 20, records: 3 })
  verdicts.take('damaged', { ...finding, sequence: 9, payload: 1 })
  const first = [...verdicts.before(20)]
  expect(first.map(({ sequence, state }) => [sequence, state])).toEqual([[7, 'damaged']])
  expect(first[0]!.detail).toMatch(/^payload: checksum on member 0, bytes 0 to 4; .*; 2 more$/)
  expect([...verdicts.before(100)].map(({ sequence }) => sequence)).toEqual([20, 21, 22])
})

test('says of an object that was damaged that it is not, once a whole scrub finds it right; and of no other', async () => {
  const { devices, store, scrubbing } = await served()
  const cured = await putText(store, named('cured'), 'c'.repeat(3000))
  const lost = await putText(store, named('lost'), 'l'.repeat(3000))
  await putText(store, named('whole'), 'w'.repeat(3000))
  const spots = await devices.data(cured.sequence, 1)
  for (const spot of [...spots, ...(await devices.data(lost.sequence))]) rot(spot)
  const damaged = async () =>
    (await store.query(origin, 'integrity.state:damaged')).objects.map(({ key }) => key).sort()
  await scrubbing.run()
  expect(await damaged()).toEqual(['cured', 'lost'])
  rot(spots[1]!) // As it was: the leg has come to itself.
  await scrubbing.run()
  expect(await damaged()).toEqual(['lost'])
  expect((await store.stat(origin, named('cured'))).attributes).toMatchObject({ 'integrity.state': 'repaired' })
  expect((await store.stat(origin, named('whole'))).attributes).not.toHaveProperty('integrity.state')
})

test('tells damage of a version that is kept and not current, and that it was made good', async () => {
  const { devices, store, scrubbing } = await served()
  await store.versions.configure(origin, 'inbox', { versioning: 'enabled' })
  const old = await putText(store, named('a'), 'o'.repeat(3000))
  await putText(store, named('a'), 'n'.repeat(3000))
  const hidden = await putText(store, named('b'), 'h'.repeat(3000))
  await store.remove(origin, named('b'))
  const spots = [...(await devices.data(old.sequence, 1)), ...(await devices.data(hidden.sequence, 1))]
  const stateOf = async (key: string, version: string) =>
    (await store.versions.statVersion(origin, { ...named(key), version })).attributes['integrity.state']
  for (const spot of spots) rot(spot)
  await scrubbing.run()
  expect([await stateOf('a', old.version), await stateOf('b', hidden.version)]).toEqual(['damaged', 'damaged'])
  expect((await store.stat(origin, named('a'))).attributes).not.toHaveProperty('integrity.state')
  for (const spot of spots) rot(spot) // As they were.
  await scrubbing.run()
  expect([await stateOf('a', old.version), await stateOf('b', hidden.version)]).toEqual(['repaired', 'repaired'])
})

test('does not say so of what the scrub did not look at, could not, or found damaged', async () => {
  const { store, file, devices, open, pool } = await served()
  const objects = []
  for (const key of ['before', 'split', 'after', 'hidden', 'atrisk'])
    objects.push(await putText(store, named(key), 'x'.repeat(3000)))
  const [, split, , hidden, atRisk] = objects.map(({ sequence }) => sequence)
  const verdict = { state: 'damaged', detail: 'of old', time: '2026-11-24T10:00:00.000Z' } as const
  for (const { sequence } of objects) await store.noteIntegrity(origin, { sequence, ...verdict })
  const damaged = async () =>
    (await store.query(origin, 'integrity.state:damaged')).objects.map(({ key }) => key).sort()
  const { writeFileSync } = await import('node:fs')
  const cursor = { stage: 'records', sequence: split, payload: 0, offset: 1024 }
  writeFileSync(file, JSON.stringify({ pool: pool.position.pool, cursor }))
  const none = { damaged: [], repaired: [], repairedCount: 0, damagedCount: 0 }
  const scrub = vi.spyOn(pool, 'scrub')
  scrub.mockImplementation(async () => ({ ...none, finished: false, cursor }) as never)
  await open().run()
  expect((await damaged()).length).toBe(5)
  scrub.mockImplementation(async (options) => {
    for (const spot of await devices.data(hidden!)) rot(spot)
    expect(options?.cursor).toEqual(cursor)
    // It can be read, but not all of its copies could be repaired.
    options!.onFinding!('damaged', { subject: 'payload', kind: 'checksum', sequence: atRisk!, payload: 0 })
    return { ...none, finished: true, cursor: null } as never
  })
  await open().run({ resume: true })
  expect(await damaged()).toEqual(['atrisk', 'before', 'hidden', 'split'])
  scrub.mockRestore()
  await open().run()
  expect(await damaged()).toEqual(['hidden'])
})
