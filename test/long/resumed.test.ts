import { expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../support/random.ts'
import { Resuming } from '../support/resuming.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)
const SECONDS = Number(process.env.CENOTE_LONG_SECONDS ?? 1200)
const UPLOADS = 200

test(`${UPLOADS} uploads go on, whoever is killed (seed ${SEED})`, async () => {
  const resuming = await Resuming.open(temporaryFolder(), seededRandom(SEED))
  onTestFinished(() => resuming.close())
  const end = performance.now() + SECONDS * 1000
  while (resuming.counts.uploads < UPLOADS && performance.now() < end) await resuming.upload()
  console.log(`seed ${SEED}: ${JSON.stringify(resuming.counts)}`)
  expect(resuming.counts.serverKills).toBeGreaterThan(0)
  expect(resuming.counts.clientKills).toBeGreaterThan(0)
})
