import assert from 'node:assert/strict'
import { type BatchHeader, decodeBatchHeader } from '../../pool/batch.ts'
import { decodeEntries } from '../../pool/batch-walk.ts'
import { readUint64 } from '../../pool/bytes.ts'
import { decodeExtent, EXTENT_BYTES, type Extent } from '../../pool/entry.ts'
import { decodeSegmentHeader } from '../../pool/segment.ts'
import { decodeSuperblock } from '../../pool/superblock.ts'
import type { RecordedWrite, TraceEvent } from './crash-device.ts'
import type { SingleZones } from './single-device.ts'
import type { Mark } from './workload.ts'

/** How often each rule had something to say. */
export interface Counts {
  acknowledgements: number
  publishes: number
  superblocks: number
  batches: number
}

/**
 * The order of writes and flushes that the pool promises (POOL §10, I8), looked up in what a device was asked:
 *
 * 1. a record is acknowledged once a flush that began after its batch was written has ended;
 * 2. a batch is written once every unit that it names is flushed;
 * 3. a superblock is written once the pages and the journal that it names are flushed, and to its second ring once the first is;
 * 4. a batch or a segment's header is written once both superblocks of its epoch are flushed.
 */
export class TraceRules {
  readonly #zones: SingleZones
  readonly #pool: Buffer
  /** Written, and covered by no flush. */
  readonly #open = new Set<RecordedWrite>()
  readonly #manifests = new Map<number, Buffer>()
  readonly #batches: { readonly header: BatchHeader; readonly write: RecordedWrite }[] = []
  /** Rings that hold a flushed superblock of an epoch. */
  readonly #rings = new Map<number, Set<number>>()
  readonly counts: Counts = { acknowledgements: 0, publishes: 0, superblocks: 0, batches: 0 }

  constructor(zones: SingleZones, pool: Buffer) {
    this.#zones = zones
    this.#pool = pool
  }

  check(trace: readonly TraceEvent<Mark>[]): void {
    for (const event of trace) {
      if (event.kind === 'write') this.#write(event.write)
      else if (event.kind === 'flush') for (const write of event.covered) this.#flush(write)
      else if (event.mark.kind === 'ack') this.#acknowledge(event.mark.sequence)
    }
  }

  #ringOf({ offset }: RecordedWrite): number | undefined {
    const { rings, ringBytes } = this.#zones
    if (offset >= rings[1]) return 1
    return offset < rings[0] + ringBytes ? 0 : undefined
  }

  #flush(write: RecordedWrite): void {
    this.#open.delete(write)
    const ring = this.#ringOf(write)
    if (ring === undefined) return
    const { epoch } = decodeSuperblock(write.data, this.#pool)!
    this.#rings.set(epoch, (this.#rings.get(epoch) ?? new Set()).add(ring))
  }

  #write(write: RecordedWrite): void {
    const { offset, data } = write
    const ring = this.#ringOf(write)
    const header = decodeBatchHeader(data, readUint64(data, 72), this.#pool)
    const segment = decodeSegmentHeader(data, this.#pool)
    if (ring !== undefined) this.#superblock(ring, data)
    else if (header) this.#batch(header, write)
    else if (segment) this.#begun(segment.epoch)
    else this.#manifests.set(offset, data)
    this.#open.add(write)
  }

  #superblock(ring: number, data: Buffer): void {
    const { rings, ringBytes, metadata } = this.#zones
    this.counts.superblocks++
    if (ring === 1) this.#flushed(rings[0], rings[0] + ringBytes, 'the second superblock follows a first one')
    this.#flushed(metadata.start, metadata.end, 'a superblock names pages')
    const { checkpointLsn } = decodeSuperblock(data, this.#pool)!
    for (const { header, write } of this.#batches) {
      assert(header.lsn >= checkpointLsn || !this.#open.has(write), 'a superblock names a batch that is not flushed')
    }
  }

  #batch(header: BatchHeader, write: RecordedWrite): void {
    this.#begun(header.epoch)
    this.counts.batches++
    this.#batches.push({ header, write })
    const payloads = decodeEntries(write.data, header).flatMap(({ entry }) => entry.payloads)
    for (const placement of payloads) {
      if (placement.form !== 'extents') continue
      this.counts.publishes++
      for (const extent of placement.extents) this.#unit(extent, placement.depth)
    }
  }

  #unit({ unit }: Extent, depth: number): void {
    const offset = this.#zones.unitOffset(unit)
    this.#flushed(offset, offset + this.#zones.data.unitBytes, 'a batch names a unit')
    const manifest = depth > 0 ? this.#manifests.get(offset) : undefined
    for (let at = 0; manifest && at < manifest.length; at += EXTENT_BYTES) {
      const below = decodeExtent(manifest, at)
      if (below.length > 0) this.#unit(below, depth - 1)
    }
  }

  #begun(epoch: number): void {
    assert.equal(this.#rings.get(epoch)?.size, 2, `the journal goes on in epoch ${epoch}, which is not flushed`)
  }

  #acknowledge(sequence: number): void {
    this.counts.acknowledgements++
    const holds = ({ header }: { header: BatchHeader }) =>
      header.firstSequence <= sequence && sequence < header.firstSequence + header.entries
    const found = this.#batches.find(holds)
    assert(found && !this.#open.has(found.write), `record ${sequence} is acknowledged, and its batch is not flushed`)
  }

  #flushed(from: number, to: number, what: string): void {
    const open = [...this.#open].find(({ offset, data }) => offset < to && offset + data.length > from)
    assert(!open, `${what} that is not flushed`)
  }
}
