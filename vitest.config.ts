import { join } from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What takes longest comes first: begun last, it would leave one worker with nothing to do meanwhile. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((one, other) => lengthOf(one) - lengthOf(other))
  }
}

/** The longest of them, from the longest on: a clone knows no times yet. Those that compute lie between those that wait. */
const LONGEST = [
  'simulation/crashes',
  'server/serve',
  'simulation/crashes-layouts',
  'simulation/crashes-crowded',
  'e2e/evidence',
  'e2e/pool-devices',
  'e2e/system-calls',
  'e2e/recorded',
  'e2e/delivered',
  'pool/rot',
  'pool/scrub',
  'e2e/',
  'conformance/',
  'simulation/',
]

function lengthOf({ moduleId }: TestSpecification): number {
  const index = LONGEST.findIndex((part) => moduleId.includes(part.endsWith('/') ? `/${part}` : `/${part}.test.ts`))
  return index < 0 ? LONGEST.length : index
}

/**
 * Node's own modules and not vite's, in which each use of an import is a look into an object: a fifth of what the crash
 * enumeration takes.
 */
export const NATIVE_MODULES = {
  execArgv: ['--import', join(import.meta.dirname, 'test/support/native-typescript.mjs')],
  experimental: { viteModuleRunner: false, nodeLoader: false },
}

/**
 * Two workers: the machines this runs on have two cores, and the tests start processes of their own. Files share what
 * their worker has loaded: to load the product for each of them took longer than most of them do.
 */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/long/**'],
    ...NATIVE_MODULES,
    maxWorkers: 2,
    isolate: false,
    sequence: { sequencer: LongestFirst },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
