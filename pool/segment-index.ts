/** Where a record's entry lies in its segment, and where its inline payloads begin. Offsets in bytes from the segment's start. */
export interface EntryPlace {
  readonly offset: number
  readonly bytes: number
  /** Its checksum: an entry that is whole, but of a batch that was to be written over, has another. */
  readonly checksum: number
  readonly payloadsOffset: number
  /** Number, within the segment, of the record's first payload. */
  readonly firstPayload: number
}

/** The offset table of one segment, by a record's number in it. */
export class SegmentIndex {
  readonly #offsets: number[] = []
  readonly #bytes: number[] = []
  readonly #checksums: number[] = []
  readonly #payloadsOffsets: number[] = []
  readonly #firstPayloads: number[] = []

  get length(): number {
    return this.#offsets.length
  }

  push(place: EntryPlace): void {
    this.#offsets.push(place.offset)
    this.#bytes.push(place.bytes)
    this.#checksums.push(place.checksum)
    this.#payloadsOffsets.push(place.payloadsOffset)
    this.#firstPayloads.push(place.firstPayload)
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
