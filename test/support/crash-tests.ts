import { expect, test } from 'vitest'
import { playFor, playStates, type Scene } from './crash-plans.ts'
import { seedOf } from './random.ts'

const SEED = seedOf(1)

/** A test for each scene, which recovers from at least so many states. The seed is the same each time unless one is given. */
export function testScenes(scenes: readonly (readonly [name: string, scene: Scene, statesLeast: number])[]): void {
  test.each(scenes)(
    `no crash loses, tears or resurrects anything %s (seed ${SEED})`,
    { timeout: 900_000 },
    async (name, scene, statesLeast) => {
      const states = await playStates(scene, SEED, statesLeast)
      console.log(`${states} crash states recovered ${name}`)
      expect(states).toBeGreaterThanOrEqual(statesLeast)
    },
  )
}

const LONG_SEED = seedOf(Date.now() % 1_000_000_000)
const SECONDS_GIVEN = process.env.CENOTE_LONG_SECONDS

/** The same with other seeds each time. CENOTE_LONG_SECONDS, where it is given, is what the scenes of one file share. */
export function testScenesLong(scenes: readonly (readonly [name: string, scene: Scene, states: number])[]): void {
  const milliseconds = (Number(SECONDS_GIVEN ?? Number.POSITIVE_INFINITY) * 1000) / scenes.length
  test.each(scenes)(
    `no crash loses, tears or resurrects anything %s (seed ${LONG_SEED})`,
    async (name, scene, statesMost) => {
      const states = await playFor(scene, LONG_SEED, statesMost, milliseconds)
      console.log(`${states} crash states recovered ${name}, seeds from ${LONG_SEED} on`)
      expect(states).toBeGreaterThanOrEqual(SECONDS_GIVEN === undefined ? statesMost : 1)
    },
  )
}
