import { afterAll, expect, test } from 'vitest'
import { playFor, playStates } from './crash-plans.ts'
import { type Share, statesOf } from './crash-shares.ts'
import { seedOf } from './random.ts'

const SEED = seedOf(1)

/** A test for each scene, which recovers from at least its share. The seed is the same each time unless one is given. */
export function testScenes(shares: readonly Share[]): void {
  const played = sumAtTheEnd(`seeds from ${SEED} on`)
  test.each(shares)(
    `no crash loses, tears or resurrects anything %s (seed ${SEED})`,
    { timeout: 900_000 },
    async (name, scene, statesLeast) => {
      const states = await playStates(scene, SEED, statesLeast)
      played(name, states)
      expect(states).toBeGreaterThanOrEqual(statesLeast)
    },
  )
}

const LONG_SEED = seedOf(Date.now() % 1_000_000_000)
const SECONDS_GIVEN = process.env.CENOTE_LONG_SECONDS

/**
 * The same with other seeds each time. CENOTE_LONG_SECONDS, where it is given, is what the scenes of one file share;
 * where it is not, each plays its share, however long that takes.
 */
export function testScenesLong(shares: readonly Share[]): void {
  const isWhole = SECONDS_GIVEN === undefined
  const milliseconds = (Number(SECONDS_GIVEN ?? Number.POSITIVE_INFINITY) * 1000) / shares.length
  const played = sumAtTheEnd(`of ${statesOf(shares)}, seeds from ${LONG_SEED} on`)
  test.each(shares)(
    `no crash loses, tears or resurrects anything %s (seed ${LONG_SEED})`,
    async (name, scene, statesMost) => {
      const states = await playFor(scene, LONG_SEED, statesMost, milliseconds)
      played(name, states)
      expect(states).toBeGreaterThanOrEqual(isWhole ? statesMost : 1)
    },
  )
}

/** To be told of each scene; says at the end how many states they were together. */
function sumAtTheEnd(addition: string): (name: string, states: number) => void {
  let sum = 0
  afterAll(() => console.log(`${sum} crash states recovered in all, ${addition}`))
  return (name, states) => {
    sum += states
    console.log(`${states} crash states recovered ${name}`)
  }
}
