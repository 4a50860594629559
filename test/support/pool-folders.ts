import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import {
  type CreatePoolRequest,
  createPool,
  type ManagedPool,
  type OpenPoolOptions,
  openPool,
  POOL_BYTES_MIN,
} from '../../pool/index.ts'
import { worker } from './file-device.ts'
import { temporaryFolder } from './temporary-folder.ts'

/* Pools in folders, as the abstraction manager makes and opens them. */
export const BYTES = POOL_BYTES_MIN
export const own = { bytes: BYTES }
/** Two files on one disk are no mirror, unless somebody says that it does not matter. */
export const mirrored = { layout: 'mirror', accept: ['R16_SAME_DISK'] } as const
export const limits = expect.objectContaining({ code: 'ERR_LIMITS' })

/** The path of a pool that was made. */
export async function created(request: Partial<CreatePoolRequest> = {}, folder = join(temporaryFolder(), 'main')) {
  await createPool(folder, { members: [own], ...request }, { worker })
  return folder
}

/** Closed when the test ends. */
export async function opened(folder: string, options: OpenPoolOptions = {}): Promise<ManagedPool> {
  const pool = await openPool(folder, { worker, ...options })
  onTestFinished(() => pool.close())
  return pool
}

export const missing = (folder: string) =>
  opened(folder).then(
    () => '',
    (error) => `${error.code} ${error.message}`,
  )
export const states = (pool: ManagedPool) => pool.status().members.map(({ state }) => state)
export const names = (folder: string) => readdirSync(folder).sort()
export const pattern = (length: number) => Buffer.alloc(length, 'cenote ')

/** A pool that tells before and after it does what `verb` says. */
export function watched(pool: ManagedPool, verb: 'addMember' | 'replaceMember', tell: () => void): ManagedPool {
  const get = (target: ManagedPool, name: keyof ManagedPool) => {
    const value = target[name]
    if (typeof value !== 'function') return value
    if (name !== verb) return value.bind(target)
    return async (...given: never[]) => {
      tell()
      await (value as (...all: never[]) => Promise<void>).apply(target, given)
      tell()
    }
  }
  return new Proxy(pool, { get: (target, name) => get(target, name as keyof ManagedPool) })
}

/** Whether either end of a device holds a guard. */
export function guardIn(path: string): boolean {
  const bytes = readFileSync(path)
  return [0, bytes.length - 4096].some((offset) => bytes.toString('latin1', offset, offset + 8) === 'CENOTEPL')
}

/** A member as it is after its guards, and before its first superblock. */
export function withoutRings(path: string): Buffer {
  const bytes = Buffer.from(readFileSync(path))
  const ring = 32 * 4096
  bytes.fill(0, 4096, 4096 + ring)
  bytes.fill(0, bytes.length - 4096 - ring, bytes.length - 4096)
  return bytes
}
