import { BATCH_HEADER_BYTES } from './batch.ts'
import type { StoredBatch } from './batch-walk.ts'
import { CompactedWriter } from './compacted-writer.ts'
import type { Core } from './core.ts'
import type { Placement } from './entry.ts'
import { hasCode, isUnreadable } from './errors.ts'
import type { Located, Reader } from './reader.ts'
import { SEGMENTS_KEPT } from './reservations.ts'
import { type Segment, segmentPayloadsMax } from './segment.ts'
import { placed } from './segment-index.ts'

/** A payload that was alive when it was copied, by its numbers in the old segment and in the new one. */
interface Copied {
  readonly from: Segment
  readonly number: number
  readonly to: Segment
  readonly newNumber: number
  readonly inlineBytes: number
}

/** Neighbours rewritten into fewer segments, which are not yet in their place. */
export interface Compacted {
  readonly old: readonly Segment[]
  readonly segments: readonly Segment[]
  readonly copied: readonly Copied[]
}

/** What lives in segments, and is to be copied. */
interface Content {
  readonly bytes: number
  readonly payloads: number
}

/** `count` neighbours from number `first` on that fit `written` segments. */
interface Bargain {
  readonly first: number
  readonly count: number
  readonly written: number
  /** Segments gained for each byte that is copied. */
  readonly worth: number
}

const NOTHING: Content = { bytes: 0, payloads: 0 }

const plus = (a: Content, b: Content): Content => ({ bytes: a.bytes + b.bytes, payloads: a.payloads + b.payloads })

const GROUPS_MAX = 8
/** Neighbours that are looked at together when space is short: as long as an eighth of them is dead, there is some. */
const NEIGHBOURS_MAX = 8
/** Segments gained with which writers go on for a while. */
const GAIN_ENOUGH = 2

/**
 * Rewrites neighbouring segments whose records and live payloads fit one segment; when space is short, those that fit
 * fewer segments than they are. Every record stays, under its own sequence; payloads that were released leave a gap.
 * The old segments remain the truth until the checkpoint that names the new ones is durable.
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
      if (this.#core.reservations.freeSegments < SEGMENTS_KEPT) break
      const compacted = await this.#rewrite(group)
      if (compacted) done.push(compacted)
    }
    return done
  }

  /** Between two batches, all releases worked through: the new segments take the old ones' place in memory. */
  adopt(compacted: readonly Compacted[]): void {
    for (const { old, segments, copied } of compacted) {
      for (const { from, number, to, newNumber, inlineBytes } of copied) {
        if (from.isReleased(number)) to.release(newNumber, inlineBytes)
      }
      this.#core.segments.replace(old, segments)
      for (const segment of segments) this.#core.segments.keepIndex(segment)
    }
  }

  #groups(): Segment[][] {
    const { reservations, tuning } = this.#core
    return reservations.freeSegments > tuning.reserveSegments ? this.#fittingOne() : this.#fittingFewer()
  }

  /** Runs of neighbours that fit one segment, the active one left out. */
  #fittingOne(): Segment[][] {
    const groups: Segment[][] = []
    let group: Segment[] = []
    let content = NOTHING
    for (const segment of this.#core.segments.all.slice(0, -1)) {
      const alone = this.#contentOf(segment)
      const together = plus(content, alone)
      const fits = this.#segmentsFor(together) === 1
      if (!fits && group.length > 1) groups.push(group)
      const begins = this.#segmentsFor(alone) === 1
      group = fits ? [...group, segment] : begins ? [segment] : []
      content = fits ? together : begins ? alone : NOTHING
    }
    if (group.length > 1) groups.push(group)
    return groups.slice(0, GROUPS_MAX)
  }

  /**
   * Space is short. Runs of neighbours that fit fewer segments than they are: those that give the most for what is
   * copied, and no more than are needed for a while, for whatever lives will be less by then.
   */
  #fittingFewer(): Segment[][] {
    const { segments, reservations } = this.#core
    const groups: Segment[][] = []
    const taken = new Set<number>()
    let room = reservations.freeSegments - SEGMENTS_KEPT + 1
    let gained = 0
    for (const { first, count, written } of this.#bargains(room)) {
      if (gained >= GAIN_ENOUGH || groups.length >= GROUPS_MAX) break
      const numbers = Array.from({ length: count }, (_, i) => first + i)
      if (written > room || numbers.some((number) => taken.has(number))) continue
      for (const number of numbers) taken.add(number)
      groups.push(segments.all.slice(first, first + count))
      room -= written
      gained += count - written
    }
    return groups
  }

  /** From each segment on the run of neighbours that gives the most for each byte that is copied, the best first. */
  #bargains(room: number): Bargain[] {
    const all = this.#core.segments.all.slice(0, -1)
    const bargains: Bargain[] = []
    for (let first = 0; first < all.length; first++) {
      let best: Bargain | undefined
      let content = NOTHING
      for (let count = 1; count <= NEIGHBOURS_MAX && first + count <= all.length; count++) {
        content = plus(content, this.#contentOf(all[first + count - 1]!))
        const written = this.#segmentsFor(content)
        const worth = (count - written) / (content.bytes + 1)
        if (written <= room && worth > (best?.worth ?? 0)) best = { first, count, written, worth }
      }
      if (best) bargains.push(best)
    }
    return bargains.sort((a, b) => b.worth - a.worth)
  }

  /** What a rewritten segment keeps; without end for one that cannot be read. */
  #contentOf(segment: Segment): Content {
    const { entryBytes, liveBytes, payloads } = segment
    return { bytes: this.#damaged.has(segment) ? Number.POSITIVE_INFINITY : entryBytes + liveBytes, payloads }
  }

  #segmentsFor({ bytes, payloads }: Content): number {
    const { zones, tuning } = this.#core
    const batches = Math.ceil(bytes / tuning.groupBytesMax) + 1
    const overhead = batches * (BATCH_HEADER_BYTES + 8 + zones.blockBytes) + zones.blockBytes
    if (bytes + overhead <= zones.segmentBytes && payloads <= segmentPayloadsMax(zones)) return 1
    // At the end of each but the last there is no room for one more record.
    const usable = zones.segmentBytes - zones.blockBytes - tuning.inlineBytesMax
    return Math.max(2, Math.ceil((bytes + overhead) / usable), Math.ceil(payloads / segmentPayloadsMax(zones)))
  }

  /** Undefined when the old ones cannot be read, or new ones not be written: then they stay as they are. */
  async #rewrite(old: readonly Segment[]): Promise<Compacted | undefined> {
    const writer = new CompactedWriter(this.#core, old, this.#epoch)
    const copied: Copied[] = []
    const sources = this.#core.mutations.has('compaction-drops-live') ? old.slice(0, -1) : old
    try {
      for (const from of sources) copied.push(...(await this.#copyWhole(from, writer)))
      await writer.finish()
      return { old, segments: writer.segments, copied }
    } catch (error) {
      return this.#giveUp(writer, error)
    }
  }

  /** Where a segment could not be written nothing is written again: the next checkpoint tries elsewhere. */
  #giveUp({ segments, failure }: CompactedWriter, error: unknown): undefined {
    const isOfMedium = hasCode(failure, 'ERR_IO')
    if (!isUnreadable(error) && !hasCode(error, 'ERR_NO_SPACE')) throw error
    for (const segment of segments) {
      if (isOfMedium) this.#core.retire(segment, failure)
      else this.#core.allocator.giveBack(segment.regions)
    }
  }

  async #copyWhole(from: Segment, writer: CompactedWriter): Promise<Copied[]> {
    try {
      return await this.#copy(from, writer)
    } catch (error) {
      if (isUnreadable(error) && writer.failure === undefined) this.#damaged.add(from)
      throw error
    }
  }

  async #copy(from: Segment, writer: CompactedWriter): Promise<Copied[]> {
    const copied: Copied[] = []
    let payloads = 0
    for await (const batch of this.#core.segments.batches(from)) {
      for (const { entry, place } of placed(batch, payloads)) {
        copied.push(...(await this.#copyEntry({ segment: from, place, entry }, batch, writer)))
        payloads += entry.payloads.length
      }
    }
    return copied
  }

  /** What lives of a record goes along; of the rest a gap. */
  async #copyEntry(located: Located, batch: StoredBatch, writer: CompactedWriter): Promise<readonly Copied[]> {
    const { segment: from, place, entry } = located
    const isLive = (placement: Placement, i: number) =>
      placement.form !== 'gap' && !from.isReleased(place.firstPayload + i)
    const payloads = entry.payloads.map((placement, i): Placement => {
      return isLive(placement, i) ? placement : { form: 'gap', length: placement.length }
    })
    const chunks: Uint8Array[] = []
    for (const placement of payloads) {
      if (placement.form === 'inline') chunks.push(await this.#reader.readInline(located, placement, batch))
    }
    const { to, firstPayload } = await writer.add({ ...entry, payloads, releases: [] }, chunks)
    return payloads.flatMap((placement, i): Copied[] => {
      if (placement.form === 'gap') return []
      const inlineBytes = placement.form === 'inline' ? placement.length : 0
      return [{ from, number: place.firstPayload + i, to, newNumber: firstPayload + i, inlineBytes }]
    })
  }
}
