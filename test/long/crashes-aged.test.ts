import { CROWDED, REAL_SIZES, RECYCLING, ROOMY } from '../support/crash-plans.ts'
import { testScenesLong } from '../support/crash-tests.ts'

testScenesLong([
  ['with room to spare', ROOMY, 120_000],
  ['in a pool nearly full', CROWDED, 70_000],
  ['while segments are compacted and taken again', RECYCLING, 70_000],
  ['at the sizes of a real pool', REAL_SIZES, 5000],
])
