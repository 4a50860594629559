import { expect, test } from 'vitest'
import type { Mutation } from '../../pool/index.ts'
import { RECYCLING, ROOMY, type Scene, statesToKill } from '../support/crash-plans.ts'

/*
 * The gate: each rule of the commit protocol, broken on purpose, must be noticed. The same seeds of the same scenes pass
 * with the pool as it is (crashes.test.ts plays more of them), so it is the broken rule that is noticed.
 *
 * `no-chain` alone is not here: the epoch covers all that the chain does against leftovers, so the two differ in no
 * state that this fault model knows. The chain stays, because it also tells one pool's history from a forged one.
 */

const STATES_MAX = 20_000

const mutants: readonly (readonly [mutations: readonly Mutation[], scene: Scene])[] = [
  [['ack-before-flush'], ROOMY],
  [['publish-before-data-flush'], ROOMY],
  [['reuse-extents-at-once'], ROOMY],
  [['reuse-segment-before-superblock'], RECYCLING],
  [['snapshot-in-place'], ROOMY],
  [['naive-epoch'], ROOMY],
  [['epoch-not-flushed'], ROOMY],
  [['no-epoch'], ROOMY],
  [['no-chain', 'no-epoch'], ROOMY],
  [['compaction-drops-live'], ROOMY],
]

test.each(mutants)('%s is found out', { timeout: 300_000 }, async (mutations, scene) => {
  const states = await statesToKill(mutations, scene, STATES_MAX)
  console.log(`mutant killed: ${mutations.join(' and ')} (${states} states)`)
  expect(states, 'the mutant survived').toBeDefined()
})
