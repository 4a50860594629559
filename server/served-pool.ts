import type { Logger } from 'pino'
import {
  addDevice,
  createPool,
  hasPool,
  type ManagedPool,
  type MemberRequest,
  openPool,
  PoolError,
  type PoolStatus,
  type Progress,
  replaceDevice,
  type ScrubReport,
  type Unreadable,
} from '../pool/index.ts'
import type { DataFolder } from './data-folder.ts'
import type { ChangeablePool } from './pool-management.ts'
import { wordsOf } from './scrub-verdicts.ts'
import { NO_ATOMICITY } from './welcome.ts'

export interface ServedPoolOptions {
  readonly folder: DataFolder
  readonly log: Logger
  /** Of a new pool. */
  readonly bytes: number
  readonly creating: Progress
  readonly degraded: boolean
  /** Bytes by which it will be let grow, once it fills. */
  readonly growableBytes: () => number
}

/** The pool of a server: made when there is none, and whatever happens to its devices is told to the log. */
export async function openServedPool(options: ServedPoolOptions): Promise<ManagedPool> {
  const { folder, log, degraded, growableBytes, ...made } = options
  if (!(await hasPool(folder.pool))) await makePool(folder, log, made)
  const pool = await openPool(folder.pool, { degraded, growableBytes, ...watching(log) })
  tellOpened(log, pool.status())
  return pool
}

async function makePool(
  folder: DataFolder,
  log: Logger,
  { bytes, creating }: Pick<ServedPoolOptions, 'bytes' | 'creating'>,
): Promise<void> {
  await folder.createPoolFolder()
  log.info({ bytes }, 'writing the zeros of a new pool')
  await createPool(folder.pool, { members: [{ bytes }] }, { onProgress: creating }).catch(suggest)
}

function suggest(error: unknown): never {
  if (!(error instanceof PoolError)) throw error
  const ways: { readonly [code: string]: string } = {
    ERR_NO_SPACE: '--pool-bytes asks for a smaller pool',
    ERR_LIMITS: '`cenote pool create` makes one elsewhere, or takes a risk by name',
  }
  const way = ways[error.code]
  throw way === undefined ? error : new PoolError(error.code, `${error.message}; ${way}`, { cause: error })
}

/** What an open pool tells of its devices. */
export function watching(log: Logger) {
  return {
    onStall: (device: string, { kind, milliseconds }: { kind: string; milliseconds: number }) =>
      log.warn({ device, kind, milliseconds }, 'a device of the pool does not answer'),
    onUnreadable: ({ device, offset, length, cause }: Unreadable) =>
      log.error({ device, offset, length, err: cause }, 'a device of the pool could not be read at the start'),
    onDropped: (device: string, cause: unknown) =>
      log.error({ device, err: cause }, 'a member of the pool has failed and is out of use: replace it'),
  }
}

function tellOpened(log: Logger, { recovery, position, atomicity, layout, members, health }: PoolStatus): void {
  const figures = { sequence: position.sequence, atomicity, layout, members: members.length }
  log.info({ ...recovery, ...figures }, 'pool main is open')
  if (atomicity === 'none') log.warn(NO_ATOMICITY)
  if (health !== 'degraded') return
  const lost = members.flatMap(({ state }, index) => (state === 'in-sync' ? [] : `member ${index} is ${state}`))
  log.error({ lost }, 'the pool is degraded: replace the members that are out of use')
}

/** What the copies were found to be before a leg was let go. */
export function tellVerified(log: Pick<Logger, 'warn' | 'error'>, report: ScrubReport): void {
  const { repairedCount: repaired, damagedCount: damaged } = report
  if (repaired > 0) log.warn({ repaired }, 'copies of the pool were repaired while a member was replaced')
  const [first] = report.damaged.map(wordsOf)
  if (damaged > 0)
    log.error({ damaged, first }, 'some of the pool is right on no leg: scrub it to see which objects are')
}

/** The pool with its folder, for whoever changes its members. */
export function changeable(folder: DataFolder, pool: ManagedPool, log: Logger): ChangeablePool {
  const told = async (what: string, member: MemberRequest, change: () => Promise<void>): Promise<void> => {
    log.info({ device: member.path, bytes: member.bytes }, `${what}: begun`)
    await change()
    log.info({ device: member.path }, `${what}: done`)
  }
  const options = watching(log)
  return {
    status: () => pool.status(),
    addDevice: (member) =>
      told('a device is added to the pool', member, () => addDevice(folder.pool, pool, member, options)),
    replaceDevice: (index, member) =>
      told(`member ${index} of the pool is replaced`, member, async () =>
        tellVerified(log, await replaceDevice(folder.pool, pool, index, member, options)),
      ),
  }
}
