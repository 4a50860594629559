import { NESTED, RECYCLING } from '../support/crash-plans.ts'
import { testScenesLong } from '../support/crash-tests.ts'

/* More than a million states with crashes-aged.test.ts, which runs beside it on the other core. */
testScenesLong([
  ['in recoveries nested four deep', NESTED, 660_000],
  ['while segments are compacted and taken again', RECYCLING, 40_000],
])
