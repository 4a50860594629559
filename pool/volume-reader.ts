import type { Pool } from './contract.ts'
import { hasCode, PoolError } from './errors.ts'
import { keyOf, type Piece, type Run, type VolumeMap } from './volume-map.ts'
import type { PendingWrites } from './volume-pending.ts'
import { type Span, VOLUME_BLOCK_BYTES } from './volume-shape.ts'

/** Times that a read may be overtaken by overwrites before these wait for it. */
const ATTEMPTS_MAX = 4
/** Runs of one read that are read at once. */
const RUNS_IN_FLIGHT_MAX = 8

/**
 * Reads what the map says at one moment. While it does, a block may be overwritten and its piece released, before the
 * pool was asked for it: then all of it is read anew, as of now. A read that this happens to again and again has writes
 * wait.
 */
export class VolumeReader {
  readonly #pool: Pool
  readonly #map: VolumeMap
  readonly #pending: PendingWrites
  readonly #gates = new Set<Promise<void>>()

  constructor(pool: Pool, map: VolumeMap, pending: PendingWrites) {
    this.#pool = pool
    this.#map = map
    this.#pending = pending
  }

  /** Resolves when no read has writes wait. */
  async mayChange(): Promise<void> {
    while (this.#gates.size > 0) await Promise.all(this.#gates)
  }

  async read(span: Span): Promise<Buffer> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const bytes = await this.#attempt(span)
      if (bytes) return bytes
    }
    return await this.#readAlone(span)
  }

  /** Writes underway will end, and then nothing overtakes it. */
  async #readAlone(span: Span): Promise<Buffer> {
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    this.#gates.add(gate)
    try {
      for (;;) {
        const bytes = await this.#attempt(span)
        if (bytes) return bytes
      }
    } finally {
      this.#gates.delete(gate)
      open()
    }
  }

  /** Undefined when it was overtaken. */
  async #attempt(span: Span): Promise<Buffer | undefined> {
    const runs = this.#map.runs(span)
    const newest = runs.reduce((sequence, { piece }) => Math.max(sequence, piece.sequence), 0)
    if (!(await this.#pending.settled(newest))) return undefined
    const target = Buffer.alloc(span.blocks * VOLUME_BLOCK_BYTES)
    const left = runs.values()
    const lane = async () => {
      for (const run of left) {
        const start = (run.block - span.block) * VOLUME_BLOCK_BYTES
        if (!(await this.#fill(run, target.subarray(start, start + run.blocks * VOLUME_BLOCK_BYTES)))) return false
      }
      return true
    }
    const filled = await Promise.all(Array.from({ length: Math.min(RUNS_IN_FLIGHT_MAX, runs.length) }, lane))
    return filled.every((whole) => whole) ? target : undefined
  }

  /** All bytes of a piece. ERR_NOT_FOUND when it was released. */
  async readPiece(piece: Piece): Promise<Buffer> {
    const target = Buffer.allocUnsafe(piece.blocks * VOLUME_BLOCK_BYTES)
    await this.#copy({ piece, block: piece.block, blocks: piece.blocks }, target)
    return target
  }

  /** The bytes of a run; false when it was released meanwhile. */
  async #fill(run: Run, target: Buffer): Promise<boolean> {
    try {
      await this.#copy(run, target)
      return true
    } catch (error) {
      if (!hasCode(error, 'ERR_NOT_FOUND')) throw error
      if (this.#isStill(run)) throw missing(run)
      return false
    }
  }

  async #copy(run: Run, target: Buffer): Promise<void> {
    const { piece, block } = run
    const range = { offset: (block - piece.block) * VOLUME_BLOCK_BYTES, length: target.length }
    let filled = 0
    for await (const chunk of this.#pool.read(piece.sequence, piece.payload, range)) {
      target.set(chunk, filled)
      filled += chunk.length
    }
    if (filled !== target.length) throw missing(run)
  }

  #isStill({ piece, block }: Run): boolean {
    const there = this.#map.pieceAt(block)
    return there !== undefined && keyOf(there) === keyOf(piece)
  }
}

const missing = ({ piece, block }: Run): PoolError =>
  new PoolError(
    'ERR_CORRUPT',
    `payload ${piece.payload} of record ${piece.sequence}, which holds block ${block}, is not there`,
  )
