import { expect, test } from 'vitest'
import { deliverThroughKills } from '../support/delivering.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)
const ROUNDS = 200

test(`every record is delivered through ${ROUNDS} kills of server or subscriber (seed ${SEED})`, async () => {
  const { records, repeated, notes } = await deliverThroughKills(temporaryFolder(), ROUNDS, SEED)
  console.log(`${records} records delivered, ${repeated} of them more than once, noted ${notes} times`)
  expect(records).toBeGreaterThan(ROUNDS)
})
