import { SHORT } from '../support/crash-shares.ts'
import { testScenes } from '../support/crash-tests.ts'

testScenes(SHORT.aged)
