import { beforeAll, expect } from 'vitest'
import { seedOf } from '../support/random.ts'
import type { Trouble } from '../support/recorded-life.ts'
import { anyPoolImage } from '../support/served-pool.ts'
import { requireBuild } from '../support/server-process.ts'
import { type Call, type Effect, fullAt, injected } from '../support/system-calls.ts'
import { command, curl, fuseExport, isThere, testWith, tracing } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { expectTold, type Troubled, troubledLife } from '../support/troubled-life.ts'

/*
 * The whole form of test/e2e/system-calls.test.ts: call after call fails, and the server is killed at it, for as long as
 * there is time. The stride has no factor in common with the number of calls, so that a short sweep is a thin one
 * over all of them, and a long one has each.
 */

const SEED = seedOf(Date.now() % 1_000_000)
const KINDS: readonly (readonly [Call, Effect, numbers: number])[] = [
  ['fdatasync', 'error=EIO', 61],
  ['pwrite64', 'error=EIO', 83],
  ['pwrite64', 'error=ENOSPC', 83],
  ['pwrite64', 'retval=0', 83],
  ['pread64', 'error=EIO', 211],
  ['pwrite64', 'signal=KILL', 83],
  ['fdatasync', 'signal=KILL', 61],
]
const STRIDE = 18
const FULL_AT = [1, 1.5, 2, 2.5, 3, 4].map((mebibytes) => mebibytes * (1 << 20) + 700)
/** Lives go on for so long, and in any case until one had its fault: the first numbers may lie beyond its last call. */
const MS_EACH = (Number(process.env.CENOTE_LONG_SECONDS ?? 240) * 1000) / (KINDS.length + 1)
const surface = isThere(fuseExport) ? 'file' : 'plain'
let image: Buffer

beforeAll(async () => {
  requireBuild()
  image = await anyPoolImage()
})

const play = (folder: string, seed: number, trouble: (log: string) => Trouble): Promise<Troubled> =>
  troubledLife({ folder, image, surface, seed, acknowledgements: 25, trouble })

for (const [call, effect, numbers] of KINDS) {
  testWith([tracing, curl], `${call}, ${effect}, at one call after the other (seed ${SEED})`, async () => {
    const folder = temporaryFolder()
    const end = performance.now() + MS_EACH
    const swept: Record<string, number> = {}
    for (let round = 0; round < numbers && (!swept.happened || performance.now() < end); round++) {
      const number = 1 + ((SEED + round * STRIDE) % numbers)
      await named(`${call} ${number} ${effect}`, async () => {
        const troubled = await play(folder, SEED + round, (log) => injected({ call, effect, number }, log))
        if (troubled.happened) expectTold(call, effect, troubled)
        count(swept, troubled)
      })
    }
    console.log(`${call} ${effect}: ${JSON.stringify(swept)}`)
    expect(swept.happened).toBeGreaterThan(0)
  })
}

testWith([tracing, curl, command('prlimit', 'util-linux')], `a disk that becomes full (seed ${SEED})`, async () => {
  const folder = temporaryFolder()
  const end = performance.now() + MS_EACH
  const swept: Record<string, number> = {}
  for (const [round, bytes] of FULL_AT.entries()) {
    if (swept.happened && performance.now() > end) break
    await named(`full at ${bytes}`, async () => {
      const troubled = await play(folder, SEED + round, (log) => fullAt(bytes, log))
      if (troubled.happened) expectTold('pwrite64', 'error=ENOSPC', troubled)
      count(swept, troubled)
    })
  }
  console.log(`a full disk: ${JSON.stringify(swept)}`)
  expect(swept.happened).toBeGreaterThan(0)
})

async function named(name: string, work: () => Promise<void>): Promise<void> {
  await work().catch((cause: Error) => {
    throw new Error(`${name}: ${cause.stack}`, { cause })
  })
}

/** How the lives ended, how many had their fault, and how many images were opened afterwards. */
function count(swept: Record<string, number>, { end, happened, images }: Troubled): void {
  const add = (name: string, number: number) => {
    swept[name] = (swept[name] ?? 0) + number
  }
  add(end, 1)
  add('happened', Number(happened))
  add('images', images)
}
