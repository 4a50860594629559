import { expect } from 'vitest'
import { seedOf } from '../support/random.ts'
import { recordedLives } from '../support/recorded-lives.ts'
import { requireBuild } from '../support/server-process.ts'
import { clientsOfAllDoors, fuseExport, loopDevice, testWith } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/* The whole form of test/e2e/recorded.test.ts: other seeds, longer lives and every image, for as long as there is time. */

const SEED = seedOf(Date.now() % 1_000_000)
const SURFACES = ['file', 'loop'] as const
const MS_EACH = (Number(process.env.CENOTE_LONG_SECONDS ?? 240) * 1000) / SURFACES.length
const SIZE = { acknowledgements: 80, images: 2000, servedImages: 8 }

for (const surface of SURFACES) {
  const needs = [...fuseExport, ...clientsOfAllDoors, ...(surface === 'loop' ? loopDevice : [])]
  testWith(needs, `nothing acknowledged is lost on a recorded ${surface} (seed ${SEED})`, () => play(surface))
}

async function play(surface: (typeof SURFACES)[number]): Promise<void> {
  requireBuild()
  const folder = temporaryFolder()
  const end = performance.now() + MS_EACH
  const goOn = () => performance.now() < end
  const report = await recordedLives({ folder, surface, seed: SEED, goOn, ...SIZE })
  console.log(`recorded ${surface}, seed ${SEED}: ${JSON.stringify(report)}`)
  expect(report.verdicts['torn-tail']).toBeGreaterThan(0)
}
