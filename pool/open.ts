import { Allocator } from './allocator.ts'
import { SharedBuffers } from './bytes.ts'
import { Checkpoint } from './checkpoint.ts'
import { sha256 } from './checksum.ts'
import { CommitQueue } from './commit-queue.ts'
import { Compaction } from './compaction.ts'
import type { Core } from './core.ts'
import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import { chooseTuning, type Format, type Tuning } from './format.ts'
import { HaltableDevice } from './haltable-device.ts'
import { readBytes } from './io.ts'
import { Journal } from './journal.ts'
import { type Mutations, NO_MUTATIONS } from './mutation.ts'
import { Pages } from './pages.ts'
import { BlockPool } from './pool.ts'
import { Reader } from './reader.ts'
import { Recovery } from './recovery.ts'
import { Releases } from './releases.ts'
import { encodeSegmentHeader, Segment, type SegmentHeader } from './segment.ts'
import { Segments } from './segments.ts'
import {
  decodeGuard,
  encodeGuard,
  type Guard,
  readSuperblock,
  type Superblock,
  UUID_BYTES,
  writeSuperblock,
} from './superblock.ts'
import { regionOffset, type Zones, zonesOf } from './zones.ts'

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

/** Identities for a new pool; 16 random bytes each. */
export interface PoolIdentity {
  readonly pool: Buffer
  readonly member: Buffer
}

const FIRST_SEQUENCE = 1

/** Writes an empty pool. The guards come last: until they are there, the device holds no pool. */
export async function formatDevice(device: Device, format: Format, identity: PoolIdentity): Promise<void> {
  const zones = zonesOf(device.limits.size, format)
  const chain = sha256(identity.pool)
  const header: SegmentHeader = {
    compacted: false,
    ordinal: 0,
    epoch: 0,
    firstSequence: FIRST_SEQUENCE,
    region: 0,
    successor: 1,
    previous: chain,
  }
  await device.write(regionOffset(zones, 0), encodeSegmentHeader(header, identity.pool, zones.blockBytes))
  const pages = new Pages(device, zones)
  const page = Segment.open(header, zones).encodePage(zones.blockBytes)
  const root = await pages.write(new Map([[zones.bitmapPages, page]]))
  await device.flush()
  await writeSuperblock(device, zones, identity.pool, {
    serial: 1,
    epoch: 0,
    epochStartLsn: 1,
    checkpointLsn: 1,
    checkpointRegion: 0,
    chain,
    knownDurableLsn: 1,
    cleanEndLsn: 1,
    nextSequence: FIRST_SEQUENCE,
    pages: root,
  })
  const guard = encodeGuard({ ...identity, deviceBytes: device.limits.size, format })
  for (const offset of zones.guards) await device.write(offset, guard)
  await device.flush()
}

const GUARD_SIZES = [4096, 512, 1024, 2048, 8192, 16_384, 32_768, 65_536]

/**
 * The guard block at the front, or else at the end; one of them may be unreadable. Undefined when neither is there: the
 * device holds no pool.
 */
export async function readGuard(device: Device): Promise<Guard | undefined> {
  const { size } = device.limits
  let failure: unknown
  for (const offset of [0, ...GUARD_SIZES.map((bytes) => Math.floor(size / bytes) * bytes - bytes)]) {
    for (const bytes of GUARD_SIZES) {
      if (offset < 0 || offset + bytes > size) continue
      const block = await readBytes(device, offset, bytes).catch((error: unknown) => {
        failure = error
      })
      const guard = block && decodeGuard(block)
      if (guard) return guard
    }
  }
  if (failure) throw failure
  return undefined
}

export interface OpenOptions {
  readonly tuning?: Partial<Tuning>
  readonly mutations?: Mutations
  readonly timers?: Timers
}

/**
 * Recovers the pool on `device` and begins a new epoch of it.
 * ERR_FORMAT when there is none, ERR_CORRUPT when what was acknowledged is damaged.
 */
export async function openDevice(device: Device, options: OpenOptions = {}): Promise<BlockPool> {
  const guard = await readGuard(device)
  if (!guard) throw new PoolError('ERR_FORMAT', 'the device holds no pool')
  if (guard.deviceBytes !== device.limits.size) {
    throw new PoolError(
      'ERR_FORMAT',
      `the pool was made on ${guard.deviceBytes} bytes, the device has ${device.limits.size}`,
    )
  }
  const zones = zonesOf(device.limits.size, guard.format)
  return await assemble(device, guard, zones, options)
}

async function assemble(medium: Device, guard: Guard, zones: Zones, options: OpenOptions): Promise<BlockPool> {
  const tuning = { ...chooseTuning(guard.format), ...options.tuning }
  const mutations = options.mutations ?? NO_MUTATIONS
  const device = new HaltableDevice(medium)
  let pool: BlockPool | undefined
  const core: Core = {
    device,
    format: guard.format,
    tuning,
    zones,
    mutations,
    pool: guard.pool,
    allocator: new Allocator(zones, tuning.reserveSegments),
    segments: new Segments(device, zones, guard.pool, tuning.indexesMax),
    buffers: new SharedBuffers(IDLE_BUFFER_BYTES_MAX),
    held: new Set(),
    reclaim: () => pool!.reclaim(),
  }
  const reader = new Reader(core)
  const releases = new Releases(core, reader)
  const pages = new Pages(device, zones, mutations)
  const found = await readSuperblock(device, zones, guard.pool)
  const recovered = await new Recovery(core, releases, found).run(pages)
  const superblock = await beginEpoch(core, found, recovered.endLsn)
  const { epoch, serial } = superblock
  const journal = new Journal(core, { ...recovered.journal, epoch, superblockSerial: serial })
  const queue = new CommitQueue(core, journal, releases, {
    durable: (sequence) => pool!.advance(sequence),
    failed: (error) => pool!.halt(error),
  })
  const compaction = new Compaction(core, reader, journal, epoch)
  const checkpoint = new Checkpoint({ core, journal, queue, releases, compaction, pages, superblock })
  const timers = options.timers ?? systemTimers
  // The uuid itself is in the checks of every batch, and nobody's to know.
  const name = uuidText(sha256(guard.pool).subarray(0, UUID_BYTES))
  pool = new BlockPool({
    core,
    name,
    epoch,
    journal,
    queue,
    releases,
    reader,
    checkpoint,
    timers,
    recovery: recovered.summary,
  })
  return pool
}

const IDLE_BUFFER_BYTES_MAX = 32 << 20

/**
 * What was read back may be in a cache only, so it is flushed before anyone is shown it. Then the new epoch must be on
 * the medium before its first batch is: otherwise, after a crash, that batch would look like a leftover.
 */
async function beginEpoch(core: Core, found: Superblock, endLsn: number): Promise<Superblock> {
  const { device, zones, pool, mutations } = core
  await device.flush()
  const superblock: Superblock = {
    ...found,
    serial: found.serial + 1,
    epoch: found.epoch + 1,
    epochStartLsn: endLsn,
    knownDurableLsn: endLsn,
    cleanEndLsn: 0,
  }
  const target = mutations.has('epoch-not-flushed') ? withoutFlush(device) : device
  await writeSuperblock(target, zones, pool, superblock)
  return superblock
}

function withoutFlush(device: Device): Device {
  return {
    limits: device.limits,
    copies: device.copies,
    read: (offset, target) => device.read(offset, target),
    write: (offset, source) => device.write(offset, source),
    flush: async () => {},
    close: () => device.close(),
  }
}

function uuidText(uuid: Buffer): string {
  const hex = uuid.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
