import { expect, test } from 'vitest'
import { verifyBundle } from '../../streams/index.ts'
import { CopiedPool, collect, openSigned, verifyPool } from '../support/custody-harness.ts'
import { seededRandom, seedOf } from '../support/random.ts'
import { named, origin, putText } from '../support/store-harness.ts'

const SEED = seedOf(1)
const STEPS = 150

/* Versions, renames, verdicts and rotations at random, verified as they are made and proven at the end. */
test(`whatever becomes of versions, all is sound, and every object has evidence (seed ${SEED})`, async () => {
  const random = seededRandom(SEED)
  const { store, custody, pool } = await openSigned()
  const { versions } = store
  const { pick } = random
  const name = () => named(pick(['a', 'b', 'c']), pick(['inbox', 'kept']))
  const someVersion = async () => {
    const of = pick(['inbox', 'kept'])
    const { versions: all } = await versions.listVersions(origin, of)
    return all.length === 0 ? undefined : pick(all)
  }
  await store.createBucket(origin, 'kept')
  await versions.configure(origin, 'kept', { versioning: 'enabled' })
  const steps: readonly (() => Promise<unknown>)[] = [
    () => putText(store, name(), `bytes ${random.below(1000)}`),
    () => putText(store, name(), `bytes ${random.below(1000)}`),
    () => store.remove(origin, name()),
    () => store.rename(origin, name(), name()),
    () => store.annotate(origin, name(), { 'user.note': `${random.below(9)}` }),
    async () => {
      const found = await someVersion()
      if (found) await versions.removeVersion(origin, found, found.version)
    },
    async () => {
      const found = await someVersion()
      const verdict = { state: 'repaired', detail: `${random.below(9)}`, time: '2026-01-01T00:00:00Z' } as const
      if (found) await store.noteIntegrity(origin, { sequence: found.sequence, ...verdict })
    },
    () => versions.configure(origin, 'kept', { versioning: pick(['enabled', 'suspended']) }),
    () => (random.below(4) === 0 ? custody.rotate(origin) : Promise.resolve()),
  ]
  for (let step = 0; step < STEPS; step++) {
    await pick(steps)().catch((error) => expect(error.code).toMatch(/^ERR_(NOT_FOUND|CONFLICT)$/))
    if (step % 50 === 49) expect((await verifyPool(await CopiedPool.of(pool))).findings).toEqual([])
  }
  await custody.rotate(origin)
  for (const bucket of ['inbox', 'kept']) await putText(store, named('last', bucket), 'last')
  for (const bucket of ['inbox', 'kept'])
    for (const { key } of (await store.list(origin, bucket)).objects) {
      const { findings, summary } = await collect(verifyBundle(await custody.evidence(origin, { bucket, key })))
      expect([findings, summary.payloads]).toEqual([[], 1])
      const all = await collect(verifyBundle(await custody.evidence(origin, { bucket, key }, 'all')))
      expect([all.findings, all.summary.payloads >= 1]).toEqual([[], true])
    }
  await custody.close()
  expect((await verifyPool(pool)).summary).toMatchObject({ sound: true, unsigned: 0 })
})
