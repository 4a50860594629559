import { expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../support/random.ts'
import { Resuming } from '../support/resuming.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)
const UPLOADS = 2

test(`what was told is not asked for again, whoever is killed (seed ${SEED})`, { timeout: 120_000 }, async () => {
  const resuming = await Resuming.open(temporaryFolder(), seededRandom(SEED))
  onTestFinished(() => resuming.close())
  for (let i = 0; i < UPLOADS; i++) await resuming.upload()
  expect(resuming.counts.uploads).toBe(UPLOADS)
})
