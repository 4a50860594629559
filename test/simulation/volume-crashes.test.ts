import { expect, test } from 'vitest'
import { seedOf } from '../support/random.ts'
import { VolumeCrashes } from '../support/volume-crashes.ts'

const SEED = seedOf(1)
const STATES_LEAST = 1500

test(`no crash tears, loses or mixes writes to a volume (seed ${SEED})`, { timeout: 300_000 }, async () => {
  const states = await new VolumeCrashes().play(SEED, (played) => played >= STATES_LEAST)
  console.log(`${states} crash states of volumes recovered`)
  expect(states).toBeGreaterThanOrEqual(STATES_LEAST)
})
