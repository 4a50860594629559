import { expect } from 'vitest'
import { postfixNeeds } from '../support/postfix.ts'
import { seededRandom } from '../support/random.ts'
import { Relaying } from '../support/relaying.ts'
import { requireBuild } from '../support/server-process.ts'
import { testWith } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)
const MESSAGES = 40
const KILLS = 2

testWith(postfixNeeds, `what Postfix relays while the server is killed is there (seed ${SEED})`, async () => {
  requireBuild()
  const plan = { messages: MESSAGES, poolBytes: '64MiB', patienceMax: 8, goesOn: (kills: number) => kills < KILLS }
  await using relaying = await Relaying.open(temporaryFolder(), seededRandom(SEED), plan)
  const { objects, unanswered } = await relaying.run()
  expect(objects - MESSAGES).toBeLessThanOrEqual(unanswered)
})
