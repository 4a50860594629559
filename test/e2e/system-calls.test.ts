import { join } from 'node:path'
import { beforeAll, expect } from 'vitest'
import { seedOf } from '../support/random.ts'
import { anyPoolImage, placeImage, startServer } from '../support/served-pool.ts'
import { requireBuild, rootAuthorization } from '../support/server-process.ts'
import { type Call, type Effect, injected } from '../support/system-calls.ts'
import { curl, fuseExport, isThere, testWith, tracing } from '../support/system-tools.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { expectTold, troubledLife } from '../support/troubled-life.ts'

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
  image = await anyPoolImage()
})

/** A few of each kind, beyond those of the start; the long tests sweep the number, and have a disk that becomes full, too. */
const FAULTS: readonly (readonly [Call, Effect, number])[] = [
  ['fdatasync', 'error=EIO', 8],
  ['pwrite64', 'error=ENOSPC', 9],
  ['pwrite64', 'retval=0', 12],
  ['pread64', 'error=EIO', 60],
  ['pwrite64', 'signal=KILL', 10],
  ['fdatasync', 'signal=KILL', 7],
]

for (const [call, effect, number] of FAULTS) {
  testWith([tracing, curl], `${call} number ${number}, ${effect}: nothing acknowledged is lost`, async () => {
    const trouble = (log: string) => injected({ call, effect, number }, log)
    const options = { folder: temporaryFolder(), image, surface, seed: SEED, acknowledgements: 10, trouble } as const
    const troubled = await troubledLife(options)
    expect(troubled.happened).toBe(true)
    expectTold(call, effect, troubled)
  })
}

/** Of which some travel in the journal and some lie in extents. */
const SIZES = [100, 5000, 300_000]
const PUTS_MAX = 50

testWith(
  [tracing],
  'after a failed fdatasync a PUT hears 503, and a GET of what was acknowledged its bytes',
  async () => {
    const folder = temporaryFolder()
    const device = placeImage(folder, image)
    const { tracer, happened } = injected({ call: 'fdatasync', effect: 'error=EIO', number: 14 }, join(folder, 'calls'))
    await using server = await startServer(folder, tracer!(device))
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(`${server.address('http')}/v1/objects/inbox/${path}`, {
        ...init,
        headers: { authorization: rootAuthorization },
      })
    const body = (number: number) => Buffer.alloc(SIZES[number % SIZES.length]!, `object ${number}, `)
    const put = async (number: number) => (await ask(String(number), { method: 'PUT', body: body(number) })).status
    let acknowledged = 0
    while (acknowledged < PUTS_MAX && (await put(acknowledged)) === 201) acknowledged++
    expect(acknowledged).toBeGreaterThan(SIZES.length)
    expect(happened()).toBe(true)
    expect(await put(acknowledged + 1)).toBe(503)
    for (let number = 0; number < acknowledged; number++) {
      const answer = await ask(String(number))
      expect([number, answer.status]).toEqual([number, 200])
      expect(Buffer.from(await answer.arrayBuffer()).equals(body(number))).toBe(true)
    }
    expect((await ask(String(acknowledged))).status).toBe(404)
  },
)
