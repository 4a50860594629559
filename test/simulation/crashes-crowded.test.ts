import { CROWDED, RECYCLING } from '../support/crash-plans.ts'
import { testScenes } from '../support/crash-tests.ts'

testScenes([
  ['in a pool nearly full', CROWDED, 24_000],
  ['while segments are compacted and taken again', RECYCLING, 24_000],
])
