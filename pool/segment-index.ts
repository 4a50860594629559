import { BATCH_HEADER_BYTES, payloadOffset } from './batch.ts'
import type { StoredBatch } from './batch-walk.ts'
import type { Entry } from './entry.ts'

/**
 * Where a record's entry lies in its segment, and where its inline payloads begin. Offsets are in bytes from the
 * segment's start.
 */
export interface EntryPlace {
  readonly offset: number
  readonly bytes: number
  /** Its checksum: an entry that is whole, but of a batch that was to be written over, has another. */
  readonly checksum: number
  readonly payloadsOffset: number
  /** Number, within the segment, of the record's first payload. */
  readonly firstPayload: number
}

/** Where a batch is in its segment, and what tells that it is the one: its first record, by its number there. */
export interface BatchPlace {
  readonly offset: number
  readonly record: number
  readonly checksum: number
}

/** The entries of a batch with their places. `payloads` of its segment lie before it. */
export function* placed(batch: StoredBatch, payloads: number): Generator<{ entry: Entry; place: EntryPlace }> {
  const payloadsOffset = batch.offset + payloadOffset(batch.header.entryBytes)
  let firstPayload = payloads
  for (const { entry, offset, bytes, checksum } of batch.entries) {
    yield { entry, place: { offset, bytes, checksum, payloadsOffset, firstPayload } }
    firstPayload += entry.payloads.length
  }
}

/** The offset table of one segment, by a record's number in it. */
export class SegmentIndex {
  readonly #offsets: number[] = []
  readonly #bytes: number[] = []
  readonly #checksums: number[] = []
  readonly #payloadsOffsets: number[] = []
  readonly #firstPayloads: number[] = []

  push(place: EntryPlace): void {
    this.#offsets.push(place.offset)
    this.#bytes.push(place.bytes)
    this.#checksums.push(place.checksum)
    this.#payloadsOffsets.push(place.payloadsOffset)
    this.#firstPayloads.push(place.firstPayload)
  }

  /** The batch that a record is in: all that are in it have their payloads behind the same place. */
  batchOf(record: number): BatchPlace {
    let first = record
    while (first > 0 && this.#payloadsOffsets[first - 1] === this.#payloadsOffsets[record]) first -= 1
    const { offset, checksum } = this.at(first)
    return { offset: offset - BATCH_HEADER_BYTES, record: first, checksum }
  }

  at(record: number): EntryPlace {
    return {
      offset: this.#offsets[record]!,
      bytes: this.#bytes[record]!,
      checksum: this.#checksums[record]!,
      payloadsOffset: this.#payloadsOffsets[record]!,
      firstPayload: this.#firstPayloads[record]!,
    }
  }
}
