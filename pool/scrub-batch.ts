import { BATCH_HEADER_BYTES, type BatchHeader, decodeBatchHeader, isDigestRight, payloadOffset } from './batch.ts'
import { decodeEntries } from './batch-walk.ts'
import { crc32c } from './checksum.ts'
import type { Sequence } from './contract.ts'
import { checkEntry, decodeEntry, type Entry, type InlinePlacement } from './entry.ts'
import { Copies, type Part, type ScrubGround } from './scrub-copies.ts'
import { kindOfBlocks, type Structure } from './scrub-kind.ts'
import type { ScrubKind } from './scrub-report.ts'
import type { Segment } from './segment.ts'

/** A batch as it was found: what of it can be read, and where the next one begins. */
export interface ScrubbedBatch {
  /** Undefined when no copy has a header that could be of this place. */
  readonly header: BatchHeader | undefined
  readonly isRight: boolean
  /** All of its entries; of a damaged one those before the first that is damaged. */
  readonly entries: readonly Entry[]
  readonly nextBlock: number
  readonly nextSequence: Sequence
}

/** Tells of a payload, by its number in its entry and in the batch, whether it may be lost without anybody's noticing. */
export type IsSpare = (entry: Entry, payload: number, number: number) => boolean

/**
 * Verifies one batch after the other in every run and copy of a segment: header and entries together, and each piece
 * of each inline payload.
 *
 * Where copies hold different batches, all of them whole, the newest is the right one: the others are what was there
 * before, left by a write that got lost.
 */
export class BatchScrub {
  readonly #ground: ScrubGround

  constructor(ground: ScrubGround) {
    this.#ground = ground
  }

  /** `next` is the first record that is expected in it. */
  async run(segment: Segment, block: number, next: Sequence, isSpare: IsSpare): Promise<ScrubbedBatch> {
    const header = await this.#header(segment, block)
    if (!header) return await this.#lost(segment, block, next)
    const { zones } = this.#ground.core
    const copies = new Copies(this.#ground, this.#offsets(segment, block), header.blocks * zones.blockBytes)
    await copies.load()
    const bytes = copies.verify(this.#whole(segment, block, header))
    const entries = bytes ? decodeEntries(bytes, header).map(({ entry }) => entry) : readableIn(copies, header)
    if (bytes) this.#verifyInlines(copies, { segment, block, header, entries, isSpare })
    await copies.repair()
    const nextSequence = header.firstSequence + header.entries
    return { header, isRight: bytes !== undefined, entries, nextBlock: block + header.blocks, nextSequence }
  }

  /** What the copies have for a header: the newest. An older one of this place was left by a write that got lost. */
  async #header(segment: Segment, block: number): Promise<BatchHeader | undefined> {
    const copies = await this.#look(segment, block)
    const headers = copies.contents.flatMap((bytes) => this.#decode(segment, block, bytes) ?? [])
    return headers.sort((a, b) => b.epoch - a.epoch || b.superblockSerial - a.superblockSerial)[0]
  }

  async #look(segment: Segment, block: number): Promise<Copies> {
    const copies = new Copies(this.#ground, this.#offsets(segment, block), this.#ground.core.zones.blockBytes)
    await copies.load({ counts: false })
    return copies
  }

  #decode(segment: Segment, block: number, bytes: Buffer): BatchHeader | undefined {
    const { zones, pool } = this.#ground.core
    const header = decodeBatchHeader(bytes, segment.ordinal * zones.blocksPerSegment + block, pool)
    return header && header.blocks > 0 && block + header.blocks <= segment.blocks ? header : undefined
  }

  #offsets({ regions }: Segment, block: number): number[] {
    const { zones } = this.#ground.core
    return regions.map((region) => zones.regionOffset(region) + block * zones.blockBytes)
  }

  /** Header and entries, which one digest covers. */
  #whole(segment: Segment, block: number, header: BatchHeader): Part {
    const { pool } = this.#ground.core
    return {
      start: 0,
      length: BATCH_HEADER_BYTES + header.entryBytes,
      about: { subject: 'batch', ...recordsOf(header.firstSequence, header.entries) },
      isRight: (bytes) => {
        const found = this.#decode(segment, block, bytes)
        return !!found?.digest.equals(header.digest) && isDigestRight(bytes, found, pool)
      },
      kindOf: (bytes) => this.#kindOf(segment, block, bytes, header),
    }
  }

  /** `own` is the batch that belongs there, when it is known. */
  #kindOf(segment: Segment, place: number, bytes: Buffer, own?: BatchHeader): ScrubKind {
    const { pool, zones } = this.#ground.core
    const { blockBytes, blocksPerSegment } = zones
    const judge = (structure: Structure, block: number): ScrubKind | undefined => {
      if (structure.what !== 'batch') return 'misdirected'
      const lsn = segment.ordinal * blocksPerSegment + place + block
      if (structure.lsn === lsn && block === 0) {
        const header = decodeBatchHeader(bytes, lsn, pool)
        const isOwn = own !== undefined && header?.digest.equals(own.digest)
        return header && !isOwn && isDigestRight(bytes, header, pool) ? 'stale' : undefined
      }
      return structure.lsn <= lsn && structure.lsn % blocksPerSegment === place + block ? 'stale' : 'misdirected'
    }
    return kindOfBlocks(bytes, { pool, blockBytes }, judge)
  }

  #verifyInlines(copies: Copies, { segment, block, header, entries, isSpare }: VerifiedBatch): void {
    const { unitBytes } = this.#ground.core.zones
    let number = 0
    for (const entry of entries) {
      for (const [payload, placement] of entry.payloads.entries()) {
        const spare = isSpare(entry, payload, number++)
        if (placement.form !== 'inline') continue
        const start = payloadOffset(header.entryBytes) + placement.offset
        for (const { checksum, ...range } of piecesOf(placement, unitBytes)) {
          copies.verify({
            start: start + range.offset,
            length: range.length,
            about: { subject: 'inline', sequence: entry.sequence, payload, ...range },
            isRight: (bytes) => crc32c(bytes) === checksum,
            kindOf: (bytes, first) => this.#kindOf(segment, block + first, bytes, header),
            isSpare: spare,
          })
        }
      }
    }
  }

  /** Nothing tells how long it was: the next batch is looked for, which its position tells from anything else. */
  async #lost(segment: Segment, block: number, expected: Sequence): Promise<ScrubbedBatch> {
    const { zones } = this.#ground.core
    let next = block + 1
    let following: BatchHeader | undefined
    for (; next < segment.blocks; next++) {
      following = await this.#header(segment, next)
      if (following) break
    }
    const nextSequence = following?.firstSequence ?? segment.nextSequence
    const copies = await this.#look(segment, block)
    copies.verify({
      start: 0,
      length: zones.blockBytes,
      about: { subject: 'batch', ...recordsOf(expected, nextSequence - expected) },
      isRight: () => false,
      kindOf: (bytes) => this.#kindOf(segment, block, bytes),
    })
    await copies.repair()
    return { header: undefined, isRight: false, entries: [], nextBlock: next, nextSequence }
  }
}

interface VerifiedBatch {
  readonly segment: Segment
  readonly block: number
  readonly header: BatchHeader
  readonly entries: readonly Entry[]
  readonly isSpare: IsSpare
}

/** A batch may hold nothing: it seals what came before. */
const recordsOf = (sequence: number, records: number) => (records > 0 ? { sequence, records } : {})

function* piecesOf({ length, checksums }: InlinePlacement, unitBytes: number) {
  for (const [i, checksum] of checksums.entries()) {
    const offset = i * unitBytes
    yield { offset, length: Math.min(unitBytes, length - offset), checksum }
  }
}

/** Of a damaged batch, the entries that the best copy has. */
function readableIn({ contents }: Copies, header: BatchHeader): readonly Entry[] {
  const readable = contents.map((bytes) => entriesBefore(bytes, header))
  return readable.reduce((most, some) => (some.length > most.length ? some : most))
}

/** The entries of a batch up to the first that is damaged. */
function entriesBefore(bytes: Buffer, header: BatchHeader): Entry[] {
  const entries: Entry[] = []
  for (let at = BATCH_HEADER_BYTES; entries.length < header.entries; ) {
    const length = checkEntry(bytes, at)
    const entry = length === undefined ? undefined : decodeEntry(bytes, at)
    if (entry?.sequence !== header.firstSequence + entries.length) break
    entries.push(entry)
    at += length!
  }
  return entries
}
