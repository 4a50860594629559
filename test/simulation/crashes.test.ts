import { ROOMY, SHORT_LIVED } from '../support/crash-plans.ts'
import { testScenes } from '../support/crash-tests.ts'

/* More than 100,000 states with crashes-crowded.test.ts, which runs beside it. */
testScenes([
  ['with room to spare', ROOMY, 36_000],
  ['in many short lives', SHORT_LIVED, 20_000],
])
