import { expect, test } from 'vitest'
import { killAndVerify } from '../support/killing.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)
const ROUNDS = 50

test(`nothing acknowledged is lost in ${ROUNDS} kills (seed ${SEED})`, async () => {
  const acknowledged = await killAndVerify(temporaryFolder(), ROUNDS, SEED)
  console.log(`${acknowledged} uploads were acknowledged in ${ROUNDS} rounds; all are there`)
  expect(acknowledged).toBeGreaterThan(ROUNDS)
})
