import { type BatchHeader, decodeBatchHeader, isDigestRight, payloadOffset } from './batch.ts'
import { crc32c } from './checksum.ts'
import type { Device } from './device.ts'
import type { Entry } from './entry.ts'
import { PoolError } from './errors.ts'
import { readBytes } from './io.ts'
import type { Mutations } from './mutation.ts'
import { decodeSegmentHeader, type SegmentHeader } from './segment.ts'
import { decodeEntries, type StoredBatch } from './segments.ts'
import type { Superblock } from './superblock.ts'
import { regionOffset, type Zones } from './zones.ts'

/** A segment of the journal as the scan sees it. */
export type ScannedSegment = Pick<SegmentHeader, 'region' | 'ordinal' | 'successor'>

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
 */
export class JournalScan {
  readonly #device: Device
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
    medium: { device: Device; zones: Zones; pool: Buffer },
    superblock: Superblock,
    segment: ScannedSegment,
    mutations: Mutations,
  ) {
    this.#device = medium.device
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
    const header = this.#decode(await this.#read(this.#segment.region, this.#block, 1), this.#lsn)
    return header !== undefined && this.#isOfThisLife(header)
  }

  /** The batch at the current position, when it is whole and follows from the one before. */
  async #readBatch(): Promise<StoredBatch | undefined> {
    const { blocksPerSegment, blockBytes } = this.#zones
    if (this.#block >= blocksPerSegment) return undefined
    const head = await this.#read(this.#segment.region, this.#block, 1)
    const header = this.#decode(head, this.#lsn)
    if (!header || this.#block + header.blocks > blocksPerSegment) return undefined
    const bytes = header.blocks === 1 ? head : await this.#read(this.#segment.region, this.#block, header.blocks)
    if (!isDigestRight(bytes, header, this.#pool) || !this.#isExpected(header)) return undefined
    const entries = decodeEntries(bytes, header, this.#block * blockBytes)
    if (!entries.every(({ entry }) => this.#areInlinesRight(entry, bytes, header))) return undefined
    return { header, offset: this.#block * blockBytes, entries }
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
  async #readHeader(region: number, ordinal: number): Promise<SegmentHeader | undefined> {
    const { blocksPerSegment, regions } = this.#zones
    if (region >= regions) return undefined
    const header = decodeSegmentHeader(await this.#read(region, 0, 1), this.#pool)
    const matches = header?.ordinal === ordinal && header.region === region && !header.compacted
    return matches && this.#isEpochRight(ordinal * blocksPerSegment, header.epoch) ? header : undefined
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
    if (successor >= regions) return []
    const first = this.#decode(await this.#read(successor, 1, 1), (ordinal + 1) * blocksPerSegment + 1)
    if (!first || !this.#isOfThisLife(first) || !this.#isChained(first.previous)) return []
    const later = await this.#whole({ region: successor, ordinal: ordinal + 1 }, 1)
    for (let region = 0; region < regions; region++) {
      const header = await this.#readHeader(region, ordinal + 2)
      if (header) later.push(...(await this.#whole(header, 1)))
    }
    return later
  }

  async #whole(segment: Omit<ScannedSegment, 'successor'>, from: number): Promise<BatchHeader[]> {
    const { blocksPerSegment, blockBytes } = this.#zones
    const found: BatchHeader[] = []
    if (from >= blocksPerSegment) return found
    const bytes = await this.#read(segment.region, from, blocksPerSegment - from)
    for (let block = from; block < blocksPerSegment; block++) {
      const rest = bytes.subarray((block - from) * blockBytes)
      const header = this.#decode(rest.subarray(0, blockBytes), segment.ordinal * blocksPerSegment + block)
      if (!header || !this.#isOfThisLife(header) || !isDigestRight(rest, header, this.#pool)) continue
      found.push(header)
    }
    return found
  }

  #isOfThisLife(header: BatchHeader): boolean {
    return this.#isEpochRight(header.lsn, header.epoch)
  }

  async #read(region: number, block: number, blocks: number): Promise<Buffer> {
    const { blockBytes } = this.#zones
    return await readBytes(this.#device, regionOffset(this.#zones, region) + block * blockBytes, blocks * blockBytes)
  }
}
