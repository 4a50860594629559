import { expect } from 'vitest'
import { postfixNeeds } from '../support/postfix.ts'
import { seededRandom } from '../support/random.ts'
import { Relaying } from '../support/relaying.ts'
import { requireBuild } from '../support/server-process.ts'
import { testWith } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SEED = Number(process.env.CENOTE_SEED ?? Date.now() % 1_000_000)
const MESSAGES = Number(process.env.CENOTE_RELAYED_MESSAGES ?? 500)
/** After these nobody is killed any more, and the rest is relayed. */
const MILLISECONDS = Number(process.env.CENOTE_LONG_SECONDS ?? 240) * 1000

testWith(
  postfixNeeds,
  `${MESSAGES} messages survive any number of kills in Postfix's queue (seed ${SEED})`,
  async () => {
    requireBuild()
    const end = performance.now() + MILLISECONDS
    const plan = { messages: MESSAGES, poolBytes: '192MiB', patienceMax: 30, goesOn: () => performance.now() < end }
    await using relaying = await Relaying.open(temporaryFolder(), seededRandom(SEED), plan)
    const { objects, unanswered, kills } = await relaying.run()
    console.log(`seed ${SEED}: ${JSON.stringify({ messages: MESSAGES, objects, unanswered, kills })}`)
    expect(objects - MESSAGES).toBeLessThanOrEqual(unanswered)
  },
)
