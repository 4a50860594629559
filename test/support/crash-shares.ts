import {
  CONCAT,
  CONCAT_TWO_RUNS,
  CROWDED,
  MIRROR,
  NESTED,
  REAL_SIZES,
  RECYCLING,
  ROOMY,
  type Scene,
  SHORT_LIVED,
  STRIPE,
  STRIPE_OF_MIRRORS,
  STRIPE_TWO_RUNS,
  THREE_LEGS,
} from './crash-plans.ts'

/** A scene, and how many crash states of it are recovered from, at least. */
export type Share = readonly [name: string, scene: Scene, states: number]

/** What the files of one run play, which share two cores. */
export interface Shares {
  readonly nested: readonly Share[]
  readonly aged: readonly Share[]
  /** One to four devices, all layouts; legs of mirrors fail, are lost, rot, or have lied about flushing. */
  readonly layouts: readonly Share[]
}

/** What `npm test` plays. */
export const SHORT: Shares = {
  nested: [
    ['with room to spare', ROOMY, 12_000],
    ['in many short lives', SHORT_LIVED, 36_000],
    ['in recoveries nested four deep', NESTED, 108_000],
  ],
  aged: [
    ['in a pool nearly full', CROWDED, 14_000],
    ['while segments are compacted and taken again', RECYCLING, 8000],
    ['at the sizes of a real pool', REAL_SIZES, 1500],
  ],
  layouts: [
    ['on a mirror of two legs', MIRROR, 8000],
    ['on a mirror of three legs', THREE_LEGS, 3000],
    ['on a stripe of mirrors', STRIPE_OF_MIRRORS, 3000],
    ['on two members, one after the other', CONCAT, 4000],
    ['on two members with two runs of the journal', CONCAT_TWO_RUNS, 4000],
    ['on a stripe', STRIPE, 4000],
    ['on a stripe with two runs of the journal', STRIPE_TWO_RUNS, 4000],
  ],
}

/** What `npm run test:long` plays, with other seeds each time. */
export const LONG: Shares = {
  nested: [
    ['in recoveries nested four deep', NESTED, 660_000],
    ['while segments are compacted and taken again', RECYCLING, 40_000],
  ],
  aged: [
    ['in many short lives', SHORT_LIVED, 200_000],
    ['with room to spare', ROOMY, 80_000],
    ['in a pool nearly full', CROWDED, 40_000],
    ['at the sizes of a real pool', REAL_SIZES, 3000],
  ],
  layouts: [
    ['on a mirror of two legs', MIRROR, 60_000],
    ['on a mirror of three legs', THREE_LEGS, 20_000],
    ['on a stripe of mirrors', STRIPE_OF_MIRRORS, 20_000],
    ['on two members, one after the other', CONCAT, 30_000],
    ['on two members with two runs of the journal', CONCAT_TWO_RUNS, 20_000],
    ['on a stripe', STRIPE, 20_000],
    ['on a stripe with two runs of the journal', STRIPE_TWO_RUNS, 20_000],
  ],
}

export const statesOf = (shares: readonly Share[]): number => shares.reduce((sum, [, , states]) => sum + states, 0)
