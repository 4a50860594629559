import { defineConfig } from 'vitest/config'

/** The long enumerations; CENOTE_LONG_SECONDS bounds each of them. */
export default defineConfig({
  test: { include: ['test/long/**/*.test.ts'], maxWorkers: 2, testTimeout: 1_800_000, hookTimeout: 120_000 },
})
