import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { RecordedImages } from './recorded-images.ts'
import { RecordedLedger, type Shown } from './recorded-ledger.ts'
import { type End, type Life, type LifeOptions, live, type Trouble } from './recorded-life.ts'
import { keepCatalog, placeDevice, startServer } from './served-pool.ts'
import { rootAuthorization, type Server } from './server-process.ts'
import { checkedBy, readableOver, shownOver } from './shown.ts'
import type { Call, Effect } from './system-calls.ts'

export interface TroubledOptions extends Pick<LifeOptions, 'image' | 'surface' | 'seed' | 'acknowledgements'> {
  readonly folder: string
  /** What goes wrong; it gets a file to write to. */
  readonly trouble: (log: string) => Trouble
}

export interface Troubled {
  readonly end: End
  /** False when the life ended before it came. */
  readonly happened: boolean
  readonly acknowledged: number
  readonly refusals: number
  /** Of the pool, as it was last seen to be open: a write that failed was made good elsewhere. */
  readonly retiredBytes: number
  /** Crashes after the last flush, each of which was opened. */
  readonly images: number
}

/** In the end: whatever was acknowledged at all. */
const END = Number.MAX_SAFE_INTEGER

/**
 * A life in which something goes wrong, and what comes after it. Whoever asks after a failed write or flush must not hear yes;
 * a halted server says so, and shows what was acknowledged; the next start shows it; and so does every image that a crash
 * in the end may have left, in which what the failed flush should have covered may be missing.
 */
export async function troubledLife(options: TroubledOptions): Promise<Troubled> {
  const ledger = new RecordedLedger()
  const folder = join(options.folder, `life-${options.seed}`)
  mkdirSync(folder)
  const trouble = options.trouble(join(folder, 'calls.log'))
  let retiredBytes = 0
  const life = await live({
    ...options,
    folder,
    ledger,
    trouble,
    doors: ['http'],
    onAcknowledged: async (server) => {
      if (trouble.isFinal) return
      expectNothingForeign(await readableOver(server), ledger)
      retiredBytes = (await retiredBytesOf(server)) ?? retiredBytes
    },
    onHalted: (server) => verifyHalted(server, ledger),
  })
  await verifyNextStart(join(folder, 'next'), life, ledger)
  const verdicts = life.trace.length > 0 ? await new RecordedImages(life, ledger, options.seed).verifyEnd() : {}
  const images = Object.values(verdicts).reduce((sum, count) => sum + count, 0)
  const { acknowledged } = ledger
  const { end, happened, refusals } = life
  rmSync(folder, { recursive: true })
  return { end, happened, acknowledged, refusals, retiredBytes, images }
}

/** A halted pool still shows what was acknowledged, for as long as the server lives: after a failed flush, too. */
async function verifyHalted(server: Server, ledger: RecordedLedger): Promise<void> {
  expect(ledger.problems(await shownOver(server), END)).toEqual([])
}

/** Undefined when the server has been killed meanwhile. */
async function retiredBytesOf(server: Server): Promise<number | undefined> {
  const headers = { authorization: rootAuthorization }
  const response = await fetch(`${server.address('http')}/v1/pools/main`, { headers }).catch(() => undefined)
  const status = (await response?.json().catch(() => undefined)) as { retiredBytes: number } | undefined
  return status?.retiredBytes
}

function expectNothingForeign(readable: Shown, ledger: RecordedLedger): void {
  for (const [name, digest] of readable) expect([name, ledger.asked(name, digest)]).toEqual([name, true])
}

async function verifyNextStart(folder: string, life: Life, ledger: RecordedLedger): Promise<void> {
  placeDevice(folder, life.disk)
  keepCatalog(life.folder, folder)
  await using server = await startServer(folder)
  expect(ledger.problems(await shownOver(server), END)).toEqual([])
  expect(await checkedBy(server)).toMatchObject({ findings: [] })
}

/**
 * A fault that came is no secret: the process dies of it or does not start, or the pool halts, or the pool says that a
 * payload was written elsewhere. Only a read that fails may be made good by another one without a word.
 */
export function expectTold(call: Call, effect: Effect, { end, refusals, retiredBytes }: Troubled): void {
  if (effect === 'signal=KILL') expect(['ended', 'not started']).toContain(end)
  else if (call === 'fdatasync') expect(['halted', 'not started']).toContain(end)
  else if (call === 'pwrite64' && end === 'killed') expect(refusals + retiredBytes).toBeGreaterThan(0)
}
