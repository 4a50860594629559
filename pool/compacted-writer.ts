import { BATCH_HEADER_BYTES } from './batch.ts'
import { BatchBuilder } from './batch-builder.ts'
import { DIGEST_BYTES } from './checksum.ts'
import type { Core } from './core.ts'
import { type Entry, entryBytes } from './entry.ts'
import { PoolError } from './errors.ts'
import { SEGMENTS_KEPT } from './reservations.ts'
import { encodeSegmentHeader, Segment, type SegmentHeader, segmentPayloadsMax } from './segment.ts'

const NO_DIGEST = Buffer.alloc(DIGEST_BYTES)

/**
 * Writes the entries of old segments into fresh ones, as batches with a chain of their own in each. The new ones are no
 * more than the old, and take their ordinals in turn.
 */
export class CompactedWriter {
  readonly #core: Core
  readonly #old: readonly Segment[]
  readonly #epoch: number
  readonly #builder: BatchBuilder
  readonly segments: Segment[] = []
  #previous: Buffer = NO_DIGEST
  #firstSequence = 0
  #pendingPayloads = 0
  #failure: unknown

  constructor(core: Core, old: readonly Segment[], epoch: number) {
    this.#core = core
    this.#old = old
    this.#epoch = epoch
    this.#builder = BatchBuilder.of(core)
  }

  /** Why a segment could not be written, if that is why it ended. */
  get failure(): unknown {
    return this.#failure
  }

  /** Adds an entry; returns the segment that it goes to, and the number there of its first payload. ERR_NO_SPACE. */
  async add(entry: Entry, chunks: readonly Uint8Array[]): Promise<{ to: Segment; firstPayload: number }> {
    const sealed = chunks.map((chunk) => ({ form: 'inline' as const, length: chunk.length, chunks: [chunk] }))
    const to = await this.#segmentFor(entry, chunks)
    if (this.#builder.entries.length === 0) this.#firstSequence = entry.sequence
    const placed = this.#builder.place(sealed)
    let inline = 0
    const payloads = entry.payloads.map((placement) => (placement.form === 'inline' ? placed[inline++]! : placement))
    const firstPayload = to.payloads + this.#pendingPayloads
    this.#builder.add([{ ...entry, payloads }], sealed)
    this.#pendingPayloads += payloads.length
    if (this.#builder.bytes >= this.#core.tuning.groupBytesMax) await this.#write(to)
    return { to, firstPayload }
  }

  async #segmentFor(entry: Entry, chunks: readonly Uint8Array[]): Promise<Segment> {
    const { zones } = this.#core
    const segment = this.segments.at(-1)
    if (!segment) return await this.#open(this.#old[0]!.firstSequence)
    const bytes = chunks.reduce((sum, { length }) => sum + length, entryBytes(entry))
    const blocks = Math.ceil((BATCH_HEADER_BYTES + 8 + this.#builder.bytes + bytes) / zones.blockBytes)
    const payloads = segment.payloads + this.#pendingPayloads + entry.payloads.length
    if (segment.blocks + blocks <= zones.blocksPerSegment && payloads <= segmentPayloadsMax(zones)) return segment
    await this.#write(segment)
    return await this.#open(entry.sequence)
  }

  async #open(firstSequence: number): Promise<Segment> {
    const { zones, pool, allocator, reservations } = this.#core
    const ordinal = this.#old[this.segments.length]?.ordinal
    const hasSpare = reservations.freeSegments >= SEGMENTS_KEPT
    const regions = ordinal !== undefined && hasSpare ? allocator.takeSegment() : undefined
    if (!regions) throw new PoolError('ERR_NO_SPACE', 'no free segment to compact into')
    const header: SegmentHeader = {
      compacted: true,
      ordinal: ordinal!,
      epoch: this.#epoch,
      firstSequence,
      regions,
      successor: [0],
      previous: NO_DIGEST,
    }
    const segment = Segment.open(header, zones)
    this.segments.push(segment)
    this.#previous = NO_DIGEST
    await this.#writeTo(header, 0, encodeSegmentHeader(header, pool, zones.blockBytes))
    return segment
  }

  /** Writes what was added since the last time. Old segments without any record leave an empty one. */
  async finish(): Promise<void> {
    await this.#write(this.segments.at(-1) ?? (await this.#open(this.#old[0]!.firstSequence)))
  }

  async #write(segment: Segment): Promise<void> {
    if (this.#builder.entries.length === 0) return
    const { zones } = this.#core
    const offset = segment.blocks * zones.blockBytes
    const { bytes, digest } = this.#builder.finish({
      previous: this.#previous,
      lsn: segment.ordinal * zones.blocksPerSegment + segment.blocks,
      epoch: this.#epoch,
      superblockSerial: this.#core.members.superblock.serial,
      durableLsn: 0,
      firstSequence: this.#firstSequence,
      seal: false,
    })
    await this.#writeTo(segment, offset, bytes)
    segment.take(this.#builder, offset)
    this.#previous = digest
    this.#pendingPayloads = 0
    this.#builder.reset()
  }

  async #writeTo(segment: Pick<Segment, 'regions'>, offset: number, bytes: Uint8Array): Promise<void> {
    try {
      await this.#core.segments.write(segment, offset, bytes)
    } catch (error) {
      this.#failure = error
      throw error
    }
  }
}
