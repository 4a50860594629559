import assert from 'node:assert/strict'
import { readUint64, writeUint64 } from './bytes.ts'
import { crc32c } from './checksum.ts'
import type { Device } from './device.ts'
import { PoolError } from './errors.ts'
import { type Mutations, NO_MUTATIONS } from './mutation.ts'
import { readRight } from './read-right.ts'
import type { PageEntry, PageRoot } from './superblock.ts'
import type { Span, Zones } from './zones.ts'

const ENTRY_BYTES = 16
const ABSENT: PageEntry = { block: 0, checksum: 0 }

/**
 * The checkpoint's pages: a tree of blocks in the metadata zone, each named with its checksum by the one above, the
 * root by the superblock. A page is never written in place: a changed page and the nodes above it go to free blocks,
 * and the old ones become free once a superblock that names the new root is durable. The zone holds two whole trees,
 * so a checkpoint finds room on a full pool, too.
 *
 *   node := { u64 block | u32 crc32c | u32 0 } × (block bytes / 16)        block 0: all pages below are zero
 */
export class Pages {
  readonly #device: Device
  readonly #zones: Zones
  readonly #mutations: Mutations
  readonly #fanOut: number
  /** Level 0 holds the entries of leaves; the last level holds the root's alone. */
  #levels: PageEntry[][]
  /** Blocks of the metadata zones that are taken. */
  readonly #used = new Set<number>()
  /** Where the next free block is looked for: a span, and a block of its zone. */
  #cursor = { span: 0, block: 0 }
  #obsolete: number[] = []

  constructor(device: Device, zones: Zones, mutations: Mutations = NO_MUTATIONS) {
    this.#device = device
    this.#zones = zones
    this.#mutations = mutations
    this.#fanOut = zones.blockBytes / ENTRY_BYTES
    this.#levels = emptyLevels(zones.pages, this.#fanOut)
  }

  get root(): PageRoot {
    return { ...this.#levels.at(-1)![0]!, pages: this.#levels[0]!.length }
  }

  /**
   * The tree in force, from its leaves up: where each block lies and what its checksum is. Steady between checkpoints.
   */
  get levels(): readonly (readonly PageEntry[])[] {
    return this.#levels
  }

  /** The first leaf below a block: writing it anew writes the block anew, too. */
  leafOf(level: number, index: number): number {
    return index * this.#fanOut ** level
  }

  /** Reads the tree under `root` and hands over each page that is not zero. ERR_CORRUPT when a block does not match. */
  async load(root: PageRoot, take: (index: number, page: Buffer) => void): Promise<void> {
    this.#levels = emptyLevels(root.pages, this.#fanOut)
    if (root.block !== 0) await this.#loadNode(root, this.#levels.length - 1, 0, take)
    this.grow()
  }

  /** Makes room for the pages of spans that were added: what there was becomes the left part of a larger tree. */
  grow(): void {
    if (this.#levels[0]!.length === this.#zones.pages) return
    const levels = emptyLevels(this.#zones.pages, this.#fanOut)
    for (const [depth, entries] of this.#levels.entries()) {
      for (const [index, entry] of entries.entries()) levels[depth]![index] = entry
    }
    this.#levels = levels
  }

  async #loadNode(entry: PageEntry, level: number, index: number, take: (index: number, page: Buffer) => void) {
    const block = await this.#readBlock(entry)
    this.#levels[level]![index] = entry
    this.#used.add(entry.block)
    if (level === 0) return take(index, block)
    const children = this.#levels[level - 1]!
    for (let slot = 0; slot < this.#fanOut; slot++) {
      const child = index * this.#fanOut + slot
      if (child >= children.length) return
      const below = decodeEntry(block, slot)
      if (below.block !== 0) await this.#loadNode(below, level - 1, child, take)
    }
  }

  async #readBlock(entry: PageEntry, every = false): Promise<Buffer> {
    const { blockBytes, spans } = this.#zones
    const inZone = spans.some((span) => isInZone(entry.block, span))
    const isRight = (bytes: Buffer) => crc32c(bytes) === entry.checksum
    const what = `metadata page in block ${entry.block}`
    const block = inZone
      ? await readRight(this.#device, [entry.block * blockBytes], blockBytes, isRight, { every, what })
      : undefined
    if (!block) {
      throw new PoolError('ERR_CORRUPT', `${what} does not match its checksum`)
    }
    return block
  }

  /** Writes changed pages and the nodes above them. Not durable, and not the truth, before the superblock says so. */
  async write(changed: ReadonlyMap<number, Buffer>): Promise<PageRoot> {
    let level = changed
    for (let depth = 0; depth < this.#levels.length; depth++) {
      const above = new Set<number>()
      for (const [index, block] of level) {
        this.#levels[depth]![index] = await this.#writeBlock(block, this.#levels[depth]![index]!)
        above.add(Math.floor(index / this.#fanOut))
      }
      if (this.#isUnnamed(depth)) above.add(0)
      if (depth + 1 < this.#levels.length) level = this.#encodeNodes(above, this.#levels[depth]!)
    }
    return this.root
  }

  /** True where a tree that has grown taller still has its old root, which no node above names yet. */
  #isUnnamed(depth: number): boolean {
    const [node] = this.#levels[depth]!
    const [above] = this.#levels[depth + 1] ?? []
    return node!.block !== 0 && above?.block === 0
  }

  /** The superblock that names the newest root is durable: what the one before named is free. */
  retire(): void {
    for (const block of this.#obsolete) this.#used.delete(block)
    this.#obsolete = []
  }

  #encodeNodes(indexes: ReadonlySet<number>, children: readonly PageEntry[]): Map<number, Buffer> {
    const nodes = new Map<number, Buffer>()
    for (const index of indexes) {
      const node = Buffer.alloc(this.#zones.blockBytes)
      for (let slot = 0; slot < this.#fanOut; slot++) {
        const child = children[index * this.#fanOut + slot]
        if (child) encodeEntry(node, slot, child)
      }
      nodes.set(index, node)
    }
    return nodes
  }

  async #writeBlock(block: Buffer, old: PageEntry): Promise<PageEntry> {
    const inPlace = this.#mutations.has('snapshot-in-place') && old.block !== 0
    const target = inPlace ? old.block : this.#allocate()
    if (!inPlace && old.block !== 0) this.#obsolete.push(old.block)
    await this.#device.write(target * this.#zones.blockBytes, block)
    return { block: target, checksum: crc32c(block) }
  }

  #allocate(): number {
    const { spans, metadataBlocks } = this.#zones
    for (let step = 0; step < metadataBlocks; step++) {
      const { metadataBlock, metadataBlocks: blocks } = spans[this.#cursor.span]!
      const block = metadataBlock + this.#cursor.block++
      if (this.#cursor.block >= blocks) this.#cursor = { span: (this.#cursor.span + 1) % spans.length, block: 0 }
      if (this.#used.has(block)) continue
      this.#used.add(block)
      return block
    }
    assert.fail('the metadata zone holds two trees: one that is durable and one being written')
  }
}

const isInZone = (block: number, { metadataBlock, metadataBlocks }: Span): boolean =>
  block >= metadataBlock && block < metadataBlock + metadataBlocks

function emptyLevels(pages: number, fanOut: number): PageEntry[][] {
  const levels = [new Array<PageEntry>(pages).fill(ABSENT)]
  while (levels.at(-1)!.length > 1) {
    levels.push(new Array<PageEntry>(Math.ceil(levels.at(-1)!.length / fanOut)).fill(ABSENT))
  }
  return levels
}

function decodeEntry(node: Buffer, slot: number): PageEntry {
  const offset = slot * ENTRY_BYTES
  return { block: readUint64(node, offset), checksum: node.readUInt32LE(offset + 8) }
}

function encodeEntry(node: Buffer, slot: number, entry: PageEntry): void {
  const offset = slot * ENTRY_BYTES
  writeUint64(node, offset, entry.block)
  node.writeUInt32LE(entry.checksum, offset + 8)
}
