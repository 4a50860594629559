import { NESTED, SHORT_LIVED } from '../support/crash-plans.ts'
import { testScenesLong } from '../support/crash-tests.ts'

/* More than a million states with crashes-aged.test.ts, which runs beside it on the other core. */
testScenesLong([
  ['in many short lives', SHORT_LIVED, 250_000],
  ['in recoveries nested four deep', NESTED, 500_000],
])
