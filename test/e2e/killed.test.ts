import { expect, test } from 'vitest'
import { killAndVerify } from '../support/killing.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)

test(`nothing acknowledged is lost when the process is killed (seed ${SEED})`, { timeout: 180_000 }, async () => {
  const acknowledged = await killAndVerify(temporaryFolder(), 5, SEED)
  expect(acknowledged).toBeGreaterThan(0)
})
