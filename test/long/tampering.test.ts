import { beforeAll, expect, test } from 'vitest'
import { verifyBundle } from '../../streams/index.ts'
import { CopiedPool, type CustodyHarness, collect, signedHistory, verifyPool } from '../support/custody-harness.ts'
import { seedOf } from '../support/random.ts'
import { named, origin } from '../support/store-harness.ts'
import { sweepBits } from '../support/sweep.ts'
import { TAMPERED_KINDS, TamperedDisk } from '../support/tampered-disk.ts'

/*
 * Whatever bit of records, of an evidence bundle, or of the disk changes: it is found. Every bit once, in an order of
 * the seed's, for as long as CENOTE_LONG_SECONDS say; half of that is the disk's.
 */
const SEED = seedOf(Date.now() % 1_000_000)
const MILLISECONDS = Number(process.env.CENOTE_LONG_SECONDS ?? 240) * 1000
const MS_EACH_KIND = MILLISECONDS / 2 / TAMPERED_KINDS.length

let history: CustodyHarness
beforeAll(async () => {
  history = await signedHistory()
})

test(`of records (seed ${SEED})`, async () => {
  const sound = await CopiedPool.of(history.pool)
  const places = sound.places()
  const swept = await sweepBits(places.length, { seed: SEED, milliseconds: MILLISECONDS / 4 }, async (index, bit) => {
    const place = places[index]!
    const { summary } = await verifyPool(sound.tampered(place, bit))
    expect(summary.sound, `bit ${bit} of byte ${place.at} of record ${place.sequence}`).toBe(false)
  })
  console.log(`${swept} of ${places.length * 8} bits of records, seed ${SEED}`)
})

test(`of an evidence bundle of several versions (seed ${SEED})`, async () => {
  const chunks: Uint8Array[] = []
  for await (const chunk of await history.custody.evidence(origin, named('kept', 'other'), 'all')) chunks.push(chunk)
  const bundle = Buffer.concat(chunks)
  const swept = await sweepBits(bundle.length, { seed: SEED, milliseconds: MILLISECONDS / 4 }, async (at, bit) => {
    const { summary } = await collect(verifyBundle(once(bundle.with(at, bundle[at]! ^ (1 << bit)))))
    expect(summary.sound, `bit ${bit} of byte ${at}`).toBe(false)
  })
  console.log(`${swept} of ${bundle.length * 8} bits of a bundle, seed ${SEED}`)
})

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

test.each(TAMPERED_KINDS)(`of %s on the disk (seed ${SEED})`, async (kind) => {
  const disk = await TamperedDisk.make()
  const places = disk.places(kind)
  const verdicts = new Map<string, number>()
  const swept = await sweepBits(places.length, { seed: SEED, milliseconds: MS_EACH_KIND }, async (index, bit) => {
    const verdict = await disk.verdict(places[index]!, bit)
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
  })
  expect([...verdicts.keys()].some((verdict) => verdict.startsWith('found'))).toBe(true)
  const told = [...verdicts].map(([what, times]) => `${times} × ${what}`).join('; ')
  console.log(`${swept} of ${places.length * 8} bits of ${kind}, seed ${SEED}: ${told}`)
})
