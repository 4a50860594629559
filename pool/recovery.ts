import type { RecoverySummary } from './contract.ts'
import type { Core } from './core.ts'
import type { Entry, Placement } from './entry.ts'
import { PoolError } from './errors.ts'
import { visitTree } from './extent-tree.ts'
import type { JournalState } from './journal.ts'
import { type JournalEnd, JournalScan, type ScannedBatch } from './journal-scan.ts'
import type { Pages } from './pages.ts'
import type { Releases } from './releases.ts'
import { decodeSegmentHeader, Segment, type SegmentHeader } from './segment.ts'
import type { Superblock } from './superblock.ts'
import { verdict } from './verdict.ts'

export interface Recovered {
  readonly journal: Omit<JournalState, 'epoch'>
  /** Position from which the new life of the journal writes. */
  readonly endLsn: number
  readonly summary: Omit<RecoverySummary, 'unreadable'>
}

/**
 * Brings a pool back from its newest superblock: the checkpoint's pages, then every whole batch after it. It writes
 * nothing, so a crash while it runs changes nothing.
 */
export class Recovery {
  readonly #core: Core
  readonly #releases: Releases
  readonly #superblock: Superblock
  #nextSequence: number
  #batches = 0

  constructor(core: Core, releases: Releases, superblock: Superblock) {
    this.#core = core
    this.#releases = releases
    this.#superblock = superblock
    this.#nextSequence = superblock.nextSequence
  }

  async run(pages: Pages): Promise<Recovered> {
    await this.#loadCheckpoint(pages)
    const { segments, allocator } = this.#core
    const header = await this.#readHeader(segments.active)
    await segments.index(segments.active, this.#superblock.chain)
    allocator.claim(header.successor)
    const scan = new JournalScan(this.#core, this.#superblock, header, this.#core.mutations)
    for await (const found of scan.batches()) await this.#replay(found)
    const end = await scan.end()
    if (end.opened) this.#open(end.opened)
    const summary: Recovered['summary'] = {
      verdict: verdict(end, this.#superblock),
      batchesReplayed: this.#batches,
      batchesDropped: end.later.length,
    }
    await this.#releases.settle().catch(tolerateFailure)
    return { journal: this.#state(end), endLsn: end.lsn, summary }
  }

  #state(end: JournalEnd): Recovered['journal'] {
    return { successor: end.segment.successor, chain: end.chain, nextSequence: this.#nextSequence }
  }

  /** Regions first: the bitmap's units must not lie in a segment. */
  async #loadCheckpoint(pages: Pages): Promise<void> {
    const { zones, segments, allocator } = this.#core
    const bitmap: [number, Buffer][] = []
    const loaded: Segment[] = []
    await pages.load(this.#superblock.pages, (index, page) => {
      const subject = zones.pageSubject(index)
      if ('unit' in subject) return void bitmap.push([subject.unit, page])
      const segment = Segment.decodePage(page, subject.region, zones)
      if (segment) loaded.push(segment)
    })
    for (const { regions } of loaded) allocator.claim(regions)
    for (const [unit, page] of bitmap) allocator.loadPage(unit, page)
    segments.load(loaded)
    if (segments.active?.region !== this.#superblock.checkpointRegion) {
      throw new PoolError('ERR_CORRUPT', 'the checkpoint does not hold the segment that it ends in')
    }
  }

  async #readHeader(segment: Segment): Promise<SegmentHeader> {
    const { segments, zones, pool } = this.#core
    const isRight = (bytes: Buffer) => {
      const header = decodeSegmentHeader(bytes, pool)
      return header?.ordinal === segment.ordinal && header.regions[0] === segment.region
    }
    const what = `the header of segment ${segment.ordinal}`
    const block = await segments.read(segment, 0, zones.blockBytes, isRight, { every: true, what })
    if (!block) throw new PoolError('ERR_CORRUPT', `${what} is damaged`)
    return decodeSegmentHeader(block, pool)!
  }

  async #replay({ batch, opened }: ScannedBatch): Promise<void> {
    if (opened) this.#open(opened)
    const { segments } = this.#core
    const segment = segments.active
    for (const { entry } of batch.entries) {
      if (entry.sequence !== this.#nextSequence) {
        throw new PoolError('ERR_CORRUPT', `record ${entry.sequence} found where ${this.#nextSequence} was expected`)
      }
      this.#nextSequence++
    }
    segment.takeStored(batch)
    segments.touch(segment)
    for (const { entry } of batch.entries) await this.#own(entry)
    for (const { entry } of batch.entries) this.#releases.add(entry.sequence, entry.releases)
    this.#batches++
  }

  #open(header: SegmentHeader): void {
    const { segments, zones, allocator } = this.#core
    segments.keepIndex(segments.active)
    segments.push(Segment.open(header, zones))
    const { successor } = header
    const isFree = successor.every((region) => region < zones.regions && allocator.isFree(region))
    if (isFree) allocator.claim(successor)
    else throw new PoolError('ERR_CORRUPT', `segment ${header.ordinal} names a successor that is in use`)
  }

  /** Units of a payload that an earlier, prepared record owned already are owned still. */
  async #own(entry: Entry): Promise<void> {
    for (const [number, placement] of entry.payloads.entries()) {
      const inherited = entry.releases.some(({ heir }) => heir === number)
      await this.#ownPayload(placement, inherited)
    }
  }

  async #ownPayload(placement: Placement, inherited: boolean): Promise<void> {
    if (placement.form !== 'extents') return
    const { device, zones, allocator } = this.#core
    const own = (unit: number) => {
      if (!(inherited && allocator.isOwned(unit))) allocator.recover(unit)
    }
    const manifest = (unit: number) => {
      own(unit)
      return true
    }
    await visitTree(device, zones, placement, { manifest, data: own })
  }
}

/**
 * A device that fails as a whole while something is freed must not keep everything else from being read; the next
 * checkpoint halts. Of a place that cannot be read what lies there stays taken, and nothing fails.
 */
function tolerateFailure(error: unknown): void {
  if (!(error instanceof PoolError)) throw error
}
