import { chooseTuning } from '../../pool/format.ts'
import { chooseFormat, type Format, type Geometry, type LayoutName, type Mutation } from '../../pool/index.ts'
import { CrashExplorer, type Plan, Violation } from './crash-explorer.ts'
import type { Arrangement } from './device-array.ts'
import { TINY_BYTES } from './tiny-pool.ts'
import { EVERYTHING, type Mix } from './workload.ts'

/** A plan, and the device that it is played on. */
export interface Scene {
  readonly plan: Plan
  readonly deviceBytes: number
  /** The tiny one unless another is given. */
  readonly format?: Format
  /** Devices of so many bytes each, and how they are joined; one unless given. */
  readonly arrangement?: Arrangement
}

/** Everything that a client may do, in a pool with room to spare. */
export const ROOMY: Scene = {
  plan: { warmUp: 10, steps: [3, 2], descendEvery: 10, tears: 3, exhaustiveMax: 6, liveBytesMax: 40_000 },
  deviceBytes: TINY_BYTES,
}

/** The same in a pool that is nearly full, where whatever was freed is taken at once. */
export const CROWDED: Scene = {
  plan: { ...ROOMY.plan, warmUp: 25, liveBytesMax: 1e9, tuning: { reserveSegments: 2 } },
  deviceBytes: 160 * 1024,
}

/** Many short lives, one after the other: leftovers of an earlier one lie where the next one writes. */
export const SHORT_LIVED: Scene = {
  plan: { ...ROOMY.plan, warmUp: 3, steps: [2, 1, 1], descendEvery: 4, tears: 1 },
  deviceBytes: TINY_BYTES,
}

/** Lives of one step, four of them, each of which begins with a crash in the one before: the cheapest states there are. */
export const NESTED: Scene = {
  plan: { ...SHORT_LIVED.plan, warmUp: 1, steps: [1, 1, 1, 1], descendEvery: 6 },
  deviceBytes: TINY_BYTES,
}

/** Half the size each, so that two make what one is elsewhere. */
const HALF_BYTES = TINY_BYTES / 2

const joined = (layout: LayoutName, members: number, more: Partial<Geometry> = {}): Arrangement => ({
  geometry: { layout, stripeUnit: 0, legs: 1, runs: 1, ...more },
  members,
})

/** Every layout, the journal in one run and in two. */
export const MIRROR: Scene = { ...ROOMY, arrangement: joined('mirror', 2, { legs: 2 }) }
export const THREE_LEGS: Scene = { ...ROOMY, arrangement: joined('mirror', 3, { legs: 3 }) }
export const CONCAT: Scene = { ...ROOMY, deviceBytes: HALF_BYTES, arrangement: joined('concat', 2) }
export const CONCAT_TWO_RUNS: Scene = { ...ROOMY, arrangement: joined('concat', 2, { runs: 2 }) }
export const STRIPE: Scene = {
  ...ROOMY,
  deviceBytes: HALF_BYTES,
  arrangement: joined('stripe', 2, { stripeUnit: 1024 }),
}
export const STRIPE_TWO_RUNS: Scene = { ...ROOMY, arrangement: joined('stripe', 3, { stripeUnit: 2048, runs: 2 }) }
export const STRIPE_OF_MIRRORS: Scene = {
  ...ROOMY,
  deviceBytes: HALF_BYTES,
  arrangement: joined('stripe-of-mirrors', 4, { stripeUnit: 1024, legs: 2 }),
}

const NOTHING: Mix = {
  put: 0,
  remove: 0,
  refuse: 0,
  abort: 0,
  goOn: 0,
  read: 0,
  checkpoint: 0,
  payloadBytes: [9000],
  runs: [4],
}

/** Sparse segments, and then checkpoints that compact them while large payloads look for room. */
export const RECYCLING: Scene = {
  plan: {
    ...ROOMY.plan,
    warmUp: 10,
    steps: [2],
    tears: 1,
    exhaustiveMax: 3,
    liveBytesMax: 1e9,
    warmUpMix: { ...NOTHING, put: 1, remove: 1, payloadBytes: [700], runs: [1, 4] },
    mix: { ...NOTHING, put: 2, checkpoint: 1 },
  },
  deviceBytes: CROWDED.deviceBytes,
}

const REAL_BYTES = 24 << 20
const REAL_FORMAT = chooseFormat(REAL_BYTES)

/** The format and the tuning of the smallest pool that a server makes. */
export const REAL_SIZES: Scene = {
  plan: {
    warmUp: 4,
    steps: [3],
    descendEvery: 1,
    tears: 1,
    exhaustiveMax: 3,
    liveBytesMax: 8 << 20,
    mix: { ...EVERYTHING, payloadBytes: [1, 4096, 40_000, 200_000, 1_500_000] },
    tuning: { ...chooseTuning(REAL_FORMAT), sealIdleMs: 0, checkpointMsMax: 0 },
  },
  deviceBytes: REAL_BYTES,
  format: REAL_FORMAT,
}

/** Plays seeds from `seed` on until so many states have been recovered; resolves with their number. Throws a Violation. */
export function playStates(scene: Scene, seed: number, states: number): Promise<number> {
  return play(scene, seed, (explorer) => explorer.states >= states)
}

/** The same, or until so much time has gone by. */
export function playFor(scene: Scene, seed: number, states: number, milliseconds: number): Promise<number> {
  const end = performance.now() + milliseconds
  return play(scene, seed, (explorer) => explorer.states >= states || performance.now() >= end)
}

async function play(scene: Scene, seed: number, isDone: (explorer: CrashExplorer) => boolean) {
  const { plan } = scene
  const explorer = explorerOf(scene)
  explorer.isDone = () => isDone(explorer)
  for (let next = seed; !explorer.isDone(); next++) await explorer.explore(next, plan)
  return explorer.states
}

const explorerOf = ({ deviceBytes, format, arrangement }: Scene, mutations: readonly Mutation[] = []) =>
  new CrashExplorer(new Set(mutations), deviceBytes, format, arrangement)

/** Plays seeds from `seed` on until the broken pool is found out; the states that took, or undefined within `statesMax`. */
export async function statesToKill(
  mutations: readonly Mutation[],
  scene: Scene,
  seed: number,
  statesMax: number,
): Promise<number | undefined> {
  const { plan } = scene
  const explorer = explorerOf(scene, mutations)
  try {
    for (let next = seed; explorer.states < statesMax; next++) await explorer.explore(next, plan)
    return undefined
  } catch (error) {
    if (error instanceof Violation) return explorer.states
    throw error
  }
}
