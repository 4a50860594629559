import { crc32c } from './checksum.ts'
import type { PayloadRange, PoolRecord, Sequence } from './contract.ts'
import type { Core } from './core.ts'
import { checkEntry, decodeEntry, type Entry, type Placement } from './entry.ts'
import { PoolError } from './errors.ts'
import { type Leaf, leaves } from './extent-tree.ts'
import { readBytes } from './io.ts'
import type { Segment } from './segment.ts'
import type { EntryPlace } from './segment-index.ts'
import { regionOffset, unitOffset } from './zones.ts'

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
    const bytes = await this.#readSegment(segment, place.offset, place.bytes)
    const right = checkEntry(bytes, 0) === bytes.length
    const entry = right ? decodeEntry(bytes, 0) : undefined
    if (entry?.sequence !== sequence)
      throw new PoolError('ERR_CORRUPT', `record ${sequence} does not match its checksum`)
    return entry
  }

  async #readSegment(segment: Segment, offset: number, length: number): Promise<Buffer> {
    const { device, zones } = this.#core
    return await readBytes(device, regionOffset(zones, segment.region) + offset, length)
  }

  /** The bytes of an inline payload, verified. */
  async readInline({ segment, place, entry }: Located, placement: Placement & { form: 'inline' }): Promise<Buffer> {
    if (placement.length === 0) return Buffer.alloc(0)
    const bytes = await this.#readSegment(segment, place.payloadsOffset + placement.offset, placement.length)
    const { unitBytes } = this.#core.zones
    placement.checksums.forEach((checksum, i) => {
      if (crc32c(bytes.subarray(i * unitBytes, (i + 1) * unitBytes)) !== checksum) {
        throw new PoolError(
          'ERR_CORRUPT',
          `block ${i} of the payload of record ${entry.sequence} does not match its checksum`,
        )
      }
    })
    return bytes
  }

  /** The bytes of `range` of a payload in extents, a few units at a time, the next read while one is taken. */
  async *readExtents(
    sequence: Sequence,
    placement: Placement & { form: 'extents' },
    range: PayloadRange,
  ): AsyncGenerator<Uint8Array> {
    const { device, zones, tuning } = this.#core
    const unitsMax = Math.max(1, Math.floor(tuning.stagingBytesMax / zones.unitBytes))
    const groups = grouped(leaves(device, zones, placement, range), unitsMax)
    const take = async () => {
      const { value } = await groups.next()
      return value ? await this.#readLeaves(sequence, value) : undefined
    }
    let next = take()
    for (;;) {
      const pieces = await next
      if (!pieces) return
      next = take()
      next.catch(() => {}) // A consumer that stops early leaves it unread; one that goes on sees the failure above.
      for (const { bytes, offset } of pieces) {
        yield bytes.subarray(Math.max(0, range.offset - offset), range.offset + range.length - offset)
      }
    }
  }

  /** Reads leaves whose units follow each other, with one request. */
  async #readLeaves(sequence: Sequence, group: readonly Leaf[]): Promise<{ bytes: Buffer; offset: number }[]> {
    const { device, zones } = this.#core
    const length = (group.length - 1) * zones.unitBytes + group.at(-1)!.extent.length
    const bytes = await readBytes(device, unitOffset(zones, group[0]!.extent.unit), length)
    return group.map(({ extent, offset }, i) => {
      const piece = bytes.subarray(i * zones.unitBytes, i * zones.unitBytes + extent.length)
      if (crc32c(piece) !== extent.checksum) {
        throw new PoolError(
          'ERR_CORRUPT',
          `bytes ${offset} … of the payload of record ${sequence} do not match their checksum`,
        )
      }
      return { bytes: piece, offset }
    })
  }
}

/** Leaves in runs of adjacent units. */
async function* grouped(source: AsyncGenerator<Leaf>, unitsMax: number): AsyncGenerator<Leaf[]> {
  let group: Leaf[] = []
  for await (const leaf of source) {
    const last = group.at(-1)
    const adjacent = last && leaf.extent.unit === last.extent.unit + 1 && group.length < unitsMax
    if (!adjacent && last) {
      yield group
      group = []
    }
    group.push(leaf)
  }
  if (group.length > 0) yield group
}
