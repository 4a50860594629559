import { beforeAll, expect, test } from 'vitest'
import { deliverThroughKills } from '../support/delivering.ts'
import { seedOf } from '../support/random.ts'
import { requireBuild } from '../support/server-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = seedOf(1)
const ROUNDS = 12

beforeAll(requireBuild)

test(`every record is delivered though server and subscriber are killed (seed ${SEED})`, async () => {
  const { records, notes } = await deliverThroughKills(temporaryFolder(), ROUNDS, SEED)
  expect(records).toBeGreaterThan(ROUNDS)
  expect(notes).toBeGreaterThan(0)
})
