import { expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../support/random.ts'
import { Resuming } from '../support/resuming.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)
/** So many, however long they take; without it, as many of 200 as there is time for. */
const EXACTLY = process.env.CENOTE_RESUMED_UPLOADS
const UPLOADS = Number(EXACTLY ?? 200)
const SECONDS = EXACTLY ? Number.POSITIVE_INFINITY : Number(process.env.CENOTE_LONG_SECONDS ?? 1200)

const timeout = EXACTLY ? 4 * 3_600_000 : 1_800_000

test(`${UPLOADS} uploads go on, whoever is killed (seed ${SEED})`, { timeout }, async () => {
  const resuming = await Resuming.open(temporaryFolder(), seededRandom(SEED))
  onTestFinished(() => resuming.close())
  const end = performance.now() + SECONDS * 1000
  while (resuming.counts.uploads < UPLOADS && performance.now() < end) await resuming.upload()
  console.log(`seed ${SEED}: ${JSON.stringify(resuming.counts)}`)
  if (EXACTLY) expect(resuming.counts.uploads).toBe(UPLOADS)
  expect(resuming.counts.serverKills).toBeGreaterThan(0)
  expect(resuming.counts.clientKills).toBeGreaterThan(0)
})
