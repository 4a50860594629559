import { defineConfig } from 'vitest/config'

/** Two workers: the machines this runs on have two cores, and the tests start processes of their own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
