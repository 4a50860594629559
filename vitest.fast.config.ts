import { configDefaults, defineConfig, mergeConfig } from 'vitest/config'
import whole from './vitest.config.ts'

/** The inner loop: no crash enumeration, no processes of its own. */
export default mergeConfig(
  whole,
  defineConfig({
    test: { exclude: [...configDefaults.exclude, 'test/long/**', 'test/simulation/**', 'test/e2e/**'] },
  }),
)
