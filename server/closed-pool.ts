import { existsSync } from 'node:fs'
import { openPool, PoolError } from '../pool/index.ts'
import type { CheckReport } from '../streams/index.ts'
import { CommandError, exitCode } from './cli/exit.ts'
import { DataFolder } from './data-folder.ts'

/** Checks the pool in a data folder that nobody serves. Undefined when a server has it, or when there is none. */
export async function checkClosedPool(data: string): Promise<CheckReport | undefined> {
  const folder = new DataFolder(data)
  const release = existsSync(folder.pool) ? folder.lock() : undefined
  if (release === undefined) return undefined
  try {
    const pool = await openPool(folder.pool)
    return await pool.check().finally(() => pool.close())
  } catch (cause) {
    const isDamage = cause instanceof PoolError && cause.code === 'ERR_CORRUPT'
    throw isDamage ? new CommandError(exitCode.damage, `the pool does not open: ${cause.message}`, { cause }) : cause
  } finally {
    release()
  }
}
