import { expect, test } from 'vitest'
import { CROWDED, playStates, RECYCLING } from '../support/crash-plans.ts'
import { seedOf } from '../support/random.ts'

const SEED = seedOf(1)

test.each([
  ['in a pool nearly full', CROWDED, 24_000],
  ['while segments are compacted and taken again', RECYCLING, 24_000],
])(
  `no crash loses, tears or resurrects anything %s (seed ${SEED})`,
  { timeout: 300_000 },
  async (name, scene, least) => {
    const states = await playStates(scene, SEED, least)
    console.log(`${states} crash states recovered ${name}`)
    expect(states).toBeGreaterThanOrEqual(least)
  },
)
