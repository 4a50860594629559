import {
  CONCAT,
  CONCAT_TWO_RUNS,
  MIRROR,
  STRIPE,
  STRIPE_OF_MIRRORS,
  STRIPE_TWO_RUNS,
  THREE_LEGS,
} from '../support/crash-plans.ts'
import { testScenes } from '../support/crash-tests.ts'

/*
 * Power fails for all members at once, and each keeps its own part of what was underway. On mirrors a leg also fails
 * in the run, and legs are lost, rotten, or have lied about flushing.
 */
testScenes([
  ['on a mirror of two legs', MIRROR, 8000],
  ['on a mirror of three legs', THREE_LEGS, 3000],
  ['on a stripe of mirrors', STRIPE_OF_MIRRORS, 3000],
  ['on two members, one after the other', CONCAT, 4000],
  ['on two members with two runs of the journal', CONCAT_TWO_RUNS, 4000],
  ['on a stripe', STRIPE, 4000],
  ['on a stripe with two runs of the journal', STRIPE_TWO_RUNS, 4000],
])
