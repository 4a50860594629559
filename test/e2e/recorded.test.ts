import { expect } from 'vitest'
import { seedOf } from '../support/random.ts'
import { recordedLives } from '../support/recorded-lives.ts'
import { requireBuild } from '../support/server-process.ts'
import { clientsOfAllDoors, fuseExport, testWith } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/*
 * The built server on a disk whose every write and flush is written down. It is killed under load; then images are rebuilt
 * that a power failure could have left on that disk, opened by the same program, and held against what clients were told.
 */

const SEED = seedOf(Date.now() % 1_000_000)

testWith(
  [...fuseExport, ...clientsOfAllDoors],
  `no image of a recorded disk lacks what was acknowledged (seed ${SEED})`,
  async () => {
    requireBuild()
    const report = await recordedLives({
      folder: temporaryFolder(),
      surface: 'file',
      seed: SEED,
      acknowledgements: 30,
      goOn: (lives) => lives < 2,
      images: 60,
      servedImages: 1,
    })
    console.log(report)
    expect(report.verdicts['torn-tail']).toBeGreaterThan(0)
  },
)
