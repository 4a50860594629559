import { PoolError } from './errors.ts'
import type { MappedVolume } from './volume.ts'
import { isSparse, keyOf, type Piece } from './volume-map.ts'
import { cut, type PieceDraft, type Span, VOLUME_BLOCK_BYTES } from './volume-shape.ts'

interface Waiting {
  readonly volume: MappedVolume
  readonly piece: Piece
}

/** Sparse pieces waiting from which on writes wait, too: they are not made faster than they are mended. */
export const SPARSE_PIECES_MAX = 1024
const LANES_MAX = 8

/**
 * Rewrites what lives of sparse pieces, so that these are let go: the payloads of a volume thus take no more than twice
 * what was written. When the pool has no room it waits for better times, and nobody waits for it; what it cannot
 * remember by then is seen again when the next of its blocks is overwritten, or when the volumes are opened.
 */
export class Tidy {
  readonly #waiting = new Map<string, Waiting>()
  #lanes = 0
  #isStalled = false
  #wake: (() => void)[] = []

  get count(): number {
    return this.#waiting.size
  }

  add(volume: MappedVolume, pieces: Iterable<Piece>): void {
    for (const piece of pieces) {
      if (this.#isStalled && this.#waiting.size >= SPARSE_PIECES_MAX) break
      this.#waiting.set(`${volume.entry.number}.${keyOf(piece)}`, { volume, piece })
    }
    this.#isStalled = false // A write has found room.
    for (; this.#lanes < LANES_MAX && this.#lanes < this.#waiting.size; this.#lanes++) void this.#lane()
  }

  /** Resolves when few enough are waiting. */
  async ready(): Promise<void> {
    while (this.#waiting.size >= SPARSE_PIECES_MAX && !this.#isStalled) await this.#changed()
  }

  /** Resolves when there is nothing to be done, or nothing can be. */
  async idle(): Promise<void> {
    while (this.#lanes > 0) await this.#changed()
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  async #lane(): Promise<void> {
    await null // add() counts it first.
    for (const [key, waiting] of this.#waiting) {
      if (this.#isStalled) break
      this.#waiting.delete(key)
      await this.#mend(key, waiting)
      for (const wake of this.#wake.splice(0)) wake()
    }
    this.#lanes--
    for (const wake of this.#wake.splice(0)) wake()
  }

  async #mend(key: string, waiting: Waiting): Promise<void> {
    try {
      await rewrite(waiting)
    } catch (error) {
      if (!(error instanceof PoolError)) throw error
      if (PASSED.has(error.code)) return
      this.#isStalled = true
      this.#waiting.set(key, waiting)
    }
  }
}

/** Overwritten meanwhile, or removed; or damaged, which whoever reads it is told. */
const PASSED = new Set<PoolError['code']>(['ERR_CONFLICT', 'ERR_NOT_FOUND', 'ERR_CORRUPT'])

async function rewrite({ volume, piece }: Waiting): Promise<void> {
  const { map } = volume
  const live = map.liveBlocks(piece)
  if (live.length === 0 || !isSparse(piece, live.length)) return
  const whole = await volume.readPiece(piece)
  const drafts = spansOf(live)
    .flatMap(cut)
    .map((span): PieceDraft => {
      const start = (span.block - piece.block) * VOLUME_BLOCK_BYTES
      return { ...span, bytes: whole.subarray(start, start + span.blocks * VOLUME_BLOCK_BYTES) }
    })
  await volume.commit(drafts, () => {
    if (map.liveBlocks(piece).length !== live.length)
      throw new PoolError('ERR_CONFLICT', `a block of record ${piece.sequence} was overwritten meanwhile`)
  })
}

function spansOf(blocks: readonly number[]): Span[] {
  const spans: { block: number; blocks: number }[] = []
  for (const block of blocks) {
    const last = spans.at(-1)
    if (last && last.block + last.blocks === block) last.blocks++
    else spans.push({ block, blocks: 1 })
  }
  return spans
}
