import { configDefaults, defineConfig } from 'vitest/config'

/** Two workers: the machines this runs on have two cores, and the tests start processes of their own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/long/**'],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
