import type { Journal } from './journal.ts'
import { Copies, type Part, type ScrubGround } from './scrub-copies.ts'
import { kindOfBlocks, type Structure } from './scrub-kind.ts'
import type { ScrubKind } from './scrub-report.ts'
import { decodeSegmentHeader, encodeSegmentHeader, type Regions, type Segment, type SegmentHeader } from './segment.ts'

/** What the first batch of a segment has in common with its header. */
export interface FirstBatch {
  readonly epoch: number
  readonly previous: Buffer
}

/**
 * Verifies the header of a segment in every run and copy. One that is right nowhere is made anew: what it says is in
 * memory, in the first batch, and in the segment that follows.
 */
export class SegmentHeaderScrub {
  readonly #ground: ScrubGround
  readonly #journal: Journal

  constructor(ground: ScrubGround, journal: Journal) {
    this.#ground = ground
    this.#journal = journal
  }

  /** The header, or undefined when it is right on no copy. */
  async run(segment: Segment): Promise<SegmentHeader | undefined> {
    const copies = await this.#load(segment, true)
    const newest = copies.contents
      .flatMap((block) => this.#decode(segment, block) ?? [])
      .sort((a, b) => b.epoch - a.epoch)[0]
    if (!newest) return undefined
    copies.verify(this.#part(segment, newest))
    await copies.repair()
    return newest
  }

  /** Makes a header anew of which run() found no copy; without the first batch it cannot be known. */
  async renew(segment: Segment, first: FirstBatch | undefined): Promise<void> {
    const lost = await this.#load(segment, false)
    const header = first && this.#header(segment, first)
    const part = this.#part(segment, header)
    const { core, flush } = this.#ground
    if (header) {
      await core.segments.write(segment, 0, encodeSegmentHeader(header, core.pool, core.zones.blockBytes))
      await flush()
      const again = await this.#load(segment, false)
      if (again.verify(part)) return lost.tellRenewed(part, 'no copy was right: it was made anew')
    }
    lost.verify({ ...part, isRight: () => false })
    await lost.repair()
  }

  async #load({ regions }: Segment, counts: boolean): Promise<Copies> {
    const { zones } = this.#ground.core
    const offsets = regions.map((region) => zones.regionOffset(region))
    const copies = new Copies(this.#ground, offsets, zones.blockBytes)
    await copies.load({ counts })
    return copies
  }

  #decode({ ordinal, regions, firstSequence, compacted }: Segment, block: Buffer): SegmentHeader | undefined {
    const header = decodeSegmentHeader(block, this.#ground.core.pool)
    const isRight =
      header?.ordinal === ordinal &&
      header.firstSequence === firstSequence &&
      header.compacted === compacted &&
      isSame(header.regions, regions)
    return isRight ? header : undefined
  }

  #part(segment: Segment, header: SegmentHeader | undefined): Part {
    const { pool, zones } = this.#ground.core
    const { blockBytes } = zones
    const right = header && encodeSegmentHeader(header, pool, blockBytes)
    const judge = (structure: Structure): ScrubKind => {
      const isEarlier = structure.what === 'segment' && structure.region === segment.region
      return isEarlier && structure.ordinal <= segment.ordinal ? 'stale' : 'misdirected'
    }
    return {
      start: 0,
      length: blockBytes,
      about: { subject: 'segment' },
      isRight: (bytes) => right?.equals(bytes) === true,
      kindOf: (bytes) => kindOfBlocks(bytes, { pool, blockBytes }, judge),
    }
  }

  #header({ compacted, ordinal, firstSequence, regions }: Segment, first: FirstBatch): SegmentHeader {
    return { compacted, ordinal, firstSequence, regions, ...first, successor: this.#successorOf(ordinal) }
  }

  /** Where the journal went on; nobody asks that of a segment before the checkpoint, or of a compacted one. */
  #successorOf(ordinal: number): Regions {
    const { segments } = this.#ground.core
    if (segments.active.ordinal === ordinal) return this.#journal.successor
    return segments.all.find((one) => one.ordinal === ordinal + 1 && !one.compacted)?.regions ?? [0]
  }
}

const isSame = (one: Regions, other: Regions): boolean =>
  one.length === other.length && one.every((region, i) => region === other[i])
