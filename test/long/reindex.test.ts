import { expect, test } from 'vitest'
import { playIndexLives } from '../streams/index-lives.ts'
import { seedOf } from '../support/random.ts'

const SEED = seedOf(Date.now() % 1_000_000_000)
const MILLISECONDS = Number(process.env.CENOTE_LONG_SECONDS ?? 120) * 1000

test(`an index made anew is what the entries say (seed ${SEED})`, async () => {
  const lives = await playIndexLives({ seed: SEED, numRuns: 1e9, interruptAfterTimeLimit: MILLISECONDS })
  console.log(`${lives} lives of a catalog whose index is made anew, seed ${SEED}`)
  expect(lives).toBeGreaterThan(0)
})
