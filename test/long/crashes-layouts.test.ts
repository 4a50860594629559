import {
  CONCAT,
  CONCAT_TWO_RUNS,
  MIRROR,
  STRIPE,
  STRIPE_OF_MIRRORS,
  STRIPE_TWO_RUNS,
  THREE_LEGS,
} from '../support/crash-plans.ts'
import { testScenesLong } from '../support/crash-tests.ts'

/* One to four devices, all layouts; legs of mirrors fail, are lost, rot, or have lied about flushing. */
testScenesLong([
  ['on a mirror of two legs', MIRROR, 60_000],
  ['on a mirror of three legs', THREE_LEGS, 20_000],
  ['on a stripe of mirrors', STRIPE_OF_MIRRORS, 20_000],
  ['on two members, one after the other', CONCAT, 30_000],
  ['on two members with two runs of the journal', CONCAT_TWO_RUNS, 20_000],
  ['on a stripe', STRIPE, 20_000],
  ['on a stripe with two runs of the journal', STRIPE_TWO_RUNS, 20_000],
])
