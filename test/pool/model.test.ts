import { expect, test } from 'vitest'
import { playCommands } from '../support/pool-commands.ts'
import { seedOf } from '../support/random.ts'

const SEED = seedOf(1)
const RUNS = 250

/* A failure prints the shortest run that fails; CENOTE_SEED plays the same runs again. */
test(`a pool does what its model does, crashes between (seed ${SEED})`, async () => {
  expect(await playCommands({ seed: SEED, numRuns: RUNS })).toBe(RUNS)
})
