import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect } from 'vitest'
import { seedOf } from '../support/random.ts'
import type { Trouble } from '../support/recorded-life.ts'
import { newPoolImage } from '../support/served-pool.ts'
import { requireBuild } from '../support/server-process.ts'
import { type Call, type Effect, fullAt, injected } from '../support/system-calls.ts'
import { command, curl, fuseExport, isThere, testWith, tracing } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { type Troubled, troubledLife } from '../support/troubled-life.ts'

/*
 * The n-th system call of the built server on its pool fails, or is the last thing that it does. What clients were told is
 * held against what a halted server shows, against what the next start shows, and, where the disk can be recorded, against
 * what a power failure would have left.
 */

const SEED = seedOf(1)
const surface = isThere(fuseExport) ? 'file' : 'plain'
let image: Buffer

beforeAll(async () => {
  requireBuild()
  const folder = mkdtempSync(join(tmpdir(), 'cenote-image-'))
  mkdirSync(join(folder, 'server'))
  image = await newPoolImage(join(folder, 'server'))
  return () => rmSync(folder, { recursive: true })
})

function play(trouble: (log: string) => Trouble): Promise<Troubled> {
  return troubledLife({ folder: temporaryFolder(), image, surface, seed: SEED, acknowledgements: 10, trouble })
}

/** The first ones are those of the start; a new pool takes three flushes and some thirty reads for it. */
const FAULTS: readonly (readonly [Call, Effect, number])[] = [
  ['fdatasync', 'error=EIO', 8],
  ['pwrite64', 'error=EIO', 4],
  ['pwrite64', 'error=ENOSPC', 9],
  ['pwrite64', 'retval=0', 12],
  ['pread64', 'error=EIO', 8],
  ['pwrite64', 'signal=KILL', 10],
  ['fdatasync', 'signal=KILL', 7],
]

for (const [call, effect, number] of FAULTS) {
  testWith([tracing, curl], `${call} number ${number}, ${effect}: nothing acknowledged is lost`, async () => {
    const troubled = await play((log) => injected({ call, effect, number }, log))
    console.log(call, effect, number, troubled)
    expect(troubled).toMatchObject({ happened: true })
  })
}

testWith([tracing, curl, command('prlimit', 'util-linux')], 'a write that is truly short', async () => {
  const troubled = await play((log) => fullAt((2 << 20) + 700, log))
  console.log(troubled)
  expect(troubled).toMatchObject({ happened: true })
})
