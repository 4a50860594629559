import { existsSync } from 'node:fs'
import { hasCode, hasPool, type ManagedPool, openPool } from '../pool/index.ts'
import {
  type CheckReport,
  type ScrubReport,
  type ScrubRequest,
  type VerifyEvent,
  type VerifyRequest,
  type VerifySummary,
  verifyStream,
} from '../streams/index.ts'
import { CommandError, exitCode } from './cli/exit.ts'
import { progressBar } from './cli/progress.ts'
import { show } from './cli/scrub.ts'
import { DataFolder } from './data-folder.ts'
import { ScrubNote } from './scrub-note.ts'

/** The data folder of a pool that is closed, if it is. */
export interface ClosedPlace {
  readonly data: string
  /** Opens without members that are missing, where others stand in for them. */
  readonly degraded: boolean
}

/** Checks it. */
export async function checkClosedPool(place: ClosedPlace): Promise<CheckReport | undefined> {
  return (await onClosedPool(place, (pool) => pool.check()))?.result
}

/**
 * Scrubs it. There is no store to put verdicts on objects in: of what stays damaged the next scrub by a server tells
 * them.
 */
export async function scrubClosedPool(place: ClosedPlace, request: ScrubRequest): Promise<ScrubReport | undefined> {
  return (await onClosedPool(place, (pool, { scrub }) => scrubNoted(pool, new ScrubNote(scrub), request)))?.result
}

async function scrubNoted(pool: ManagedPool, note: ScrubNote, request: ScrubRequest): Promise<ScrubReport> {
  const { pool: name } = pool.position
  const bar = await progressBar('scrubbing')
  const stop = new AbortController()
  const abort = () => stop.abort()
  process.once('SIGINT', abort)
  try {
    const report = await pool.scrub({
      signal: stop.signal,
      onProgress: (progress) => show(bar, progress),
      ...note.optionsFor(name, request),
    })
    await note.write(name, report.cursor, Date.now())
    return report
  } finally {
    process.removeListener('SIGINT', abort)
    bar.stop()
  }
}

/** Verifies it: `show` is given what is found, as it is found, and says how it ended. */
export async function verifyClosedPool(
  place: ClosedPlace,
  request: VerifyRequest,
  show: (events: AsyncIterable<VerifyEvent>) => Promise<VerifySummary>,
): Promise<VerifySummary | undefined> {
  const settled = async () => {} // Nobody writes to it.
  return (await onClosedPool(place, (pool) => show(verifyStream({ pool, settled }, request))))?.result
}

/**
 * Opens the pool in a data folder that nobody serves, for `work`. Undefined when a server has it, when there is none, and
 * where CENOTE_URL names a server: that is the one that is meant.
 */
export async function onClosedPool<T>(
  { data, degraded }: ClosedPlace,
  work: (pool: ManagedPool, folder: DataFolder) => Promise<T>,
): Promise<{ readonly result: T } | undefined> {
  if (process.env.CENOTE_URL) return undefined
  const folder = new DataFolder(data)
  const release = existsSync(data) && (await hasPool(folder.pool)) ? folder.lock() : undefined
  if (release === undefined) return undefined
  try {
    const pool = await openPool(folder.pool, { degraded })
    return { result: await work(pool, folder).finally(() => pool.close()) }
  } catch (cause) {
    const isDamage = hasCode(cause, 'ERR_CORRUPT')
    throw isDamage ? new CommandError(exitCode.damage, `the pool does not open: ${cause.message}`, { cause }) : cause
  } finally {
    release()
  }
}
