import { expect, test } from 'vitest'
import { playCommands } from '../support/pool-commands.ts'
import { seedOf } from '../support/random.ts'

const SEED = seedOf(Date.now() % 1_000_000_000)
const MILLISECONDS = Number(process.env.CENOTE_LONG_SECONDS ?? 120) * 1000

test(`a pool does what its model does, crashes between (seed ${SEED})`, async () => {
  const runs = await playCommands({ seed: SEED, numRuns: 1e9, interruptAfterTimeLimit: MILLISECONDS })
  console.log(`${runs} runs of a pool beside its model, seed ${SEED}`)
  expect(runs).toBeGreaterThan(0)
})
