import type { Run } from './allocator.ts'
import { atomicityOf } from './atomicity.ts'
import { checkPool } from './check.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { CommitQueue } from './commit-queue.ts'
import type {
  CheckReport,
  FillProgress,
  ManagedPool,
  MemberFigures,
  MemberStatus,
  OnLost,
  PayloadRange,
  PoolAtomicity,
  PoolLimits,
  PoolPosition,
  PoolRecord,
  PoolStatus,
  RecoverySummary,
  Sequence,
  Staging,
  Transaction,
} from './contract.ts'
import type { Core } from './core.ts'
import type { Device, DeviceFigures } from './device.ts'
import type { ExtentsPlacement, InlinePlacement } from './entry.ts'
import { hasCode, PoolError } from './errors.ts'
import type { Journal } from './journal.ts'
import type { Member } from './members.ts'
import type { Membership } from './membership.ts'
import type { Timers } from './open.ts'
import type { Pages } from './pages.ts'
import type { Located, Reader } from './reader.ts'
import { toRecord } from './reader.ts'
import type { Releases } from './releases.ts'
import { Scrub, type ScrubOptions } from './scrub.ts'
import type { ScrubReport } from './scrub-report.ts'
import type { Segment } from './segment.ts'
import type { Guard } from './superblock.ts'
import { PoolTransaction, type PreparedPayload } from './transaction.ts'

/** The parts of an open pool, as open() has put them together. */
export interface PoolParts {
  readonly core: Core
  readonly guard: Guard
  readonly name: string
  readonly epoch: number
  readonly journal: Journal
  readonly queue: CommitQueue
  readonly releases: Releases
  readonly reader: Reader
  readonly checkpoint: Checkpoint
  readonly membership: Membership
  readonly pages: Pages
  readonly timers: Timers
  readonly recovery: RecoverySummary
}

/** The pool on block devices. Each verb is short here; the work is in the parts. */
export class BlockPool implements ManagedPool {
  readonly #parts: PoolParts
  #state: PoolStatus['state'] = 'open'
  #durable: Sequence
  #maintenance: Promise<void> | undefined
  #reclaiming: Promise<boolean> | undefined
  #batchesSeen = 0
  #scrub: { readonly stop: AbortController; readonly done: Promise<unknown> } | undefined
  readonly #stopTimers: () => void

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#durable = parts.journal.nextSequence - 1
    this.#stopTimers = this.#startTimers()
  }

  get position(): PoolPosition {
    return { pool: this.#parts.name, epoch: this.#parts.epoch, sequence: this.#durable }
  }

  get limits(): PoolLimits {
    const { tuning, zones } = this.#parts.core
    const { transactionBytesMax, reserveSegments } = tuning
    return { transactionBytesMax, reserveBytes: reserveSegments * zones.segmentBytes }
  }

  begin(): Transaction {
    this.#assertOpen()
    return new PoolTransaction(this.#parts.core, this.#parts.queue)
  }

  async resume(prepared: Sequence): Promise<{ transaction: Transaction; payloads: readonly Staging[] }> {
    this.#assertOpen()
    const { held } = this.#parts.core
    if (held.has(prepared)) throw new PoolError('ERR_BUSY', `an upload goes on from record ${prepared} already`)
    held.add(prepared)
    try {
      return await this.#resume(prepared)
    } catch (error) {
      held.delete(prepared)
      throw error
    }
  }

  async #resume(prepared: Sequence): Promise<{ transaction: Transaction; payloads: readonly Staging[] }> {
    const { core, queue, reader } = this.#parts
    await queue.exclusively(async () => {}) // A release that is on its way already is seen from here on.
    return await reader.withEntry(prepared, async (located) => {
      const payloads: PreparedPayload[] = []
      for (const [number, placement] of located.entry.payloads.entries()) {
        this.#assertLive(located, number)
        const inline = placement.form === 'inline' ? await reader.readInline(located, placement) : Buffer.alloc(0)
        payloads.push({ placement, inline })
      }
      const transaction = new PoolTransaction(core, queue)
      return { transaction, payloads: await transaction.goOn(prepared, payloads) }
    })
  }

  async record(sequence: Sequence): Promise<PoolRecord> {
    this.#assertReadable()
    return await this.#parts.reader.withEntry(sequence, ({ entry }) => toRecord(entry))
  }

  async *read(sequence: Sequence, payload: number, range?: PayloadRange): AsyncGenerator<Uint8Array> {
    this.#assertReadable()
    const { reader, releases } = this.#parts
    const found = await reader.withEntry(sequence, async (located) => {
      const placement = this.#assertLive(located, payload)
      const wanted = clip(range, placement.length)
      if (placement.form === 'extents') {
        releases.pin(sequence)
        return { placement, wanted }
      }
      const bytes = await reader.readInline(located, placement)
      return { bytes: bytes.subarray(wanted.offset, wanted.offset + wanted.length) }
    })
    if ('bytes' in found) {
      if (found.bytes.length > 0) yield found.bytes
      return
    }
    try {
      yield* reader.readExtents(sequence, found.placement, found.wanted)
    } finally {
      releases.unpin(sequence)
    }
  }

  /** The placement of a payload that still belongs to its record. */
  #assertLive({ segment, place, entry }: Located, payload: number): InlinePlacement | ExtentsPlacement {
    const placement = entry.payloads[payload]
    const released =
      this.#parts.releases.isReleased(entry.sequence, payload) || segment.isReleased(place.firstPayload + payload)
    if (!placement || placement.form === 'gap' || released) {
      throw new PoolError('ERR_NOT_FOUND', `record ${entry.sequence} has no payload ${payload}`)
    }
    return placement
  }

  async *replay(from: Sequence, onLost?: OnLost): AsyncGenerator<PoolRecord> {
    this.#assertReadable()
    const { core, journal } = this.#parts
    const { segments } = core
    let next = Math.max(1, from)
    while (next <= this.#durable) {
      const segment = segments.find(next)
      segments.pin(segment)
      try {
        for await (const { entries } of segments.batchesFrom(segment, next, journal.lastOf(segment))) {
          for (const { entry } of entries) {
            if (entry.sequence !== next) continue
            yield toRecord(entry)
            next++
          }
        }
      } catch (error) {
        if (!onLost || !hasCode(error, 'ERR_CORRUPT', 'ERR_IO')) throw error
        // A batch tells where the next one begins: what follows in the segment cannot be found.
        const last = Math.min(segment.nextSequence - 1, this.#durable)
        onLost(next, last, error)
        next = last + 1
      } finally {
        segments.unpin(segment)
      }
    }
  }

  async checkpoint(): Promise<void> {
    this.#assertOpen()
    await this.guarded(() => this.#parts.checkpoint.run())
  }

  /** Called when records up to `sequence` have become durable. */
  advance(sequence: Sequence): void {
    this.#durable = sequence
    if (!this.#parts.checkpoint.isDue || this.#maintenance !== undefined) return
    this.#maintenance = this.guarded(() => this.#parts.checkpoint.run())
      .catch(() => {}) // halt() has told whoever waits.
      .finally(() => {
        this.#maintenance = undefined
      })
  }

  /** A checkpoint, when one would give space back; callers that come meanwhile share it. Promises that are late end. */
  async reclaim(): Promise<boolean> {
    this.#parts.core.reservations.lapse()
    if (this.#reclaiming === undefined && !this.#parts.checkpoint.wouldFree) return false
    this.#reclaiming ??= this.guarded(() => this.#parts.checkpoint.run())
      .then(() => true)
      .finally(() => {
        this.#reclaiming = undefined
      })
    return await this.#reclaiming
  }

  /** One bad place of a medium is passed over; from a medium that has many the pool keeps off. */
  retire(what: Run | Pick<Segment, 'regions'>, cause: unknown): void {
    const { allocator, tuning, zones } = this.#parts.core
    if ('regions' in what) allocator.retireSegment(what.regions)
    else allocator.retire(what)
    const bytes = allocator.retiredUnits * zones.unitBytes
    if (bytes <= tuning.retiredBytesMax) return
    this.halt(new PoolError('ERR_IO', `writes to ${bytes} bytes have failed: the device is dying`, { cause }))
  }

  /** The device failed: nobody knows what it holds, so nothing more is promised in this life. */
  halt(error: unknown): void {
    if (this.#state !== 'open') return
    this.#state = 'halted'
    this.#parts.core.device.halt(error)
    this.#parts.core.members.halt(error)
    this.#stopTimers()
    this.#parts.queue.halt(error)
  }

  /** What fails in `task` halts the pool. */
  async guarded(task: () => Promise<void>): Promise<void> {
    try {
      await task()
    } catch (error) {
      this.halt(error)
      throw new PoolError('ERR_HALTED', 'the pool has halted', { cause: error })
    }
  }

  async addMember(device: Device): Promise<void> {
    this.#assertOpen()
    await this.#parts.membership.add(device)
  }

  async replaceMember(index: number, device: Device, onProgress?: FillProgress): Promise<ScrubReport> {
    this.#assertOpen()
    return await this.#parts.membership.replace(index, device, onProgress)
  }

  atomicity(): PoolAtomicity {
    return atomicityOf(this.#parts, this.#state)
  }

  async check(): Promise<CheckReport> {
    this.#assertReadable()
    return await checkPool(this.#parts)
  }

  async scrub(options: ScrubOptions = {}): Promise<ScrubReport> {
    this.#assertOpen()
    if (this.#scrub) throw new PoolError('ERR_BUSY', 'the pool is being scrubbed already')
    const stop = new AbortController()
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
    const onProgress: ScrubOptions['onProgress'] = async (progress) => {
      this.#assertOpen()
      await options.onProgress?.(progress)
    }
    const scrub = new Scrub(this.#parts, { ...options, signal, onProgress }, (task) => this.guarded(task))
    const report = scrub.run()
    this.#scrub = { stop, done: report.catch(() => {}) }
    return await report.finally(() => {
      this.#scrub = undefined
    })
  }

  /** A scrub that may run beside another one: of a new leg, before the old one is let go. */
  async verify(options: ScrubOptions): Promise<ScrubReport> {
    return await new Scrub(this.#parts, options, (task) => this.guarded(task)).run()
  }

  status(): PoolStatus {
    const { core, guard, journal, queue, checkpoint, recovery } = this.#parts
    const { zones, allocator, reservations, segments } = core
    const members = core.members.all.map(memberStatus)
    return {
      state: this.#state,
      health: healthOf(this.#state, members),
      position: this.position,
      atomicity: guard.atomicity,
      layout: guard.geometry.layout,
      members,
      mended: core.device.mended,
      bytes: zones.regions * zones.segmentBytes,
      freeBytes: allocator.freeUnits * zones.unitBytes,
      historyBytes: allocator.segmentRegions * zones.segmentBytes,
      extentBytes: allocator.committedUnits * zones.unitBytes,
      stagedBytes: allocator.stagedUnits * zones.unitBytes,
      promisedBytes: reservations.units * zones.unitBytes,
      retiredBytes: allocator.retiredUnits * zones.unitBytes,
      segments: segments.all.length,
      commits: queue.commits,
      batches: journal.batches,
      flushes: journal.flushes,
      checkpoints: checkpoint.count,
      recovery,
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#stopTimers()
    await this.#parts.membership.stop()
    this.#scrub?.stop.abort()
    await this.#scrub?.done
    await this.#parts.queue.idle()
    const open = this.#state === 'open'
    try {
      if (open) await this.guarded(() => this.#parts.checkpoint.run(true))
    } finally {
      this.#state = 'closed'
      this.#parts.queue.halt(new PoolError('ERR_CLOSED', 'the pool was closed'))
      await this.#parts.core.members.close()
    }
  }

  /**
   * The last batch is sealed once the pool has been idle for a moment, so that its later loss would be noticed; and a
   * pool that is written to slowly is checkpointed now and then, so that opening it stays quick.
   */
  #startTimers(): () => void {
    const { timers, core } = this.#parts
    const { sealIdleMs, checkpointMsMax } = core.tuning
    const stops = [
      sealIdleMs > 0 ? timers.every(sealIdleMs, () => this.#sealWhenIdle()) : undefined,
      checkpointMsMax > 0 ? timers.every(checkpointMsMax, () => this.#checkpointWhenDirty()) : undefined,
    ]
    return () => {
      for (const stop of stops) stop?.()
    }
  }

  #sealWhenIdle(): void {
    const { journal } = this.#parts
    const idle = journal.batches === this.#batchesSeen
    this.#batchesSeen = journal.batches
    if (this.#state !== 'open' || !idle || journal.isSealed) return
    this.guarded(() => this.#parts.queue.seal()).catch(() => {}) // halt() has told whoever waits.
  }

  #checkpointWhenDirty(): void {
    if (this.#state !== 'open' || !this.#parts.checkpoint.isDirty) return
    this.checkpoint().catch(() => {}) // halt() has told whoever waits.
  }

  #assertOpen(): void {
    if (this.#state === 'closed') throw new PoolError('ERR_CLOSED', 'the pool is closed')
    if (this.#state === 'halted') throw new PoolError('ERR_HALTED', 'the pool has halted')
  }

  #assertReadable(): void {
    if (this.#state === 'closed') throw new PoolError('ERR_CLOSED', 'the pool is closed')
  }
}

function healthOf(state: PoolStatus['state'], members: readonly MemberStatus[]): PoolStatus['health'] {
  if (state === 'halted') return 'halted'
  if (members.some((member) => member.state !== 'in-sync')) return 'degraded'
  return members.some(({ figures }) => figures?.isStalled) ? 'stalled' : 'ok'
}

function memberStatus({ device, state, dataBytes, failure }: Member): MemberStatus {
  return {
    ...(device?.name === undefined ? {} : { device: device.name }),
    state: device ? state : 'missing',
    bytes: dataBytes,
    ...(failure === undefined ? {} : { failure: (failure as Error).message }),
    ...(device?.figures && { figures: memberFigures(device.figures) }),
  }
}

function memberFigures({ kind, io, flushes, stalls, isStalled }: DeviceFigures): MemberFigures {
  const { count, microsecondsTotal: microseconds, buckets } = flushes
  const flushMicrosecondsP50 = Math.round(flushes.quantile(0.5))
  return { kind, io, flushMicrosecondsP50, flushes: { count, microseconds, buckets: [...buckets] }, stalls, isStalled }
}

function clip(range: PayloadRange | undefined, length: number): PayloadRange {
  if (!range) return { offset: 0, length }
  const offset = Math.min(range.offset, length)
  return { offset, length: Math.min(range.length, length - offset) }
}
