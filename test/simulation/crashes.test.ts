import { expect, test } from 'vitest'
import { LONG, SHORT, type Shares, statesOf } from '../support/crash-shares.ts'
import { testScenes } from '../support/crash-tests.ts'

const sumOf = (shares: Shares): number => Object.values(shares).reduce((sum, file) => sum + statesOf(file), 0)

/* Each file asserts its own part, so that the sum of the parts is a floor. */
test('the short run recovers from more than 200,000 crash states, the long one from more than a million', () => {
  expect(sumOf(SHORT)).toBeGreaterThan(200_000)
  expect(sumOf(LONG)).toBeGreaterThan(1_000_000)
})

testScenes(SHORT.nested)
