import { BATCH_HEADER_BYTES, type BatchHeader, encodeBatchHeader, payloadOffset } from './batch.ts'
import { roundUp, sharedBuffer } from './bytes.ts'
import { crc32c } from './checksum.ts'
import type { Core } from './core.ts'
import { type Entry, encodeEntry, entryBytes, entryChecksum, type Placement } from './entry.ts'
import type { Format } from './format.ts'
import type { Sealed } from './staging.ts'

/** An entry that was added, and where it lies in the batch. */
export interface PlacedEntry {
  readonly entry: Entry
  readonly offset: number
  readonly bytes: number
  readonly checksum: number
}

/** Assembles one batch at a time in memory that the device takes as it is. */
export class BatchBuilder {
  readonly #buffer: Buffer
  readonly #unitBytes: number
  readonly #blockBytes: number
  readonly #pool: Buffer
  #entries: PlacedEntry[] = []
  #payloads: Uint8Array[] = []
  #entriesEnd = BATCH_HEADER_BYTES
  #payloadBytes = 0

  constructor(bytesMax: number, format: Pick<Format, 'unitBytes' | 'blockBytes'>, pool: Buffer) {
    this.#buffer = sharedBuffer(roundUp(bytesMax, format.blockBytes))
    this.#unitBytes = format.unitBytes
    this.#blockBytes = format.blockBytes
    this.#pool = pool
  }

  /** With room for any batch of the pool: one that is all but large enough, and one more transaction. */
  static of({ tuning, format, pool }: Pick<Core, 'tuning' | 'format' | 'pool'>): BatchBuilder {
    const bytesMax = BATCH_HEADER_BYTES + tuning.groupBytesMax + tuning.transactionBytesMax + format.blockBytes
    return new BatchBuilder(bytesMax, format, pool)
  }

  get entries(): readonly PlacedEntry[] {
    return this.#entries
  }

  /** Bytes so far, without the header's and the padding. */
  get bytes(): number {
    return this.#entriesEnd - BATCH_HEADER_BYTES + this.#payloadBytes
  }

  reset(): void {
    this.#entries = []
    this.#payloads = []
    this.#entriesEnd = BATCH_HEADER_BYTES
    this.#payloadBytes = 0
  }

  /** Where the sealed payloads of one transaction would lie, in order. Nothing is added yet. */
  place(sealed: readonly Sealed[]): Placement[] {
    let offset = this.#payloadBytes
    return sealed.map((payload) => {
      if (payload.form === 'extents') return payload
      const checksums = checksumsOf(payload.chunks, this.#unitBytes)
      const placement: Placement = { form: 'inline', length: payload.length, offset, checksums }
      offset += payload.length
      return placement
    })
  }

  /** Adds a transaction: its entries, and the inline payloads that they place. */
  add(entries: readonly Entry[], sealed: readonly Sealed[]): void {
    for (const entry of entries) {
      const bytes = entryBytes(entry)
      this.#buffer.fill(0, this.#entriesEnd, this.#entriesEnd + bytes)
      const offset = this.#entriesEnd
      this.#entriesEnd = encodeEntry(this.#buffer, offset, entry)
      this.#entries.push({ entry, offset, bytes, checksum: entryChecksum(this.#buffer, offset) })
    }
    for (const payload of sealed) {
      if (payload.form !== 'inline') continue
      this.#payloads.push(...payload.chunks)
      this.#payloadBytes += payload.length
    }
  }

  /** Blocks that the batch will take. */
  get blocks(): number {
    return Math.ceil((this.payloadsOffset + this.#payloadBytes) / this.#blockBytes)
  }

  get payloadsOffset(): number {
    return payloadOffset(this.#entriesEnd - BATCH_HEADER_BYTES)
  }

  /** The whole batch, ready to be written, and its digest. Valid until reset(). */
  finish(header: Omit<BatchHeader, 'digest' | 'blocks' | 'entryBytes' | 'entries'>): { bytes: Buffer; digest: Buffer } {
    const end = this.blocks * this.#blockBytes
    let at = this.payloadsOffset
    this.#buffer.fill(0, this.#entriesEnd, at)
    for (const chunk of this.#payloads) {
      this.#buffer.set(chunk, at)
      at += chunk.length
    }
    this.#buffer.fill(0, at, end)
    const entryBytes = this.#entriesEnd - BATCH_HEADER_BYTES
    const { blocks } = this
    const whole = { ...header, blocks, entryBytes, entries: this.#entries.length }
    const digest = encodeBatchHeader(this.#buffer, whole, this.#pool)
    return { bytes: this.#buffer.subarray(0, end), digest }
  }
}

/** One CRC-32C for each `unitBytes` of the chunks laid end to end. */
function checksumsOf(chunks: readonly Uint8Array[], unitBytes: number): number[] {
  const checksums: number[] = []
  let filled = 0
  let checksum = 0
  for (const chunk of chunks) {
    for (let offset = 0; offset < chunk.length; ) {
      const bytes = Math.min(unitBytes - filled, chunk.length - offset)
      checksum = crc32c(chunk.subarray(offset, offset + bytes), checksum)
      offset += bytes
      filled += bytes
      if (filled < unitBytes) continue
      checksums.push(checksum)
      filled = 0
      checksum = 0
    }
  }
  if (filled > 0) checksums.push(checksum)
  return checksums
}
