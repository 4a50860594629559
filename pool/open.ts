import { Allocator } from './allocator.ts'
import { assemble, type FoundMember } from './assembly.ts'
import { SharedBuffers } from './bytes.ts'
import { Checkpoint } from './checkpoint.ts'
import { CommitQueue } from './commit-queue.ts'
import { Compaction } from './compaction.ts'
import type { Core } from './core.ts'
import { joinMembers } from './data-device.ts'
import type { Device } from './device.ts'
import { hasCode, PoolError } from './errors.ts'
import { chooseTuning, type Tuning } from './format.ts'
import { HaltableDevice } from './haltable-device.ts'
import { Journal } from './journal.ts'
import { look } from './look.ts'
import { Member, Members, type OnDropped } from './members.ts'
import { Membership } from './membership.ts'
import { type Mutations, NO_MUTATIONS } from './mutation.ts'
import { Pages } from './pages.ts'
import { BlockPool } from './pool.ts'
import { Reader } from './reader.ts'
import { Recovery } from './recovery.ts'
import { Releases } from './releases.ts'
import { Reservations } from './reservations.ts'
import { Segments } from './segments.ts'
import { type Clock, systemClock } from './stall-watch.ts'
import { type Guard, poolName, type Superblock } from './superblock.ts'
import { type Unreadable, UnreadableTally } from './unreadable.ts'
import { memberZonesOf } from './zones.ts'

/** Repeats until the returned function is called. A timer never keeps the process alive. */
export interface Timers {
  every(milliseconds: number, task: () => void): () => void
}

export const systemTimers: Timers = {
  every(milliseconds, task) {
    const timer = setInterval(task, milliseconds).unref()
    return () => clearInterval(timer)
  },
}

export interface OpenOptions {
  readonly tuning?: Partial<Tuning>
  readonly mutations?: Mutations
  readonly timers?: Timers
  readonly clock?: Clock
  /** Bytes by which whoever opens it will let the pool grow, once it fills: an upload is let in for them, too. */
  readonly growableBytes?: () => number
  /** Opens without legs of mirrors that are missing; they are stale from then on. */
  readonly degraded?: boolean
  /** Told of each member that is taken out of use, and why. */
  readonly onDropped?: OnDropped
  /** Told of what cannot be read while the pool is opened, of the first UNREADABLE_TOLD_MAX; another copy may do. */
  readonly onUnreadable?: (place: Unreadable) => void
}

/**
 * Recovers the pool on `devices`, given in any order, and begins a new epoch of it. They belong to the pool from then on;
 * those that are no members of it are closed.
 * ERR_FORMAT when there is none, or not one; ERR_NOT_FOUND when a member is missing; ERR_CORRUPT when what was
 * acknowledged is damaged.
 */
export async function openDevices(devices: readonly Device[], options: OpenOptions = {}): Promise<BlockPool> {
  const { degraded = false } = options
  const tally = new UnreadableTally(options.onUnreadable)
  // One that cannot even be read is as good as missing, too.
  const orMissing = (error: unknown): undefined => {
    if (!degraded || devices.length === 1 || !hasCode(error, 'ERR_IO', 'ERR_HALTED')) throw error
  }
  const looked = await Promise.all(devices.map((device) => look(device, tally).catch(orMissing)))
  const found = looked.filter((member) => member !== undefined)
  // A leg whose guards are both lost is as good as missing.
  if (found.length === 0 || (found.length < looked.length && !degraded)) {
    throw new PoolError('ERR_FORMAT', 'the device holds no pool')
  }
  const { superblock, members } = assemble(found, degraded)
  const { guard } = members.find(({ found }) => found)!.found!
  const present = members.map(({ entry, found }) => new Member(entry, found && presentOf(found)))
  const pool = await recover(guard, new Members(guard, present, superblock, options), { ...options, tally })
  const strangers = devices.filter((device) => !present.some((member) => member.device === device))
  await Promise.all(strangers.map((device) => device.close()))
  return pool
}

function presentOf({ device, guard, superblock }: FoundMember) {
  return { device, zones: memberZonesOf(guard.deviceBytes, guard.format), serial: superblock?.serial ?? 0 }
}

async function recover(
  guard: Guard,
  members: Members,
  { tally, ...options }: OpenOptions & { readonly tally: UnreadableTally },
): Promise<BlockPool> {
  const tuning = { ...chooseTuning(guard.format), ...options.tuning }
  const mutations = options.mutations ?? NO_MUTATIONS
  const data = joinMembers(guard, members)
  const { zones } = data
  const device = new HaltableDevice(data.device, members)
  device.tally = tally
  let pool: BlockPool | undefined
  const allocator = new Allocator(zones, tuning.reserveSegments, guard.geometry.runs)
  const core: Core = {
    device,
    members,
    format: guard.format,
    tuning,
    zones,
    mutations,
    pool: guard.pool,
    allocator,
    reservations: new Reservations(allocator, tuning, options.clock ?? systemClock),
    segments: new Segments(device, zones, guard.pool, tuning.indexesMax),
    buffers: new SharedBuffers(IDLE_BUFFER_BYTES_MAX),
    held: new Set(),
    reclaim: () => pool!.reclaim(),
    growableBytes: options.growableBytes ?? (() => 0),
    retire: (what, cause) => pool!.retire(what, cause),
  }
  const reader = new Reader(core)
  const releases = new Releases(core, reader)
  const pages = new Pages(device, zones, mutations)
  const found = members.superblock
  const recovered = await new Recovery(core, releases, found).run(pages)
  const superblock = await beginEpoch(core, found, recovered.endLsn)
  const { epoch } = superblock
  device.tally = undefined
  const journal = new Journal(core, { ...recovered.journal, epoch })
  const queue = new CommitQueue(core, journal, releases, {
    durable: (sequence) => pool!.advance(sequence),
    failed: (error) => pool!.halt(error),
  })
  const compaction = new Compaction(core, reader, epoch)
  const checkpoint = new Checkpoint({ core, journal, queue, releases, compaction, pages })
  const timers = options.timers ?? systemTimers
  const guarded = (task: () => Promise<void>) => pool!.guarded(task)
  const membership = new Membership(core, guard, data, {
    checkpoint,
    pages,
    guarded,
    verify: (options) => pool!.verify(options),
  })
  const name = poolName(guard.pool)
  pool = new BlockPool({
    core,
    guard,
    name,
    epoch,
    journal,
    queue,
    releases,
    reader,
    checkpoint,
    membership,
    pages,
    timers,
    recovery: { ...recovered.summary, unreadable: tally.count },
  })
  return pool
}

const IDLE_BUFFER_BYTES_MAX = 32 << 20

/**
 * What was read back may be in a cache only, so it is flushed before anyone is shown it. Then the new epoch must be on
 * the medium before its first batch is: otherwise, after a crash, that batch would look like a leftover.
 */
async function beginEpoch(core: Core, found: Superblock, endLsn: number): Promise<Superblock> {
  const { device, members, mutations } = core
  await members.catchUp()
  await device.flush()
  const flush = !mutations.has('epoch-not-flushed')
  return await members.update(
    () => ({
      ...found,
      epoch: found.epoch + 1,
      epochStartLsn: endLsn,
      knownDurableLsn: endLsn,
      cleanEndLsn: 0,
    }),
    { flush },
  )
}
