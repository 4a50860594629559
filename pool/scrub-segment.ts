import type { BatchHeader } from './batch.ts'
import type { Sequence } from './contract.ts'
import type { Entry, ExtentsPlacement } from './entry.ts'
import { isUnreadable } from './errors.ts'
import type { Journal } from './journal.ts'
import type { Reader } from './reader.ts'
import type { Releases } from './releases.ts'
import { BatchScrub, type ScrubbedBatch } from './scrub-batch.ts'
import type { ScrubGround } from './scrub-copies.ts'
import { PayloadScrub, type PayloadScrubEvents, type ScrubbedPayload } from './scrub-payload.ts'
import { SegmentHeaderScrub } from './scrub-segment-header.ts'
import type { Segment } from './segment.ts'

export interface SegmentScrubParts {
  readonly reader: Reader
  readonly journal: Journal
  readonly releases: Releases
  readonly epoch: number
}

export interface SegmentScrubEvents extends PayloadScrubEvents {
  /** Records up to `next` have been looked at. */
  passed(next: Sequence): Promise<void>
}

/** Where to begin: what lies before was looked at already. */
export interface From {
  readonly sequence: Sequence
  readonly payload: number
  readonly offset: number
}

/**
 * Verifies segments of the journal, and what their records own. Batches are linked by their digests: one that is whole
 * but does not follow from the one before betrays a write that was lost on every copy.
 */
export class SegmentScrub {
  readonly #ground: ScrubGround
  readonly #parts: SegmentScrubParts
  readonly #events: SegmentScrubEvents
  readonly #headers: SegmentHeaderScrub
  readonly #batches: BatchScrub
  readonly #payloads: PayloadScrub

  constructor(ground: ScrubGround, parts: SegmentScrubParts, events: SegmentScrubEvents) {
    this.#ground = ground
    this.#parts = parts
    this.#events = events
    this.#headers = new SegmentHeaderScrub(ground, parts.journal)
    this.#batches = new BatchScrub(ground)
    this.#payloads = new PayloadScrub(ground, parts.releases, events)
  }

  /** Resolves with the first sequence after it. */
  async run(segment: Segment, from: From): Promise<Sequence> {
    const { segments } = this.#ground.core
    segments.pin(segment)
    try {
      return await this.#run(segment, from)
    } finally {
      segments.unpin(segment)
    }
  }

  async #run(segment: Segment, from: From): Promise<Sequence> {
    const found = await this.#headers.run(segment)
    const walk: Walk = { segment, block: 1, next: segment.firstSequence, chain: found?.previous, payloads: 0 }
    while (walk.block < segment.blocks) {
      const batch = await this.#batch(walk)
      if (!found && walk.block === 1) await this.#headers.renew(segment, batch.header)
      if (batch.isRight) this.#checkChain(walk, batch.header!)
      else this.#events.lost()
      await this.#entries(walk, batch, from)
      await this.#pass(walk, batch)
      if (walk.next > from.sequence) await this.#events.passed(walk.next)
    }
    if (!found && segment.blocks === 1) await this.#headers.renew(segment, this.#beginning())
    this.#checkEnd(walk)
    return walk.next
  }

  #batch(walk: Walk): Promise<ScrubbedBatch> {
    const isSpare = (entry: Entry, payload: number, number: number) => this.#isSpare(walk, entry, payload, number)
    return this.#batches.run(walk.segment, walk.block, walk.next, isSpare)
  }

  async #pass(walk: Walk, { header, isRight, entries, nextBlock, nextSequence }: ScrubbedBatch): Promise<void> {
    const payloads = entries.reduce((sum, { payloads }) => sum + payloads.length, 0)
    walk.block = nextBlock
    walk.next = nextSequence
    walk.chain = isRight ? header!.digest : undefined
    if (!isRight) walk.payloads = await this.#payloadsBefore(walk.segment, nextBlock)
    else if (walk.payloads !== undefined) walk.payloads += payloads
  }

  /** Of a segment that holds nothing yet: the journal goes on in it. */
  #beginning() {
    return { epoch: this.#parts.epoch, previous: this.#parts.journal.position.chain }
  }

  async #entries(walk: Walk, { entries }: ScrubbedBatch, from: From): Promise<void> {
    let number = walk.payloads
    for (const entry of entries) {
      if (entry.sequence >= from.sequence) this.#ground.record.records++
      for (const [payload, placement] of entry.payloads.entries()) {
        if (placement.form === 'extents') await this.#payload(walk, { entry, payload, placement, number }, from)
        if (number !== undefined) number++
      }
    }
  }

  async #payload(
    { segment }: Walk,
    { entry, payload, placement, number }: NumberedPayload & { placement: ExtentsPlacement },
    from: From,
  ): Promise<void> {
    const { sequence } = entry
    if (sequence < from.sequence || (sequence === from.sequence && payload < from.payload)) return
    if (number === undefined) return this.#events.lost()
    const isLive = () => this.#isLive(segment, { entry, payload, number })
    if (!(await isLive())) return
    const isHere = sequence === from.sequence && payload === from.payload
    const scrubbed: ScrubbedPayload = { sequence, payload, placement, isLive }
    await this.#payloads.run(scrubbed, isHere ? from.offset : 0)
  }

  /** Its segment may have been compacted meanwhile; then the new one knows, where what was let go before is a gap. */
  async #isLive(segment: Segment, { entry: { sequence }, payload, number }: NumberedPayload): Promise<boolean> {
    const { segments } = this.#ground.core
    const { reader, releases } = this.#parts
    if (releases.isReleased(sequence, payload)) return false
    if (segments.find(sequence) === segment) return !segment.isReleased(number!)
    const moved = await reader.withEntry(sequence, (located) => located).catch(unlessUnreadable)
    if (!moved) return false
    const { place, entry } = moved
    if (segments.find(sequence) !== moved.segment)
      return await this.#isLive(segment, { entry: { sequence }, payload, number })
    const isGone = releases.isReleased(sequence, payload) || moved.segment.isReleased(place.firstPayload + payload)
    return entry.payloads[payload]!.form !== 'gap' && !isGone
  }

  /** Recovery reads inline payloads after the checkpoint whether they live or not; before it nobody reads dead ones. */
  #isSpare({ segment, block, payloads }: Walk, { sequence }: Entry, payload: number, number: number): boolean {
    const { members, zones } = this.#ground.core
    const lsn = segment.ordinal * zones.blocksPerSegment + block
    if (!segment.compacted && lsn >= members.superblock.checkpointLsn) return false
    if (this.#parts.releases.isReleased(sequence, payload)) return true
    return payloads !== undefined && segment.isReleased(payloads + number)
  }

  #checkChain(walk: Walk, header: BatchHeader): void {
    if (walk.chain && !header.previous.equals(walk.chain)) this.#tellBroken(walk, header.firstSequence, header.entries)
  }

  /** The journal knows what its last batch was. */
  #checkEnd(walk: Walk): void {
    const { segment, chain, block } = walk
    const isEnd = this.#ground.core.segments.active === segment && block === segment.blocks && block > 1
    if (isEnd && chain && !chain.equals(this.#parts.journal.position.chain)) this.#tellBroken(walk, walk.next, 0)
  }

  #tellBroken({ segment, block }: Walk, sequence: Sequence, records: number): void {
    this.#events.lost()
    this.#ground.record.add('damaged', {
      subject: 'batch',
      kind: 'stale',
      ...(records > 0 && { sequence, records }),
      note: `what lies before block ${block} of segment ${segment.ordinal} is not what was written there last`,
    })
  }

  /** How many payloads lie before `block`, counted from the end; undefined when more damage hides how many. */
  async #payloadsBefore(segment: Segment, block: number): Promise<number | undefined> {
    let payloads = segment.payloads
    try {
      for await (const { entries } of this.#ground.core.segments.batches(segment, block)) {
        for (const { entry } of entries) payloads -= entry.payloads.length
      }
      return payloads
    } catch (error) {
      if (isUnreadable(error)) return undefined
      throw error
    }
  }
}

/** A segment written a moment ago and damaged already is the next scrub's to tell of. */
function unlessUnreadable(error: unknown): undefined {
  if (!isUnreadable(error)) throw error
}

interface NumberedPayload {
  readonly entry: Pick<Entry, 'sequence'>
  readonly payload: number
  /** Within the segment; undefined when damage hides it. */
  readonly number: number | undefined
}

/** How far a segment has been walked through. */
interface Walk {
  readonly segment: Segment
  block: number
  next: Sequence
  /** The digest of the batch before, when it is known. */
  chain: Buffer | undefined
  /** Payloads before this batch; undefined when damage hides how many. */
  payloads: number | undefined
}
