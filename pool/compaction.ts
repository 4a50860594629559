import { BATCH_HEADER_BYTES, payloadOffset } from './batch.ts'
import { BatchBuilder } from './batch-builder.ts'
import type { Core } from './core.ts'
import type { Entry, Placement } from './entry.ts'
import { isCorrupt } from './errors.ts'
import type { Reader } from './reader.ts'
import { encodeSegmentHeader, type Regions, Segment, type SegmentHeader, segmentPayloadsMax } from './segment.ts'
import type { StoredBatch } from './segments.ts'

/** A payload that was alive when it was copied, by its numbers in the old segment and in the new one. */
interface Copied {
  readonly from: Segment
  readonly number: number
  readonly newNumber: number
  readonly inlineBytes: number
}

/** Segments rewritten into one, not yet in their place. */
export interface Compacted {
  readonly old: readonly Segment[]
  readonly segment: Segment
  readonly copied: readonly Copied[]
}

const GROUPS_MAX = 8

/** One for the journal to go on, one for the segment being written here. */
const SEGMENTS_KEPT = 2

/**
 * Rewrites neighbouring segments whose records and live payloads fit one segment. Every record stays, under its own
 * sequence; payloads that were released leave a gap. The old segments remain the truth until the checkpoint that
 * names the new one is durable.
 */
export class Compaction {
  readonly #core: Core
  readonly #reader: Reader
  readonly #epoch: number
  /** Segments that cannot be read: they stay as they are. */
  readonly #damaged = new Set<Segment>()

  constructor(core: Core, reader: Reader, epoch: number) {
    this.#core = core
    this.#reader = reader
    this.#epoch = epoch
  }

  /** True when run() would find something to do. */
  get isWorthwhile(): boolean {
    return this.#groups().length > 0
  }

  /** Writes new segments beside the old ones. The caller flushes, adopts them and writes the checkpoint. */
  async run(): Promise<readonly Compacted[]> {
    const done: Compacted[] = []
    for (const group of this.#groups()) {
      if (this.#core.allocator.freeSegments < SEGMENTS_KEPT) break
      const regions = this.#core.allocator.takeSegment()!
      try {
        done.push(await this.#rewrite(group, regions))
      } catch (error) {
        if (!isCorrupt(error)) throw error
        this.#core.allocator.giveBack(regions)
      }
    }
    return done
  }

  /** Between two batches, all releases worked through: the new segments take the old ones' place in memory. */
  adopt(compacted: readonly Compacted[]): void {
    for (const { old, segment, copied } of compacted) {
      for (const { from, number, newNumber, inlineBytes } of copied) {
        if (from.isReleased(number)) segment.release(newNumber, inlineBytes)
      }
      this.#core.segments.replace(old, segment)
      this.#core.segments.keepIndex(segment)
    }
  }

  /** Runs of neighbours that fit one segment, the active one left out. */
  #groups(): Segment[][] {
    const groups: Segment[][] = []
    let group: Segment[] = []
    for (const segment of this.#core.segments.all.slice(0, -1)) {
      if (this.#fits([...group, segment])) {
        group.push(segment)
        continue
      }
      if (group.length > 1) groups.push(group)
      group = this.#fits([segment]) ? [segment] : []
    }
    if (group.length > 1) groups.push(group)
    return groups.slice(0, GROUPS_MAX)
  }

  #fits(segments: readonly Segment[]): boolean {
    const { zones, tuning } = this.#core
    if (segments.some((segment) => this.#damaged.has(segment))) return false
    const sum = (of: (segment: Segment) => number) => segments.reduce((total, segment) => total + of(segment), 0)
    const bytes = sum(({ entryBytes, liveBytes }) => entryBytes + liveBytes)
    const batches = Math.ceil(bytes / tuning.groupBytesMax) + 1
    const overhead = batches * (BATCH_HEADER_BYTES + 8 + zones.blockBytes) + zones.blockBytes
    return bytes + overhead <= zones.segmentBytes && sum(({ payloads }) => payloads) <= segmentPayloadsMax(zones)
  }

  async #rewrite(old: readonly Segment[], regions: Regions): Promise<Compacted> {
    const { zones, segments, pool } = this.#core
    const { ordinal, firstSequence } = old[0]!
    const header: SegmentHeader = {
      compacted: true,
      ordinal,
      epoch: this.#epoch,
      firstSequence,
      regions,
      successor: [0],
      previous: Buffer.alloc(32),
    }
    const segment = Segment.open(header, zones)
    await segments.write(header, 0, encodeSegmentHeader(header, pool, zones.blockBytes))
    const writer = new CompactedWriter(this.#core, segment, header)
    const copied: Copied[] = []
    const sources = this.#core.mutations.has('compaction-drops-live') ? old.slice(0, -1) : old
    for (const from of sources) copied.push(...(await this.#copyWhole(from, writer)))
    await writer.finish()
    return { old, segment, copied }
  }

  async #copyWhole(from: Segment, writer: CompactedWriter): Promise<Copied[]> {
    try {
      return await this.#copy(from, writer)
    } catch (error) {
      if (isCorrupt(error)) this.#damaged.add(from)
      throw error
    }
  }

  async #copy(from: Segment, writer: CompactedWriter): Promise<Copied[]> {
    const { segments } = this.#core
    const copied: Copied[] = []
    let number = 0
    for await (const batch of segments.batches(from)) {
      for (const { entry } of batch.entries) {
        const chunks: Uint8Array[] = []
        const payloads: Placement[] = []
        for (const placement of entry.payloads) {
          const live = placement.form !== 'gap' && !from.isReleased(number)
          if (live) {
            const inlineBytes = placement.form === 'inline' ? placement.length : 0
            copied.push({ from, number, newNumber: writer.payloads + payloads.length, inlineBytes })
          }
          if (live && placement.form === 'inline') chunks.push(await this.#readInline(from, batch, entry, placement))
          payloads.push(live ? placement : { form: 'gap', length: placement.length })
          number++
        }
        await writer.add({ ...entry, payloads, releases: [] }, chunks)
      }
    }
    return copied
  }

  async #readInline(segment: Segment, batch: StoredBatch, entry: Entry, placement: Placement & { form: 'inline' }) {
    const payloadsOffset = batch.offset + payloadOffset(batch.header.entryBytes)
    const place = { offset: 0, bytes: 0, payloadsOffset, firstPayload: 0 }
    return await this.#reader.readInline({ segment, place, entry }, placement)
  }
}

/** Writes entries into a fresh segment as batches with a chain of their own. */
class CompactedWriter {
  readonly #core: Core
  readonly #segment: Segment
  readonly #header: SegmentHeader
  readonly #builder: BatchBuilder
  #previous: Buffer
  #firstSequence = 0
  #pendingPayloads = 0

  constructor(core: Core, segment: Segment, header: SegmentHeader) {
    const { tuning, format } = core
    const bytesMax = BATCH_HEADER_BYTES + tuning.groupBytesMax + tuning.transactionBytesMax + format.blockBytes
    this.#core = core
    this.#segment = segment
    this.#header = header
    this.#previous = header.previous
    this.#builder = new BatchBuilder(bytesMax, format, core.pool)
  }

  /** Payloads added so far, which is the number of the next one. */
  get payloads(): number {
    return this.#segment.payloads + this.#pendingPayloads
  }

  async add(entry: Entry, chunks: readonly Uint8Array[]): Promise<void> {
    if (this.#builder.entries.length === 0) this.#firstSequence = entry.sequence
    const sealed = chunks.map((chunk) => ({ form: 'inline' as const, length: chunk.length, chunks: [chunk] }))
    const placed = this.#builder.place(sealed)
    let inline = 0
    const payloads = entry.payloads.map((placement) => (placement.form === 'inline' ? placed[inline++]! : placement))
    this.#builder.add([{ ...entry, payloads }], sealed)
    this.#pendingPayloads += payloads.length
    if (this.#builder.bytes >= this.#core.tuning.groupBytesMax) await this.finish()
  }

  /** Writes what was added since the last time. */
  async finish(): Promise<void> {
    if (this.#builder.entries.length === 0) return
    const { segments, zones } = this.#core
    const segment = this.#segment
    const offset = segment.blocks * zones.blockBytes
    const { bytes, digest } = this.#builder.finish({
      previous: this.#previous,
      lsn: segment.ordinal * zones.blocksPerSegment + segment.blocks,
      epoch: this.#header.epoch,
      superblockSerial: this.#core.members.superblock.serial,
      durableLsn: 0,
      firstSequence: this.#firstSequence,
      seal: false,
    })
    await segments.write(segment, offset, bytes)
    segment.take(this.#builder, offset)
    this.#previous = digest
    this.#pendingPayloads = 0
    this.#builder.reset()
  }
}
