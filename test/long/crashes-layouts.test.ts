import { LONG } from '../support/crash-shares.ts'
import { testScenesLong } from '../support/crash-tests.ts'

testScenesLong(LONG.layouts)
