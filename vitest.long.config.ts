import { defineConfig } from 'vitest/config'
import { NATIVE_MODULES } from './vitest.config.ts'

/** The long enumerations; CENOTE_LONG_SECONDS bounds each of them. */
export default defineConfig({
  test: {
    ...NATIVE_MODULES,
    include: ['test/long/**/*.test.ts'],
    maxWorkers: 2,
    testTimeout: 1_800_000,
    hookTimeout: 120_000,
  },
})
