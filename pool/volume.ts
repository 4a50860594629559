import type { Pool, Sequence } from './contract.ts'
import { hasCode, PoolError } from './errors.ts'
import { isSparse, type Overwritten, type Piece, VolumeMap } from './volume-map.ts'
import { type PendingWrite, PendingWrites } from './volume-pending.ts'
import { VolumeReader } from './volume-reader.ts'
import { encodeVolumeRecord, type VolumeEntry } from './volume-record.ts'
import {
  limitsOf,
  misshapen,
  type PieceDraft,
  piecesOf,
  VOLUME_BLOCK_BYTES,
  type VolumeExtent,
  type VolumeLimits,
} from './volume-shape.ts'

export interface VolumeWriteOptions {
  /**
   * Refuses the write with ERR_CONFLICT when a block that it overwrites was written after this sequence. Take
   * `sequence`, read, and write: what was read is still so. It may refuse, too, when a block was only moved meanwhile.
   */
  readonly unchangedSince?: Sequence
}

/** The pool by address: a range of blocks that never tear, alone or several at once. */
export interface Volume {
  readonly name: string
  readonly limits: VolumeLimits
  /** The last write that a read begun now takes into account. */
  readonly sequence: Sequence
  /**
   * Verified bytes of one moment, that of the call; zeros where nothing was written. What it shows is durable.
   * ERR_LIMITS, ERR_CORRUPT.
   */
  read(offset: number, length: number): Promise<Buffer>
  /**
   * All extents or none, whatever power loss tears, wherever the pool puts them. Durable when it resolves. The bytes
   * are the volume's until then. ERR_LIMITS for a request of another shape than `limits` say; otherwise as
   * Transaction.commit.
   */
  write(extents: readonly VolumeExtent[], options?: VolumeWriteOptions): Promise<Sequence>
  /** Resolves when every write that was begun before has ended. What was acknowledged is durable without it. */
  flush(): Promise<void>
}

/** What a volume shares with the others of its pool. */
export interface VolumeGround {
  readonly pool: Pool
  /** The directory in force. */
  readonly directory: Sequence
  /** Resolves when a write may begin. */
  ready(): Promise<void>
  /** Resolves when the pool has given out what was released. */
  reclaim(): Promise<void>
  /** A write is durable, and has left these pieces sparse. */
  written(volume: MappedVolume, sparse: readonly Piece[]): void
}

/** Times that a write is tried when the pool is full. */
const ATTEMPTS_MAX = 3

/** Refuses a write at the moment when it gets its place. */
export type Precondition = (map: VolumeMap) => void

/**
 * A volume as a map over payloads of the pool. Nothing is ever written in place: an overwrite is a new record, and
 * payloads of which no block lives any more are released by the very record that overwrote the last.
 *
 * 1. The map changes when a write is drafted, so that the next one drafted knows what is left to release.
 * 2. A read shows what the map says when it is called, and waits until that is durable.
 * 3. A record that is refused takes its changes back before another is drafted.
 */
export class MappedVolume implements Volume {
  readonly limits: VolumeLimits
  readonly pending = new PendingWrites()
  readonly map: VolumeMap
  /** As of the directory in force. */
  entry: VolumeEntry
  /** Bytes of the payload that the entry names. */
  savedBytes = 0
  #sequence: Sequence
  readonly #ground: VolumeGround
  readonly #reader: VolumeReader
  readonly #writing = new Set<Promise<Sequence>>()

  constructor(ground: VolumeGround, entry: VolumeEntry) {
    this.limits = limitsOf(entry.size, ground.pool.limits.transactionBytesMax)
    this.map = new VolumeMap(entry.size / VOLUME_BLOCK_BYTES)
    this.entry = entry
    this.#sequence = entry.through
    this.#ground = ground
    this.#reader = new VolumeReader(ground.pool, this.map, this.pending)
  }

  get name(): string {
    return this.entry.name
  }

  get sequence(): Sequence {
    return this.#sequence
  }

  /** Payload bytes that it owns. */
  get storedBytes(): number {
    return this.map.pieceBlocks * VOLUME_BLOCK_BYTES + this.savedBytes
  }

  /** The saved map is no longer the map. */
  get isDirty(): boolean {
    return this.#sequence > this.entry.through
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const { size, readBytesMax } = this.limits
    const isWithin = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0
    if (!isWithin || offset + length > size) throw misshapen(`no ${length} bytes at ${offset} in a volume of ${size}`)
    if (length > readBytesMax) throw misshapen(`a read of ${length} bytes, of ${readBytesMax} at the most`)
    this.#assertThere()
    const start = offset % VOLUME_BLOCK_BYTES
    const block = (offset - start) / VOLUME_BLOCK_BYTES
    const bytes = await this.#reader.read({ block, blocks: Math.ceil((start + length) / VOLUME_BLOCK_BYTES) })
    return bytes.subarray(start, start + length)
  }

  /** All bytes of a piece, those too that were overwritten since. ERR_NOT_FOUND once it was let go. */
  readPiece(piece: Piece): Promise<Buffer> {
    return this.#reader.readPiece(piece)
  }

  write(extents: readonly VolumeExtent[], options: VolumeWriteOptions = {}): Promise<Sequence> {
    const writing = this.#write(extents, options)
    this.#writing.add(writing)
    const ended = () => this.#writing.delete(writing)
    writing.then(ended, ended)
    return writing
  }

  async flush(): Promise<void> {
    await Promise.allSettled(this.#writing)
  }

  async #write(extents: readonly VolumeExtent[], { unchangedSince }: VolumeWriteOptions): Promise<Sequence> {
    const pieces = piecesOf(extents, this.limits)
    await this.#ground.ready()
    await this.#reader.mayChange()
    return await this.commit(pieces, (map) => {
      if (unchangedSince === undefined) return
      if (pieces.some((piece) => map.newest(piece) > unchangedSince))
        throw new PoolError('ERR_CONFLICT', `a block was written after record ${unchangedSince}`)
    })
  }

  /**
   * Writes pieces in a transaction of their own. Overwritten ones give back as much as new ones take, but only once a
   * checkpoint has let go of them: a full pool is asked for one, and tried again.
   */
  async commit(pieces: readonly PieceDraft[], precondition: Precondition): Promise<Sequence> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#commit(pieces, precondition)
      } catch (error) {
        if (!hasCode(error, 'ERR_NO_SPACE') || attempt === ATTEMPTS_MAX) throw error
        await this.#ground.reclaim()
      }
    }
  }

  async #commit(pieces: readonly PieceDraft[], precondition: Precondition): Promise<Sequence> {
    const transaction = this.#ground.pool.begin()
    const payloads = pieces.map(() => transaction.stage())
    try {
      await Promise.all(pieces.map(({ bytes }, i) => payloads[i]!.write(bytes)))
    } catch (error) {
      await transaction.abort()
      throw error
    }
    const drafted: { write?: PendingWrite; overwritten?: Overwritten } = {}
    try {
      await transaction.commit((first) => {
        this.#assertThere()
        precondition(this.map)
        const overwritten = this.take(first, pieces)
        const write = this.pending.add(first, overwritten.undo)
        Object.assign(drafted, { write, overwritten })
        const content = this.#contentOf(pieces)
        const refused = () => this.pending.withdraw(write)
        return { records: [{ content, payloads }], releases: overwritten.dead, refused }
      })
    } catch (error) {
      if (drafted.write) this.pending.withdraw(drafted.write)
      throw error
    }
    this.pending.finish(drafted.write!)
    this.#ground.written(this, drafted.overwritten!.sparse)
    return drafted.write!.sequence
  }

  #contentOf(spans: readonly PieceDraft[]): Buffer {
    const { directory } = this.#ground
    return encodeVolumeRecord({ kind: 'write', volume: this.entry.number, directory, spans })
  }

  /** Takes record `sequence` into the map, whose payloads are `spans`. */
  take(sequence: Sequence, spans: readonly { readonly block: number; readonly blocks: number }[]): Overwritten {
    const before = this.#sequence
    const pieces = spans.map(({ block, blocks }, payload) => ({ sequence, payload, block, blocks }))
    const overwritten = this.map.assign(pieces)
    this.#sequence = sequence
    const undo = () => {
      overwritten.undo()
      this.#sequence = before
    }
    return { ...overwritten, undo }
  }

  /** Pieces of which so little lives that they are better rewritten. */
  *sparsePieces(): Generator<Piece> {
    for (const piece of this.map.pieces()) if (isSparse(piece, this.map.liveBlocks(piece).length)) yield piece
  }

  #assertThere(): void {
    if (this.entry.removed) throw new PoolError('ERR_NOT_FOUND', `the volume ${this.name} was removed`)
  }
}
