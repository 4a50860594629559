import { configDefaults, defineConfig, mergeConfig } from 'vitest/config'
import whole from './vitest.config.ts'

/** Those that play long: random lives, rot at every place, faults one after the other, real devices and clients. */
const LONG_PLAYS = [
  'test/**/*model.test.ts',
  'test/pool/{abstraction-manager,block-device,imitation,injected-failures,pool-devices,refused-devices}.test.ts',
  'test/pool/{reservations,rot,scrub,scrub-running,unreadable,volume,volumes}.test.ts',
  'test/protocols/{ftp-clients,smtp-clients,http-held-pages,http-lifecycle,http-objects}.test.ts',
]

/** The inner loop: no crash enumeration, no processes of its own, nothing that plays long. */
export default mergeConfig(
  whole,
  defineConfig({
    test: {
      exclude: [
        ...configDefaults.exclude,
        ...LONG_PLAYS,
        'test/{long,simulation,e2e,conformance}/**',
        'test/server/serve.test.ts',
      ],
    },
  }),
)
