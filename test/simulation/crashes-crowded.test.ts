import { CROWDED, REAL_SIZES, RECYCLING } from '../support/crash-plans.ts'
import { testScenes } from '../support/crash-tests.ts'

testScenes([
  ['in a pool nearly full', CROWDED, 20_000],
  ['while segments are compacted and taken again', RECYCLING, 16_000],
  ['at the sizes of a real pool', REAL_SIZES, 3000],
])
