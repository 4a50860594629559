import assert from 'node:assert/strict'
import { BatchWalk, type StoredBatch } from './batch-walk.ts'
import type { Sequence } from './contract.ts'
import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import { readBytes } from './io.ts'
import { type ReadRightOptions, readRight } from './read-right.ts'
import type { Segment } from './segment.ts'
import { placed, SegmentIndex } from './segment-index.ts'
import type { Zones } from './zones.ts'

/** Blocks of a segment that are read with one request, for several batches. */
const READ_AHEAD_BLOCKS = 8

/**
 * The segments that hold the stream, in the order of their sequences; the last one is being written.
 * A reader pins the segment it reads, so that compaction does not take it away underneath.
 */
export class Segments {
  readonly #device: Device
  readonly zones: Zones
  readonly pool: Buffer
  readonly #indexesMax: number
  #sorted: Segment[] = []
  readonly #dirty = new Set<number>()
  readonly #pins = new Map<number, number>()
  readonly #unpinned = new Map<number, () => void>()
  readonly #loading = new Map<Segment, Promise<SegmentIndex>>()
  /** Segments whose index is loaded, the least recently used first. */
  readonly #loaded = new Set<Segment>()

  constructor(device: Device, zones: Zones, pool: Buffer, indexesMax: number) {
    this.#device = device
    this.zones = zones
    this.pool = pool
    this.#indexesMax = indexesMax
  }

  get all(): readonly Segment[] {
    return this.#sorted
  }

  get active(): Segment {
    return this.#sorted.at(-1)!
  }

  /** Takes the segments of a checkpoint, in any order. */
  load(segments: readonly Segment[]): void {
    this.#sorted = [...segments].sort((a, b) => a.firstSequence - b.firstSequence || a.ordinal - b.ordinal)
  }

  push(segment: Segment): void {
    this.#sorted.push(segment)
    this.touch(segment)
  }

  /** Compacted segments take the place of neighbours. */
  replace(old: readonly Segment[], by: readonly Segment[]): void {
    const at = this.#sorted.indexOf(old[0]!)
    assert(at >= 0 && old.every((segment, i) => this.#sorted[at + i] === segment))
    this.#sorted.splice(at, old.length, ...by)
    for (const segment of old) {
      this.#loaded.delete(segment)
      this.touch(segment)
    }
    for (const segment of by) this.touch(segment)
  }

  touch(segment: Pick<Segment, 'region'>): void {
    this.#dirty.add(segment.region)
  }

  /** The pages of regions that changed since the last call; a region that holds no segment any more has a zero page. */
  takeDirtyPages(): Map<number, Buffer> {
    const { blockBytes } = this.zones
    const pages = new Map<number, Buffer>()
    for (const region of this.#dirty) pages.set(this.zones.regionPage(region), Buffer.alloc(blockBytes))
    for (const segment of this.#sorted) {
      const { region } = segment
      if (this.#dirty.has(region)) pages.set(this.zones.regionPage(region), segment.encodePage(blockBytes))
    }
    this.#dirty.clear()
    return pages
  }

  /** The segment that holds `sequence`. ERR_NOT_FOUND when no durable record has it. */
  find(sequence: Sequence): Segment {
    let low = 0
    let high = this.#sorted.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#sorted[middle]!.firstSequence <= sequence) low = middle
      else high = middle - 1
    }
    const segment = this.#sorted[low]
    if (!segment || sequence < segment.firstSequence || sequence >= segment.nextSequence) {
      throw new PoolError('ERR_NOT_FOUND', `no record ${sequence}`)
    }
    return segment
  }

  pin(segment: Segment): void {
    this.#pins.set(segment.region, (this.#pins.get(segment.region) ?? 0) + 1)
  }

  unpin(segment: Segment): void {
    const left = this.#pins.get(segment.region)! - 1
    if (left > 0) {
      this.#pins.set(segment.region, left)
      return
    }
    this.#pins.delete(segment.region)
    this.#unpinned.get(segment.region)?.()
    this.#unpinned.delete(segment.region)
  }

  /** Calls `then` once nobody reads the region. */
  whenUnpinned(region: number, then: () => void): void {
    if (this.#pins.has(region)) this.#unpinned.set(region, then)
    else then()
  }

  /**
   * The offset table of `segment`, read from the device when it is not in memory. `last` is the digest of its last batch,
   * when it is known.
   */
  async index(segment: Segment, last?: Buffer): Promise<SegmentIndex> {
    if (segment.index) {
      if (this.#loaded.delete(segment)) this.#loaded.add(segment)
      return segment.index
    }
    let loading = this.#loading.get(segment)
    if (!loading) {
      loading = this.#loadIndex(segment, last).finally(() => this.#loading.delete(segment))
      this.#loading.set(segment, loading)
    }
    return await loading
  }

  async #loadIndex(segment: Segment, last?: Buffer): Promise<SegmentIndex> {
    const index = new SegmentIndex()
    let payloads = 0
    for await (const batch of this.batches(segment, 1, last)) {
      for (const { entry, place } of placed(batch, payloads)) {
        index.push(place)
        payloads += entry.payloads.length
      }
    }
    segment.index = index
    this.keepIndex(segment)
    return index
  }

  /** `segment` is full: its index may be dropped from memory when others are wanted more. */
  keepIndex(segment: Segment): void {
    this.#loaded.add(segment)
    for (const oldest of this.#loaded) {
      if (this.#loaded.size <= this.#indexesMax) return
      this.#loaded.delete(oldest)
      if (oldest !== this.active) oldest.index = undefined
    }
  }

  /**
   * The durable batches of a segment from block `from` on, each verified and following from the one before. ERR_CORRUPT
   * names the place of one that is not what was written. `last` is the digest of the last one, when it is known.
   */
  batches(segment: Segment, from = 1, last?: Buffer): AsyncGenerator<StoredBatch> {
    return new BatchWalk(this, segment, last).batches(from)
  }

  /**
   * The same, from the batch on that holds `sequence`, as far as the offset table can be had; else from the first one on,
   * which tells what is damaged.
   */
  async *batchesFrom(segment: Segment, sequence: Sequence, last?: Buffer): AsyncGenerator<StoredBatch> {
    const record = sequence - segment.firstSequence
    const index = record === 0 ? undefined : await this.index(segment, last).catch(() => undefined)
    const walk = new BatchWalk(this, segment, last)
    yield* index ? walk.batchesFrom(index.batchOf(record)) : walk.batches()
  }

  /** Some blocks from `block` on, up to `end`, in which anything may be; nothing when they cannot be read together. */
  async readAhead({ region }: Segment, block: number, end: number): Promise<Buffer> {
    const { blockBytes } = this.zones
    const blocks = Math.min(READ_AHEAD_BLOCKS, end - block)
    const offset = this.zones.regionOffset(region) + block * blockBytes
    try {
      return await readBytes(this.#device, offset, blocks * blockBytes, 0)
    } catch {
      return NOTHING
    }
  }

  /** Bytes of a segment that `isRight` accepts, from whichever of its runs and their copies has them. */
  async read(
    segment: Pick<Segment, 'regions'>,
    offset: number,
    length: number,
    isRight: (bytes: Buffer) => boolean,
    options?: ReadRightOptions,
  ): Promise<Buffer | undefined> {
    const offsets = segment.regions.map((region) => this.zones.regionOffset(region) + offset)
    return await readRight(this.#device, offsets, length, isRight, options)
  }

  /** Writes to every run of a segment. */
  async write({ regions }: Pick<Segment, 'regions'>, offset: number, source: Uint8Array): Promise<void> {
    await Promise.all(regions.map((region) => this.#device.write(this.zones.regionOffset(region) + offset, source)))
  }
}

const NOTHING = Buffer.alloc(0)
