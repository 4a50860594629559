import { expect, test } from 'vitest'
import { seedOf } from '../support/random.ts'
import { VolumeCrashes } from '../support/volume-crashes.ts'

/* Other seeds each time, for as long as CENOTE_LONG_SECONDS say. */

const SEED = seedOf(Date.now() % 1_000_000_000)
const MILLISECONDS = Number(process.env.CENOTE_LONG_SECONDS ?? 240) * 1000

test(`no crash tears, loses or mixes writes to a volume (seed ${SEED})`, async () => {
  const end = performance.now() + MILLISECONDS
  const states = await new VolumeCrashes().play(SEED, () => performance.now() >= end)
  console.log(`${states} crash states of volumes recovered, seeds from ${SEED} on`)
  expect(states).toBeGreaterThan(0)
})
