import { BATCH_HEADER_BYTES, type BatchHeader, decodeBatchHeader, isDigestRight } from './batch.ts'
import type { PlacedEntry } from './batch-builder.ts'
import type { Sequence } from './contract.ts'
import { checkEntry, decodeEntry, entryChecksum } from './entry.ts'
import { isUnreadable, PoolError } from './errors.ts'
import type { ReadRightOptions } from './read-right.ts'
import { decodeSegmentHeader, type Segment, type SegmentHeader } from './segment.ts'
import type { BatchPlace } from './segment-index.ts'
import type { Zones } from './zones.ts'

/** A batch of a segment's durable part, with its entries decoded. `offset` is from the segment's start. */
export interface StoredBatch {
  readonly header: BatchHeader
  readonly offset: number
  /** Entries, and where each lies from the segment's start. */
  readonly entries: readonly PlacedEntry[]
  /** What lies from its start on, as far as it was read together with it; nothing behind its entries is verified. */
  readonly ahead: Buffer
}

/** Where the batches of a segment are read, and the segments beside it. */
export interface WalkGround {
  readonly zones: Zones
  readonly pool: Buffer
  readonly all: readonly Segment[]
  readAhead(segment: Segment, block: number, end: number): Promise<Buffer>
  read(
    segment: Pick<Segment, 'regions'>,
    offset: number,
    length: number,
    isRight: (bytes: Buffer) => boolean,
    options?: ReadRightOptions,
  ): Promise<Buffer | undefined>
}

/** Where a batch begins, and what it must be to follow from the one before; undefined where that is not known. */
interface Place {
  readonly block: number
  readonly previous: Buffer | undefined
  readonly sequence: Sequence | undefined
  /** Of its first entry. */
  readonly checksum?: number
}

/** A batch that is whole and fits what came before it, and what mends the copies that are not it. */
interface Found {
  readonly batch: StoredBatch
  readonly mends: readonly (() => Promise<void>)[]
}

/** With the batch that follows, when it is whole. */
interface Settled extends Found {
  readonly next: Found | undefined
}

/**
 * The batches of one segment, in order. A batch that a write has failed to replace is whole, too, so its checksum does
 * not tell that it is the one that belongs there:
 *
 * 1. It follows from the one before: by its digest, and by the number of its first record. Where the walk begins with a
 *    batch that the offset table knows, its first record tells that it is the one, by its number and its checksum.
 * 2. What comes after follows from it: the next batch, or the segment that follows, or what the caller knows.
 * 3. One that fits before but not after gives way to another copy's that does; where there is none it is refused. Where
 *    nothing after it is whole, the newest that fits is taken.
 * 4. No copy is mended from a batch before that is settled: what it would overwrite may be the right one.
 */
export class BatchWalk {
  readonly #ground: WalkGround
  readonly #segment: Segment
  readonly #end: number
  readonly #nextSequence: Sequence
  #last: Buffer | undefined
  /** What was read ahead, and its first block. */
  #ahead: { readonly block: number; readonly bytes: Buffer } = { block: 0, bytes: Buffer.alloc(0) }

  /** `last` is the digest of its last batch, for whoever knows it. */
  constructor(ground: WalkGround, segment: Segment, last?: Buffer) {
    this.#ground = ground
    this.#segment = segment
    this.#end = segment.blocks
    this.#nextSequence = segment.nextSequence
    this.#last = last
  }

  /** From the batch in block `from` on. ERR_CORRUPT names the block of one that is lost. */
  batches(from = 1): AsyncGenerator<StoredBatch> {
    const sequence = from === 1 ? this.#segment.firstSequence : undefined
    return this.#walk({ block: from, previous: undefined, sequence })
  }

  /** From a batch on whose place is known. */
  batchesFrom({ offset, record, checksum }: BatchPlace): AsyncGenerator<StoredBatch> {
    const block = offset / this.#ground.zones.blockBytes
    return this.#walk({ block, previous: undefined, sequence: this.#segment.firstSequence + record, checksum })
  }

  async *#walk(from: Place): AsyncGenerator<StoredBatch> {
    if (from.block >= this.#end) return
    this.#last ??= (await this.#headerAfter())?.previous
    let place = from
    let found: Found | undefined
    while (place.block < this.#end) {
      const { batch, mends, next } = await this.#settled(place, found)
      for (const mend of mends) await mend()
      yield batch
      place = this.#after(batch)
      found = next
    }
  }

  /** The header of the segment that the journal went on in. A compacted one is a chain of its own. */
  async #headerAfter(): Promise<SegmentHeader | undefined> {
    const { ordinal, compacted } = this.#segment
    const next = this.#ground.all.find((one) => one.ordinal === ordinal + 1)
    return compacted || !next || next.compacted ? undefined : await this.#header(next)
  }

  /** The newest that any copy has; undefined when there is none, for the batches can be told without it. */
  async #header(segment: Segment): Promise<SegmentHeader | undefined> {
    const { zones, pool } = this.#ground
    let newest: SegmentHeader | undefined
    const look = (bytes: Buffer): boolean => {
      const header = decodeSegmentHeader(bytes, pool)
      const isIts = header?.ordinal === segment.ordinal && header.firstSequence === segment.firstSequence
      if (isIts && header.epoch > (newest?.epoch ?? -1)) newest = header
      return isIts
    }
    await this.#ground
      .read(segment, 0, zones.blockBytes, look, { every: true, defer: () => {} })
      .catch(unlessUnreadable)
    return newest
  }

  /**
   * The batch that belongs at `place`: the first that fits and from which follows what comes after, or else the newest.
   */
  async #settled(place: Place, ahead: Found | undefined): Promise<Settled> {
    const fitting: Found[] = []
    for (let found = ahead ?? (await this.#find(place)); found; found = await this.#other(place, fitting)) {
      const isLast = this.#after(found.batch).block >= this.#end
      const next = isLast ? undefined : await this.#find(this.#after(found.batch)).catch(unlessUnreadable)
      if (isLast ? this.#isLast(found.batch) : next) return { ...found, next }
      fitting.push(found)
    }
    const [newest] = fitting.sort((a, b) => compareAge(b.batch.header, a.batch.header))
    if (!newest) throw this.#corrupt(place.block, 'no whole batch that follows from the one before lies')
    for (const { batch } of fitting) {
      if (await this.#isContradicted(batch))
        throw this.#corrupt(place.block, 'what follows is not of the batch that lies')
    }
    return { ...newest, mends: [], next: undefined }
  }

  async #other(place: Place, known: readonly Found[]): Promise<Found | undefined> {
    const digests = known.map(({ batch }) => batch.header.digest)
    return await this.#find(place, digests).catch(unlessUnreadable)
  }

  async #isContradicted(batch: StoredBatch): Promise<boolean> {
    const { block } = this.#after(batch)
    if (block >= this.#end) return !this.#isLast(batch)
    const any: Place = { block, previous: undefined, sequence: undefined }
    return (await this.#find(any).catch(unlessUnreadable)) !== undefined
  }

  #isLast({ header: { digest, firstSequence, entries } }: StoredBatch): boolean {
    return firstSequence + entries === this.#nextSequence && (this.#last?.equals(digest) ?? true)
  }

  #after({ header: { digest, blocks, firstSequence, entries }, offset }: StoredBatch): Place {
    const block = offset / this.#ground.zones.blockBytes + blocks
    return { block, previous: digest, sequence: firstSequence + entries }
  }

  /** A batch that is whole and fits `place`, and is none of `others`; undefined when no copy has one. */
  async #find(place: Place, others: readonly Buffer[] = []): Promise<Found | undefined> {
    const { zones, pool } = this.#ground
    const ahead = others.length === 0 ? await this.#readAhead(place) : undefined
    if (ahead) return { batch: ahead, mends: [] }
    const offset = place.block * zones.blockBytes
    const passed = [...others]
    for (;;) {
      const mends: (() => Promise<void>)[] = []
      const options: ReadRightOptions = { defer: (mend) => mends.push(mend) }
      const isHead = (bytes: Buffer): boolean => {
        const header = this.#decode(bytes, place)
        if (!header || passed.some((digest) => digest.equals(header.digest))) return false
        return bytesOf(header) > bytes.length || isDigestRight(bytes, header, pool)
      }
      const head = await this.#ground.read(this.#segment, offset, zones.blockBytes, isHead, options)
      const header = head && this.#decode(head, place)
      if (!header) return undefined
      const isIt = (bytes: Buffer): boolean =>
        this.#decode(bytes, place)?.digest.equals(header.digest) === true && isDigestRight(bytes, header, pool)
      const bytes =
        bytesOf(header) <= head.length
          ? head
          : await this.#ground.read(this.#segment, offset, bytesOf(header), isIt, options)
      if (bytes) return { batch: this.#batchOf(bytes, header, place), mends }
      passed.push(header.digest)
    }
  }

  /** From the first copy; what is wrong there, or not whole, is read alone and from every copy. */
  async #readAhead(place: Place): Promise<StoredBatch | undefined> {
    const known = this.#wholeIn(place)
    if (known) return known
    const bytes = await this.#ground.readAhead(this.#segment, place.block, this.#end)
    this.#ahead = { block: place.block, bytes }
    return this.#wholeIn(place)
  }

  #wholeIn(place: Place): StoredBatch | undefined {
    const { zones, pool } = this.#ground
    if (place.block < this.#ahead.block) return undefined
    const bytes = this.#ahead.bytes.subarray((place.block - this.#ahead.block) * zones.blockBytes)
    const header = this.#decode(bytes, place)
    const isRight = header && isDigestRight(bytes, header, pool)
    return isRight ? this.#batchOf(bytes.subarray(0, header.blocks * zones.blockBytes), header, place) : undefined
  }

  #batchOf(bytes: Buffer, header: BatchHeader, { block }: Place): StoredBatch {
    const offset = block * this.#ground.zones.blockBytes
    return { header, offset, entries: decodeEntries(bytes, header, offset), ahead: bytes }
  }

  #decode(bytes: Buffer, { block, previous, sequence, checksum }: Place): BatchHeader | undefined {
    const { zones, pool } = this.#ground
    const header = decodeBatchHeader(bytes, this.#segment.ordinal * zones.blocksPerSegment + block, pool)
    if (!header || header.blocks === 0 || block + header.blocks > this.#end) return undefined
    const isExpected =
      (previous === undefined || header.previous.equals(previous)) &&
      (sequence === undefined || header.firstSequence === sequence) &&
      (checksum === undefined || entryChecksum(bytes, BATCH_HEADER_BYTES) === checksum)
    return isExpected ? header : undefined
  }

  #corrupt(block: number, problem: string): PoolError {
    return new PoolError('ERR_CORRUPT', `${problem} in block ${block} of segment ${this.#segment.ordinal}`)
  }
}

const bytesOf = ({ entryBytes }: BatchHeader): number => BATCH_HEADER_BYTES + entryBytes

const compareAge = (one: BatchHeader, other: BatchHeader): number =>
  one.epoch - other.epoch || one.superblockSerial - other.superblockSerial

/** What cannot be read is looked for no further. */
function unlessUnreadable(error: unknown): undefined {
  if (!isUnreadable(error)) throw error
}

/** The entries of a batch whose digest is right. */
export function decodeEntries(bytes: Buffer, header: BatchHeader, offset = 0): StoredBatch['entries'] {
  const entries: PlacedEntry[] = []
  let at = BATCH_HEADER_BYTES
  for (let i = 0; i < header.entries; i++) {
    const length = checkEntry(bytes, at)
    if (length === undefined) throw new PoolError('ERR_CORRUPT', `entry ${i} of batch ${header.lsn} is damaged`)
    const checksum = entryChecksum(bytes, at)
    entries.push({ entry: decodeEntry(bytes, at), offset: offset + at, bytes: length, checksum })
    at += length
  }
  return entries
}
