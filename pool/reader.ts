import type { StoredBatch } from './batch-walk.ts'
import { crc32c } from './checksum.ts'
import type { PayloadRange, PoolRecord, Sequence } from './contract.ts'
import type { Core } from './core.ts'
import {
  checkEntry,
  decodeEntry,
  type Entry,
  type ExtentsPlacement,
  entryChecksum,
  type InlinePlacement,
} from './entry.ts'
import { PoolError } from './errors.ts'
import { readLeaves } from './extent-reader.ts'
import { leaves } from './extent-tree.ts'
import type { Segment } from './segment.ts'
import type { EntryPlace } from './segment-index.ts'

/** A record's entry, and where it was found. */
export interface Located {
  readonly segment: Segment
  readonly place: EntryPlace
  readonly entry: Entry
}

export const toRecord = (entry: Entry): PoolRecord => ({
  sequence: entry.sequence,
  content: entry.content,
  payloads: entry.payloads.map(({ length }) => length),
})

/** Finds records and their payloads. Nothing leaves it unverified. */
export class Reader {
  readonly #core: Core

  constructor(core: Core) {
    this.#core = core
  }

  /** Runs `use` on the entry of `sequence` while its segment is pinned. ERR_NOT_FOUND, ERR_CORRUPT. */
  async withEntry<T>(sequence: Sequence, use: (located: Located) => Promise<T> | T): Promise<T> {
    const { segments } = this.#core
    const segment = segments.find(sequence)
    segments.pin(segment)
    try {
      const index = await segments.index(segment)
      const place = index.at(sequence - segment.firstSequence)
      return await use({ segment, place, entry: await this.#readEntry(segment, place, sequence) })
    } finally {
      segments.unpin(segment)
    }
  }

  async #readEntry(segment: Segment, place: EntryPlace, sequence: Sequence): Promise<Entry> {
    const isRight = (bytes: Buffer) =>
      checkEntry(bytes, 0) === bytes.length && entryChecksum(bytes, 0) === place.checksum
    const bytes = await this.#core.segments.read(segment, place.offset, place.bytes, isRight)
    if (!bytes) throw new PoolError('ERR_CORRUPT', `record ${sequence} does not match its checksum`)
    return decodeEntry(bytes, 0)
  }

  /** The bytes of an inline payload, verified. Those that were read with their batch need not be read again. */
  async readInline(
    { segment, place, entry }: Located,
    placement: InlinePlacement,
    batch?: Pick<StoredBatch, 'offset' | 'ahead'>,
  ): Promise<Buffer> {
    if (placement.length === 0) return Buffer.alloc(0)
    const { segments, zones } = this.#core
    const offset = place.payloadsOffset + placement.offset
    const pieces: Buffer[] = []
    for (const [i, checksum] of placement.checksums.entries()) {
      const start = i * zones.unitBytes
      const length = Math.min(zones.unitBytes, placement.length - start)
      const isRight = (bytes: Buffer) => crc32c(bytes) === checksum
      const at = offset + start - (batch?.offset ?? 0)
      const ahead = batch?.ahead.subarray(at, at + length)
      const isThere = ahead?.length === length && isRight(ahead)
      const piece = isThere ? ahead : await segments.read(segment, offset + start, length, isRight)
      if (!piece) {
        const problem = `block ${i} of the payload of record ${entry.sequence} does not match its checksum`
        throw new PoolError('ERR_CORRUPT', problem)
      }
      pieces.push(piece)
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  /** The bytes of `range` of a payload in extents, a few units at a time, the next read while one is taken. */
  async *readExtents(sequence: Sequence, placement: ExtentsPlacement, range: PayloadRange): AsyncGenerator<Uint8Array> {
    const { device, zones } = this.#core
    const of = `the payload of record ${sequence}`
    const pieces = readLeaves(this.#core, of, leaves(device, zones, placement, range))
    let next = pieces.next()
    for (;;) {
      const { value: piece } = await next
      if (!piece) return
      next = pieces.next()
      next.catch(() => {}) // A consumer that stops early leaves it unread; one that goes on sees the failure above.
      const { bytes, offset } = piece
      yield bytes.subarray(Math.max(0, range.offset - offset), range.offset + range.length - offset)
    }
  }
}
