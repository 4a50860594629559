import { expect, test } from 'vitest'
import { deliverThroughKills } from '../support/delivering.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)
const ROUNDS = 200
/** Without a budget all rounds are played. */
const MILLISECONDS = Number(process.env.CENOTE_LONG_SECONDS ?? Number.POSITIVE_INFINITY) * 1000

test(`every record is delivered through up to ${ROUNDS} kills of server or subscriber (seed ${SEED})`, async () => {
  const { records, repeated, notes } = await deliverThroughKills(temporaryFolder(), ROUNDS, SEED, MILLISECONDS)
  console.log(`${records} records delivered, ${repeated} of them more than once, noted ${notes} times`)
  expect(records).toBeGreaterThan(0)
})
