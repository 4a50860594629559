import { describe, expect, test } from 'vitest'
import type { Pool, ScrubFinding } from '../../pool/index.ts'
import { pattern, put, readAll } from '../support/pool-client.ts'
import { ARRANGEMENTS, lose, rot, ScrubbedPool, type Spot } from '../support/scrubbed-pool.ts'

const SMALL = 1
const LARGE = 2
const TREE = 3
const LAST = 20

/** A pool with every kind of structure, open, with a checkpoint behind it and commits after that. */
async function lived(name: string) {
  const devices = new ScrubbedPool(ARRANGEMENTS[name]!)
  await devices.format()
  const pool = await devices.open()
  await put(pool, pattern(600))
  await put(pool, pattern(2500, 2))
  await put(pool, pattern(9000, 3))
  for (let i = 4; i < LAST; i++) await put(pool, pattern(700, i))
  await pool.checkpoint()
  await put(pool, pattern(300, LAST))
  return { devices, pool }
}

async function expectWhole(pool: Pool): Promise<void> {
  expect(await readAll(pool, SMALL)).toEqual(pattern(600))
  expect(await readAll(pool, LARGE)).toEqual(pattern(2500, 2))
  expect(await readAll(pool, TREE)).toEqual(pattern(9000, 3))
  for (let i = 4; i < LAST; i++) expect(await readAll(pool, i)).toEqual(pattern(700, i))
  expect(await readAll(pool, LAST)).toEqual(pattern(300, LAST))
}

type Find = (devices: ScrubbedPool) => Promise<Spot[]> | Spot[]

/** What there is in several copies on the data device. */
const DATA: [ScrubFinding['subject'], string, Find, Partial<ScrubFinding>][] = [
  ['page', 'the root page', (devices) => devices.rootPage(), {}],
  ['page', 'a leaf page', (devices) => devices.leafPage(), {}],
  ['segment', 'the first segment header', (devices) => devices.segmentHeader(SMALL), {}],
  ['segment', 'the last segment header', (devices) => devices.segmentHeader(LAST), {}],
  ['batch', 'a batch header', (devices) => devices.batchHeader(5), { sequence: 5, records: 1 }],
  ['batch', 'the last batch header', (devices) => devices.batchHeader(LAST), { sequence: LAST, records: 1 }],
  ['batch', 'entries', (devices) => devices.entries(6), { sequence: 6, records: 1 }],
  ['inline', 'an inline payload', (devices) => devices.inline(7), { sequence: 7, payload: 0, offset: 0, length: 700 }],
  ['manifest', 'a manifest', (devices) => devices.manifest(TREE), { sequence: TREE, payload: 0, offset: 0 }],
  ['payload', 'data', (devices) => devices.data(LARGE), { sequence: LARGE, payload: 0, offset: 0, length: 1024 }],
  [
    'payload',
    'data below a manifest',
    (devices) => devices.data(TREE, 8),
    { sequence: TREE, offset: 8192, length: 808 },
  ],
]

/** What lies at the ends of each member, and can be made anew from memory. */
const ENDS: [ScrubFinding['subject'], string, Find, Partial<ScrubFinding>][] = [
  ['guard', 'a guard', (devices) => devices.guards(), {}],
  ['superblock', 'the newest superblock', (devices) => devices.newestSuperblocks(), {}],
]

/** Made anew from memory when it is right on no copy. */
const isMadeAnew = (subject: string) => ['guard', 'superblock', 'page', 'segment'].includes(subject)

describe.each(Object.keys(ARRANGEMENTS))('%s', (name) => {
  test('that is whole has nothing to be found, and is not written to', async () => {
    const { devices, pool } = await lived(name)
    const before = devices.image
    const report = await pool.scrub()
    expect(report).toMatchObject({ finished: true, cursor: null, repaired: [], damaged: [], records: LAST })
    expect(report.bytesVerified).toBeGreaterThan(30_000)
    expect(devices.image.equals(before)).toBe(true)
  })

  describe.each([
    ['rotted', rot, 'checksum'],
    ['unreadable', lose, 'unreadable'],
  ] as const)('with %s', (_, spoil, kind) => {
    test.each([...ENDS, ...DATA])(
      '%s: %s, on each copy in turn, is whole again afterwards',
      async (subject, _, find, about) => {
        const { devices, pool } = await lived(name)
        const before = devices.image
        const spots = await find(devices)
        if (spots.length === 1 && !isMadeAnew(subject)) return
        for (const spot of spots) {
          spoil(spot)
          const report = await pool.scrub()
          expect(report.damaged).toEqual([])
          const member = devices.devices.indexOf(spot.device)
          const expected = [expect.objectContaining({ subject, kind, member, ...about })]
          // Others have a part in a block that cannot be read.
          expect(report.repaired).toEqual(spoil === lose ? expect.arrayContaining(expected) : expected)
          expect(await pool.scrub()).toMatchObject({ repaired: [], damaged: [], finished: true })
          if (spots.length > 1) expect(devices.image.equals(before)).toBe(true)
        }
        await expectWhole(pool)
        await pool.close()
        await expectWhole(await devices.open())
      },
    )

    test.each(DATA)('%s: %s, on all copies, is named', async (subject, _, find, about) => {
      const { devices, pool } = await lived(name)
      const spots = await find(devices)
      for (const spot of spots) spoil(spot)
      const report = await pool.scrub()
      // What lies on two members and is right nowhere may be wrong on either.
      const isSplit = name === 'a stripe of mirrors' && subject === 'inline' && spoil === rot
      const memberOf = (spot: Spot) => (isSplit ? expect.any(Number) : devices.devices.indexOf(spot.device))
      const members = spots.map((spot) => expect.objectContaining({ subject, kind, member: memberOf(spot), ...about }))
      const isShared = spoil === lose && about.sequence !== undefined
      const found = isMadeAnew(subject) ? report.repaired : report.damaged
      expect(found.filter((finding) => (isShared ? finding.subject === subject : finding.subject !== 'space'))).toEqual(
        members,
      )
      expect(isMadeAnew(subject) ? report.damaged : report.repaired).toEqual([])
      const again = await pool.scrub()
      expect(again.repaired).toEqual([])
      expect(again.damaged).toEqual(report.damaged)
      if (!isMadeAnew(subject)) return
      await expectWhole(pool)
      await pool.close()
      await expectWhole(await devices.open())
    })
  })
})
