import assert from 'node:assert/strict'
import type { Release, Sequence } from './contract.ts'
import { GROUP_BLOCKS, PIECES_MAX, type Span } from './volume-shape.ts'

/** A payload of a record, with the blocks of a volume that it was written for; some may have been overwritten since. */
export interface Piece extends Span, Release {}

/** Blocks that one piece holds, one after the other. */
export interface Run extends Span {
  readonly piece: Piece
}

/** What became of earlier pieces, and the way back. */
export interface Overwritten {
  /** None of their blocks lives. */
  readonly dead: readonly Piece[]
  /** Fewer than half do. */
  readonly sparse: readonly Piece[]
  undo(): void
}

const PAGE_BLOCKS = 4096
const WORDS = 2
/** A page as it is saved: u32 number | u32 0 | the place of each block. */
export const PAGE_BYTES = 8 + PAGE_BLOCKS * WORDS * 4
const HIGH = 2 ** 32
const SEQUENCE_MAX = 2 ** 44 - 1

/** What the map of a volume of `blocks` takes in memory, and saved, when every block was written. */
export const mapBytesOf = (blocks: number): number => Math.ceil(blocks / PAGE_BLOCKS) * PAGE_BYTES

/**
 * Where each block of a volume is. It takes 8 bytes for each, in pages that are there once one of their blocks is:
 *
 *   u32 the sequence's lower 32 bits (0 and 0: never written)
 *   u32 the sequence's upper 12 bits << 20 | payload << 8 | the block's place in its piece << 4 | blocks of the piece − 1
 *
 * 1. A piece lies within one group of 16 blocks, so what is left of it is seen by looking at these.
 * 2. What was written last counts; taking writes in the order of their sequences makes the same map again.
 */
export class VolumeMap {
  readonly #blocks: number
  readonly #pages: (Uint32Array | undefined)[]
  #written = 0
  #pieceBlocks = 0

  constructor(blocks: number) {
    this.#blocks = blocks
    this.#pages = new Array<Uint32Array | undefined>(Math.ceil(blocks / PAGE_BLOCKS)).fill(undefined)
  }

  /** Blocks that hold something. */
  get written(): number {
    return this.#written
  }

  /** Blocks of all pieces of which one lives. */
  get pieceBlocks(): number {
    return this.#pieceBlocks
  }

  /** These pieces hold their blocks from now on. */
  assign(pieces: readonly Piece[]): Overwritten {
    const touched = new Map<string, Piece>()
    const steps: (() => void)[] = []
    for (const piece of pieces) {
      for (const old of this.#piecesOf(piece)) touched.set(keyOf(old), old)
      steps.push(this.#put(piece))
    }
    const left = [...touched.values()].map((piece) => ({ piece, blocks: this.liveBlocks(piece).length }))
    const dead = left.filter(({ blocks }) => blocks === 0).map(({ piece }) => piece)
    const sparse = left.filter((old) => old.blocks > 0 && isSparse(old.piece, old.blocks)).map(({ piece }) => piece)
    const grown = blocksIn(pieces) - blocksIn(dead)
    this.#pieceBlocks += grown
    const undo = () => {
      for (const step of steps.reverse()) step()
      this.#pieceBlocks -= grown
    }
    return { dead, sparse, undo }
  }

  /** The runs that hold blocks of `span`, in order; what lies between them was never written. */
  runs({ block, blocks }: Span): Run[] {
    const runs: { piece: Piece; block: number; blocks: number }[] = []
    for (let next = block; next < block + blocks; next++) {
      const piece = this.pieceAt(next)
      const last = runs.at(-1)
      if (last && piece && last.block + last.blocks === next && keyOf(last.piece) === keyOf(piece)) last.blocks++
      else if (piece) runs.push({ piece, block: next, blocks: 1 })
    }
    return runs
  }

  /** The sequence of the last write to a block of `span`; 0 when there was none. */
  newest({ block, blocks }: Span): Sequence {
    let newest = 0
    for (let i = 0; i < blocks; i++) newest = Math.max(newest, this.pieceAt(block + i)?.sequence ?? 0)
    return newest
  }

  pieceAt(block: number): Piece | undefined {
    const page = this.#pages[Math.floor(block / PAGE_BLOCKS)]
    if (!page) return undefined
    const at = (block % PAGE_BLOCKS) * WORDS
    const low = page[at]!
    const high = page[at + 1]!
    if (low === 0 && high === 0) return undefined
    const sequence = (high >>> 20) * HIGH + low
    return { sequence, payload: (high >>> 8) & 0xfff, block: block - ((high >>> 4) & 15), blocks: (high & 15) + 1 }
  }

  /** The blocks that `piece` still holds. */
  liveBlocks(piece: Piece): number[] {
    const live: number[] = []
    for (let block = piece.block; block < piece.block + piece.blocks; block++) {
      const there = this.pieceAt(block)
      if (there && keyOf(there) === keyOf(piece)) live.push(block)
    }
    return live
  }

  /** Every piece of which a block lives. */
  *pieces(): Generator<Piece> {
    for (const number of this.pageNumbers()) {
      for (let group = 0; group < PAGE_BLOCKS; group += GROUP_BLOCKS) {
        yield* this.#piecesOf({ block: number * PAGE_BLOCKS + group, blocks: GROUP_BLOCKS })
      }
    }
  }

  *pageNumbers(): Generator<number> {
    for (const [number, page] of this.#pages.entries()) if (page) yield number
  }

  encodePage(number: number): Buffer {
    const bytes = Buffer.alloc(PAGE_BYTES)
    bytes.writeUInt32LE(number, 0)
    const page = this.#pages[number]!
    for (let i = 0; i < page.length; i++) bytes.writeUInt32LE(page[i]!, 8 + i * 4)
    return bytes
  }

  /** Takes a saved page. False when it is none of this volume. */
  decodePage(bytes: Buffer): boolean {
    const number = bytes.readUInt32LE(0)
    if (number >= this.#pages.length || this.#pages[number]) return false
    const page = new Uint32Array(PAGE_BLOCKS * WORDS)
    for (let i = 0; i < page.length; i++) page[i] = bytes.readUInt32LE(8 + i * 4)
    this.#pages[number] = page
    this.#written += writtenIn(page)
    for (let group = 0; group < PAGE_BLOCKS; group += GROUP_BLOCKS) {
      const span = { block: number * PAGE_BLOCKS + group, blocks: GROUP_BLOCKS }
      const pieces = this.#piecesOf(span)
      if (!pieces.every(({ block, blocks }) => block >= span.block && block + blocks <= span.block + span.blocks))
        return false
      this.#pieceBlocks += blocksIn(pieces)
    }
    return true
  }

  #piecesOf(span: Span): Piece[] {
    const pieces = new Map<string, Piece>()
    for (const { piece } of this.runs(span)) pieces.set(keyOf(piece), piece)
    return [...pieces.values()]
  }

  /** Returns what takes it back. */
  #put({ sequence, payload, block, blocks }: Piece): () => void {
    assert(sequence <= SEQUENCE_MAX && payload < PIECES_MAX && block + blocks <= this.#blocks)
    assert(Math.floor(block / GROUP_BLOCKS) === Math.floor((block + blocks - 1) / GROUP_BLOCKS))
    const number = Math.floor(block / PAGE_BLOCKS)
    const page = this.#pages[number] ?? new Uint32Array(PAGE_BLOCKS * WORDS)
    this.#pages[number] = page
    const start = (block % PAGE_BLOCKS) * WORDS
    const before = page.slice(start, start + blocks * WORDS)
    const upper = (Math.floor(sequence / HIGH) << 20) | (payload << 8) | (blocks - 1)
    for (let i = 0; i < blocks; i++) {
      page[start + i * WORDS] = sequence % HIGH
      page[start + i * WORDS + 1] = upper | (i << 4)
    }
    const grown = blocks - writtenIn(before)
    this.#written += grown
    return () => {
      page.set(before, start)
      this.#written -= grown
    }
  }
}

export const isSparse = (piece: Piece, live: number): boolean => live * 2 < piece.blocks

export const keyOf = ({ sequence, payload }: Release): string => `${sequence}.${payload}`

const blocksIn = (spans: readonly Span[]): number => spans.reduce((sum, { blocks }) => sum + blocks, 0)

function writtenIn(words: Uint32Array): number {
  let written = 0
  for (let i = 0; i < words.length; i += WORDS) if (words[i] !== 0 || words[i + 1] !== 0) written++
  return written
}
