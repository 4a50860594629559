import { expect, test } from 'vitest'
import { CROWDED, playFor, RECYCLING, ROOMY, SHORT_LIVED } from '../support/crash-plans.ts'
import { seedOf } from '../support/random.ts'

/* Other seeds each time, for as long as CENOTE_LONG_SECONDS say, shared out among the scenes. */

const SEED = seedOf(Date.now() % 1_000_000_000)
const SCENES = Object.entries({ ROOMY, CROWDED, SHORT_LIVED, RECYCLING })
const MS_EACH = (Number(process.env.CENOTE_LONG_SECONDS ?? 240) * 1000) / SCENES.length

test.each(SCENES)(`no crash loses, tears or resurrects anything: %s (seed ${SEED})`, async (name, scene) => {
  const states = await playFor(scene, SEED, MS_EACH)
  console.log(`${states} crash states recovered: ${name}, seeds from ${SEED} on`)
  expect(states).toBeGreaterThan(0)
})
