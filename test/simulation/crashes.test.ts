import { NESTED, ROOMY, SHORT_LIVED } from '../support/crash-plans.ts'
import { testScenes } from '../support/crash-tests.ts'

/* More than 200,000 states with crashes-crowded.test.ts, which runs beside it. */
testScenes([
  ['with room to spare', ROOMY, 24_000],
  ['in many short lives', SHORT_LIVED, 36_000],
  ['in recoveries nested four deep', NESTED, 110_000],
])
