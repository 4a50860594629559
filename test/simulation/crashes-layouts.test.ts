import { SHORT } from '../support/crash-shares.ts'
import { testScenes } from '../support/crash-tests.ts'

/*
 * Power fails for all members at once, and each keeps its own part of what was underway. On mirrors a leg also fails
 * in the run, and legs are lost, rotten, or have lied about flushing.
 */
testScenes(SHORT.layouts)
