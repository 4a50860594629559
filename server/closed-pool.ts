import { existsSync } from 'node:fs'
import { type ManagedPool, openPool, PoolError } from '../pool/index.ts'
import type { CheckReport, ScrubReport, ScrubRequest } from '../streams/index.ts'
import { CommandError, exitCode } from './cli/exit.ts'
import { progressBar } from './cli/progress.ts'
import { show } from './cli/scrub.ts'
import { DataFolder } from './data-folder.ts'
import { ScrubNote } from './scrub-note.ts'

/** Checks the pool in a data folder that nobody serves. Undefined when a server has it, or when there is none. */
export async function checkClosedPool(data: string): Promise<CheckReport | undefined> {
  return withClosedPool(data, (pool) => pool.check())
}

/**
 * Scrubs it. There is no store to put verdicts on objects in: of what stays damaged the next scrub by a server tells them.
 */
export async function scrubClosedPool(data: string, request: ScrubRequest): Promise<ScrubReport | undefined> {
  return withClosedPool(data, async (pool, { scrub }) => {
    const note = new ScrubNote(scrub)
    const { pool: name } = pool.position
    const { cursor, finished } = note.read(name)
    const bar = await progressBar('scrubbing')
    const stop = new AbortController()
    const abort = () => stop.abort()
    process.once('SIGINT', abort)
    try {
      const report = await pool.scrub({
        signal: stop.signal,
        onProgress: (progress) => show(bar, progress),
        ...(request.bytesPerSecond === undefined ? {} : { bytesPerSecond: request.bytesPerSecond }),
        ...(request.resume && cursor ? { cursor } : {}),
      })
      const since = report.finished ? Date.now() : finished
      await note.write({
        pool: name,
        ...(report.cursor ? { cursor: report.cursor } : {}),
        ...(since === undefined ? {} : { finished: since }),
      })
      return report
    } finally {
      process.removeListener('SIGINT', abort)
      bar.stop()
    }
  })
}

async function withClosedPool<T>(
  data: string,
  use: (pool: ManagedPool, folder: DataFolder) => Promise<T>,
): Promise<T | undefined> {
  const folder = new DataFolder(data)
  const release = existsSync(folder.pool) ? folder.lock() : undefined
  if (release === undefined) return undefined
  try {
    const pool = await openPool(folder.pool)
    return await use(pool, folder).finally(() => pool.close())
  } catch (cause) {
    const isDamage = cause instanceof PoolError && cause.code === 'ERR_CORRUPT'
    throw isDamage ? new CommandError(exitCode.damage, `the pool does not open: ${cause.message}`, { cause }) : cause
  } finally {
    release()
  }
}
