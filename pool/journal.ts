import assert from 'node:assert/strict'
import { BatchBuilder } from './batch-builder.ts'
import type { Core } from './core.ts'
import { PoolError } from './errors.ts'
import { encodeSegmentHeader, type Regions, Segment, type SegmentHeader, segmentPayloadsMax } from './segment.ts'

/** Where the journal stands: everything the next batch's header says. */
export interface JournalState {
  readonly epoch: number
  /** Regions chosen for the segment after the active one. */
  readonly successor: Regions
  readonly chain: Buffer
  readonly nextSequence: number
}

/** The position that a checkpoint saves: recovery reads on from here. */
export interface JournalPosition {
  readonly lsn: number
  readonly region: number
  readonly chain: Buffer
  readonly nextSequence: number
}

/**
 * The journal: a chain of segments to which batches are appended, one in flight.
 *
 * 1. A batch is written to blocks that never held acknowledged bytes.
 * 2. It is durable when a flush that began after its write ended has succeeded; only then is anything told.
 * 3. It carries the digest of the batch before, the epoch, and how far the journal was durable: recovery can tell a
 *    torn tail from lost history, and this life of the journal from an earlier one.
 * 4. A failure ends it: nobody knows what the device holds, so nothing more is written.
 */
export class Journal {
  readonly #core: Core
  readonly builder: BatchBuilder
  readonly #epoch: number
  #successor: Regions
  #chain: Buffer
  #nextSequence: number
  #durableLsn: number
  #writtenData = 0
  #flushedData = 0
  #sealed = true
  batches = 0
  flushes = 0

  constructor(core: Core, state: JournalState) {
    this.#core = core
    this.builder = BatchBuilder.of(core)
    this.#epoch = state.epoch
    this.#successor = state.successor
    this.#chain = state.chain
    this.#nextSequence = state.nextSequence
    this.#durableLsn = this.lsn
  }

  get nextSequence(): number {
    return this.#nextSequence
  }

  get durableLsn(): number {
    return this.#durableLsn
  }

  get lsn(): number {
    const { ordinal, blocks } = this.#core.segments.active
    return ordinal * this.#core.zones.blocksPerSegment + blocks
  }

  get position(): JournalPosition {
    return {
      lsn: this.lsn,
      region: this.#core.segments.active.region,
      chain: this.#chain,
      nextSequence: this.#nextSequence,
    }
  }

  /** The digest of the last batch of `segment`, where only the journal knows it: what comes after says it of others. */
  lastOf(segment: Segment): Buffer | undefined {
    return segment === this.#core.segments.active ? this.#chain : undefined
  }

  /** What a recovery now would replay; what the last one replayed counts, too, until a checkpoint saves it. */
  get sinceCheckpoint(): { readonly bytes: number; readonly records: number } {
    const { checkpointLsn, nextSequence } = this.#core.members.superblock
    const blocks = this.lsn - checkpointLsn
    return { bytes: blocks * this.#core.zones.blockBytes, records: this.#nextSequence - nextSequence }
  }

  /** Regions chosen for the segment after the active one. */
  get successor(): Regions {
    return this.#successor
  }

  /** True when the last batch is known durable by a later one, so that its loss would be noticed. */
  get isSealed(): boolean {
    return this.#sealed
  }

  /** Staged bytes were written; the number tells isDataFlushed() which. */
  dataWritten(): number {
    return ++this.#writtenData
  }

  /** True when a flush that began after dataWritten() returned `mark` has succeeded. */
  isDataFlushed(mark: number): boolean {
    return mark <= this.#flushedData || this.#core.mutations.has('publish-before-data-flush')
  }

  async flush(): Promise<void> {
    const covered = this.#writtenData
    await this.#core.device.flush()
    this.flushes++
    this.#flushedData = Math.max(this.#flushedData, covered)
  }

  /** Writes what the builder holds. Durable when it resolves; `written` is called between the write and the flush. */
  async append(seal: boolean, written: () => void = () => {}): Promise<void> {
    const { builder } = this
    await this.#makeRoom()
    const segment = this.#core.segments.active
    const offset = segment.blocks * this.#core.zones.blockBytes
    const { bytes, digest } = builder.finish({
      previous: this.#chain,
      lsn: this.lsn,
      epoch: this.#epoch,
      superblockSerial: this.#core.members.superblock.serial,
      durableLsn: this.#durableLsn,
      firstSequence: this.#nextSequence,
      seal,
    })
    await this.#core.segments.write(segment, offset, bytes)
    written()
    await this.flush()
    this.#advance(segment, offset, digest)
    this.batches++
    this.#sealed = seal
  }

  /** The batch is durable: it becomes part of the segment. */
  #advance(segment: Segment, offset: number, digest: Buffer): void {
    segment.take(this.builder, offset)
    this.#nextSequence += this.builder.entries.length
    this.#chain = digest
    this.#durableLsn = this.lsn
    this.#core.segments.touch(segment)
  }

  async #makeRoom(): Promise<void> {
    const { zones, segments } = this.#core
    const payloads = this.builder.entries.reduce((sum, { entry }) => sum + entry.payloads.length, 0)
    const { blocks, payloads: held } = segments.active
    const fits = blocks + this.builder.blocks <= zones.blocksPerSegment
    if (!fits || held + payloads > segmentPayloadsMax(zones)) await this.#openSuccessor()
    assert(segments.active.blocks + this.builder.blocks <= zones.blocksPerSegment)
  }

  /** The header goes out before the batch and is covered by the same flush. */
  async #openSuccessor(): Promise<void> {
    const { zones, segments, pool, allocator } = this.#core
    const full = segments.active
    const successor = allocator.takeSegment()
    if (successor === undefined) throw new PoolError('ERR_NO_SPACE', 'no free segment for the journal')
    const header: SegmentHeader = {
      compacted: false,
      ordinal: full.ordinal + 1,
      epoch: this.#epoch,
      firstSequence: this.#nextSequence,
      regions: this.#successor,
      successor,
      previous: this.#chain,
    }
    await segments.write(header, 0, encodeSegmentHeader(header, pool, zones.blockBytes))
    this.#successor = successor
    segments.push(Segment.open(header, zones))
    segments.keepIndex(full)
  }
}
