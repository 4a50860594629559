import { expect } from 'vitest'
import { seedOf } from '../support/random.ts'
import { recordedLives } from '../support/recorded-lives.ts'
import { requireBuild } from '../support/server-process.ts'
import { clientsOfAllDoors, fuseExport, loopDevice, testWith } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/*
 * The built server on a disk whose every write and flush is written down. It is killed under load; then images are rebuilt
 * that a power failure could have left on that disk, opened by the same program, and held against what clients were told.
 */

const SEED = seedOf(Date.now() % 1_000_000)
const needs = [...fuseExport, ...clientsOfAllDoors]

testWith(needs, `nothing acknowledged is lost with what a recorded disk had not flushed (seed ${SEED})`, async () => {
  requireBuild()
  const folder = temporaryFolder()
  const goOn = (lives: number) => lives < 2
  const size = { acknowledgements: 30, images: 120, servedImages: 1 }
  const { verdicts } = await recordedLives({ folder, surface: 'file', seed: SEED, goOn, ...size })
  expect(Object.values(verdicts).reduce((sum, count) => sum + count)).toBeGreaterThan(100)
})

testWith([...needs, ...loopDevice], `nor on a loop device on top of it (seed ${SEED})`, async () => {
  requireBuild()
  const folder = temporaryFolder()
  const goOn = (lives: number) => lives < 1
  const size = { acknowledgements: 20, images: 30, servedImages: 1 }
  const { acknowledged } = await recordedLives({ folder, surface: 'loop', seed: SEED, goOn, ...size })
  expect(acknowledged).toBeGreaterThan(0)
})
