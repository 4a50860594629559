import { CROWDED, REAL_SIZES, ROOMY, SHORT_LIVED } from '../support/crash-plans.ts'
import { testScenesLong } from '../support/crash-tests.ts'

testScenesLong([
  ['in many short lives', SHORT_LIVED, 200_000],
  ['with room to spare', ROOMY, 80_000],
  ['in a pool nearly full', CROWDED, 40_000],
  ['at the sizes of a real pool', REAL_SIZES, 3000],
])
