import { expect, test } from 'vitest'
import { playStates, type Scene } from './crash-plans.ts'
import { seedOf } from './random.ts'

const SEED = seedOf(1)

/** A test for each scene, which recovers from at least so many states. The seed is the same each time unless one is given. */
export function testScenes(scenes: readonly (readonly [name: string, scene: Scene, statesLeast: number])[]): void {
  test.each(scenes)(
    `no crash loses, tears or resurrects anything %s (seed ${SEED})`,
    { timeout: 300_000 },
    async (name, scene, statesLeast) => {
      const states = await playStates(scene, SEED, statesLeast)
      console.log(`${states} crash states recovered ${name}`)
      expect(states).toBeGreaterThanOrEqual(statesLeast)
    },
  )
}
