import { type BatchHeader, decodeBatchHeader, isDigestRight, payloadOffset } from './batch.ts'
import { decodeEntries, type StoredBatch } from './batch-walk.ts'
import { crc32c } from './checksum.ts'
import { type Device, placeOf } from './device.ts'
import type { Entry } from './entry.ts'
import { PoolError } from './errors.ts'
import { readBytes } from './io.ts'
import type { Mutations } from './mutation.ts'
import { refuse } from './refusal.ts'
import { decodeSegmentHeader, type Regions, type SegmentHeader } from './segment.ts'
import type { Segments } from './segments.ts'
import type { Superblock } from './superblock.ts'
import { unreadable } from './unreadable.ts'
import type { Zones } from './zones.ts'

/** A segment of the journal as the scan sees it. */
export type ScannedSegment = Pick<SegmentHeader, 'regions' | 'ordinal' | 'successor'>

/** A batch that was found whole, in its place in the journal. */
export interface ScannedBatch {
  readonly batch: StoredBatch
  readonly segment: ScannedSegment
  /** Set when the batch is the first of a segment that the scan has just moved on to. */
  readonly opened?: SegmentHeader
}

/** What lies after the last whole batch. */
export interface JournalEnd {
  readonly lsn: number
  readonly segment: ScannedSegment
  readonly chain: Buffer
  /** A header that the scan moved on to, after which no whole batch was found. */
  readonly opened?: SegmentHeader
  /** The block at the end begins like a batch: one was being written, or was damaged. */
  readonly torn: boolean
  readonly sealed: boolean
  /** Whole batches of this life of the journal beyond the end. */
  readonly later: readonly BatchHeader[]
}

/**
 * Reads the journal from the checkpoint on: batch after batch, segment after segment, as far as chain and epoch hold.
 * It decides nothing; verdict() does.
 *
 * Power failure may have left a batch on one copy and not on another: every copy is looked at, and those that lack what
 * is taken are mended, so that what is shown to anyone lies on all of them. Two copies that hold different batches at
 * one place, both of them whole, were written by two pools that took themselves for one.
 */
export class JournalScan {
  readonly #device: Device
  readonly #segments: Segments
  readonly #zones: Zones
  readonly #pool: Buffer
  readonly #superblock: Superblock
  readonly #mutations: Mutations
  #segment: ScannedSegment
  #block: number
  #chain: Buffer
  #epoch = 0
  #opened: SegmentHeader | undefined
  #sealed = false

  constructor(
    medium: { device: Device; zones: Zones; pool: Buffer; segments: Segments },
    superblock: Superblock,
    segment: ScannedSegment,
    mutations: Mutations,
  ) {
    this.#device = medium.device
    this.#segments = medium.segments
    this.#zones = medium.zones
    this.#pool = medium.pool
    this.#superblock = superblock
    this.#mutations = mutations
    this.#segment = segment
    this.#block = superblock.checkpointLsn - segment.ordinal * medium.zones.blocksPerSegment
    this.#chain = superblock.chain
  }

  get #lsn(): number {
    return this.#segment.ordinal * this.#zones.blocksPerSegment + this.#block
  }

  get #what(): string {
    return `the journal from position ${this.#lsn} on`
  }

  async *batches(): AsyncGenerator<ScannedBatch> {
    for (;;) {
      const found = await this.#readBatch()
      if (!found) {
        if (await this.#moveOn()) continue
        return
      }
      yield { batch: found, segment: this.#segment, ...(this.#opened ? { opened: this.#opened } : {}) }
      this.#opened = undefined
      this.#block += found.header.blocks
      this.#chain = found.header.digest
      this.#epoch = found.header.epoch
      this.#sealed = found.header.seal
    }
  }

  /** After batches() has ended. */
  async end(): Promise<JournalEnd> {
    return {
      lsn: this.#lsn,
      segment: this.#segment,
      chain: this.#chain,
      ...(this.#opened ? { opened: this.#opened } : {}),
      torn: await this.#isTorn(),
      sealed: this.#sealed,
      later: await this.#later(),
    }
  }

  async #isTorn(): Promise<boolean> {
    if (this.#block >= this.#zones.blocksPerSegment) return false
    let torn = false
    await this.#look(this.#segment.regions, this.#block, 1, (bytes) => {
      const header = this.#decode(bytes, this.#lsn)
      torn ||= header !== undefined && this.#isOfThisLife(header)
    })
    return torn
  }

  /** The batch at the current position, when it is whole and follows from the one before. */
  async #readBatch(): Promise<StoredBatch | undefined> {
    const { blocksPerSegment, blockBytes } = this.#zones
    if (this.#block >= blocksPerSegment) return undefined
    const offset = this.#block * blockBytes
    const every = !this.#mutations.has('tail-on-one-copy')
    const lengths = await this.#lengths()
    // Reading mends, and of two batches of different lengths neither may take the place of the other.
    if (lengths.length > 1) await this.#refuseFork(Math.max(...lengths))
    for (const blocks of lengths) {
      let batch: StoredBatch | undefined
      const isRight = (bytes: Buffer): boolean => {
        const header = this.#decode(bytes, this.#lsn)
        const entries = header?.blocks === blocks ? this.#wholeEntries(header, bytes, offset) : undefined
        if (!entries) return false
        batch ??= { header: header!, offset, entries, ahead: bytes }
        this.#assertSame(batch.header, header!)
        return true
      }
      await this.#segments.read(this.#segment, offset, blocks * blockBytes, isRight, { every, what: this.#what })
      if (batch) return batch
    }
    return undefined
  }

  async #refuseFork(blocksMax: number): Promise<void> {
    const { blockBytes } = this.#zones
    let first: BatchHeader | undefined
    await this.#look(this.#segment.regions, this.#block, blocksMax, (bytes) => {
      const header = this.#decode(bytes, this.#lsn)
      if (!header || !this.#wholeEntries(header, bytes.subarray(0, header.blocks * blockBytes), 0)) return
      first ??= header
      this.#assertSame(first, header)
    })
  }

  #assertSame({ digest }: BatchHeader, other: BatchHeader): void {
    if (digest.equals(other.digest)) return
    throw refuse('R25_FOREIGN', `two copies hold different batches at position ${this.#lsn}`, 'ERR_CORRUPT')
  }

  /** How long a batch at the current position is, in blocks, as its first block says; copies may say different things. */
  async #lengths(): Promise<readonly number[]> {
    const lengths = new Set<number>()
    await this.#look(this.#segment.regions, this.#block, 1, (bytes) => {
      const blocks = this.#decode(bytes, this.#lsn)?.blocks ?? 0
      if (blocks > 0 && this.#block + blocks <= this.#zones.blocksPerSegment) lengths.add(blocks)
    })
    return [...lengths]
  }

  /** The entries of a batch at `offset` of its segment, when all of it is right and follows from the one before. */
  #wholeEntries(header: BatchHeader, bytes: Buffer, offset: number): StoredBatch['entries'] | undefined {
    if (!isDigestRight(bytes, header, this.#pool) || !this.#isExpected(header)) return undefined
    const entries = decodeEntries(bytes, header, offset)
    return entries.every(({ entry }) => this.#areInlinesRight(entry, bytes, header)) ? entries : undefined
  }

  #decode(block: Buffer, lsn: number): BatchHeader | undefined {
    return decodeBatchHeader(block, lsn, this.#pool)
  }

  #isExpected(header: BatchHeader): boolean {
    if (header.superblockSerial > this.#superblock.serial) {
      throw new PoolError(
        'ERR_CORRUPT',
        `superblock ${header.superblockSerial} is lost: the newest one found is ${this.#superblock.serial}`,
      )
    }
    return this.#isEpochRight(header.lsn, header.epoch) && this.#isChained(header.previous)
  }

  /** The superblock of an epoch is flushed before anything of that epoch is written, so a later one is no leftover. */
  #assertNotNewer(epoch: number): void {
    const { epoch: current } = this.#superblock
    if (epoch <= current || this.#mutations.has('naive-epoch') || this.#mutations.has('no-epoch')) return
    throw new PoolError(
      'ERR_CORRUPT',
      `the superblock of epoch ${epoch} is lost: the newest one found is of ${current}`,
    )
  }

  #isChained(previous: Buffer): boolean {
    return previous.equals(this.#chain) || this.#mutations.has('no-chain')
  }

  /**
   * What was written before the last opening may be of any earlier life, in order; what came after is of the one that
   * the superblock tells, and anything else is a leftover.
   */
  #isEpochRight(lsn: number, epoch: number): boolean {
    const { epoch: current, epochStartLsn } = this.#superblock
    if (this.#mutations.has('no-epoch')) return true
    if (this.#mutations.has('naive-epoch')) return epoch >= current
    return lsn >= epochStartLsn ? epoch === current : epoch >= this.#epoch && epoch <= current
  }

  #areInlinesRight(entry: Entry, bytes: Buffer, header: BatchHeader): boolean {
    const { unitBytes } = this.#zones
    const start = payloadOffset(header.entryBytes)
    return entry.payloads.every((placement) => {
      if (placement.form !== 'inline') return true
      const payload = bytes.subarray(start + placement.offset, start + placement.offset + placement.length)
      if (payload.length !== placement.length) return false
      return placement.checksums.every(
        (checksum, i) => crc32c(payload.subarray(i * unitBytes, (i + 1) * unitBytes)) === checksum,
      )
    })
  }

  /** The journal goes on in the successor when its header says so. */
  async #moveOn(): Promise<boolean> {
    const header = await this.#readSuccessor()
    if (!header || !this.#isChained(header.previous)) return false
    this.#segment = header
    this.#opened = header
    this.#block = 1
    return true
  }

  async #readSuccessor(): Promise<SegmentHeader | undefined> {
    return await this.#readHeader(this.#segment.successor, this.#segment.ordinal + 1)
  }

  /** The header of segment `ordinal` of this life, when `region` holds it. */
  async #readHeader(regions: Regions, ordinal: number): Promise<SegmentHeader | undefined> {
    const { blocksPerSegment, blockBytes } = this.#zones
    if (regions.some((region) => region >= this.#zones.regions)) return undefined
    let found: SegmentHeader | undefined
    const isRight = (bytes: Buffer): boolean => {
      const header = decodeSegmentHeader(bytes, this.#pool)
      const matches = header?.ordinal === ordinal && header.regions[0] === regions[0] && !header.compacted
      if (matches) this.#assertNotNewer(header.epoch)
      if (!matches || !this.#isEpochRight(ordinal * blocksPerSegment, header.epoch)) return false
      found ??= header
      return true
    }
    await this.#segments.read({ regions }, 0, blockBytes, isRight, { every: true, what: this.#what, mayLack: true })
    return found
  }

  /** Whole batches beyond the end, of this life: in the rest of the segment and in its successor. */
  async #later(): Promise<BatchHeader[]> {
    const later = await this.#whole(this.#segment, this.#block + 1)
    const successor = await this.#readSuccessor()
    return [...later, ...(successor ? await this.#whole(successor, 1) : await this.#laterWithoutHeader())]
  }

  /**
   * The same in a successor whose header is lost. If power failed while it was opened, nothing in it was acknowledged;
   * but a header may rot, too, long after. Its first batch tells them apart from leftovers, for it follows from the end.
   * Where the journal went on from there only the header knew, so every region is asked.
   */
  async #laterWithoutHeader(): Promise<BatchHeader[]> {
    const { successor, ordinal } = this.#segment
    const { blocksPerSegment, regions } = this.#zones
    if (successor.some((region) => region >= regions)) return []
    let follows = false
    await this.#look(successor, 1, 1, (bytes) => {
      const first = this.#decode(bytes, (ordinal + 1) * blocksPerSegment + 1)
      follows ||= first !== undefined && this.#isOfThisLife(first) && this.#isChained(first.previous)
    })
    if (!follows) return []
    const later = await this.#whole({ regions: successor, ordinal: ordinal + 1 }, 1)
    for (let region = 0; region < regions; region++) {
      const header = await this.#readHeader([region], ordinal + 2)
      if (header) later.push(...(await this.#whole(header, 1)))
    }
    return later
  }

  async #whole(segment: Omit<ScannedSegment, 'successor'>, from: number): Promise<BatchHeader[]> {
    const { blocksPerSegment, blockBytes } = this.#zones
    const found = new Map<number, BatchHeader>()
    if (from >= blocksPerSegment) return []
    await this.#look(segment.regions, from, blocksPerSegment - from, (bytes) => {
      for (let block = from; block < blocksPerSegment; block++) {
        const rest = bytes.subarray((block - from) * blockBytes)
        const header = this.#decode(rest.subarray(0, blockBytes), segment.ordinal * blocksPerSegment + block)
        if (header && this.#isOfThisLife(header) && isDigestRight(rest, header, this.#pool)) found.set(block, header)
      }
    })
    return [...found.values()]
  }

  #isOfThisLife(header: BatchHeader): boolean {
    return this.#isEpochRight(header.lsn, header.epoch)
  }

  /**
   * Shows each copy of some blocks, whatever is in them; one that cannot be read only when it is the only one. If a leg
   * is lost meanwhile the copies have other numbers, and all are shown again.
   */
  async #look(regions: Regions, block: number, blocks: number, see: (bytes: Buffer) => void): Promise<void> {
    const { copies } = this.#device
    try {
      await this.#lookOnce(regions, block, blocks, see)
    } catch (error) {
      if (this.#device.copies === copies) throw error
    }
    if (this.#device.copies !== copies) await this.#look(regions, block, blocks, see)
  }

  async #lookOnce(regions: Regions, block: number, blocks: number, see: (bytes: Buffer) => void): Promise<void> {
    const { blockBytes } = this.#zones
    let failure: unknown
    let seen = 0
    for (const region of regions) {
      for (let copy = 0; copy < this.#device.copies; copy++) {
        const offset = this.#zones.regionOffset(region) + block * blockBytes
        const bytes = await readBytes(this.#device, offset, blocks * blockBytes, copy).catch((error: unknown) => {
          failure = unreadable(this.#what, placeOf(this.#device, offset, copy), blocks * blockBytes, error)
        })
        if (bytes) see(bytes)
        if (bytes) seen++
      }
    }
    if (seen === 0) throw failure
  }
}
