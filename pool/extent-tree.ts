import { crc32c } from './checksum.ts'
import type { PayloadRange } from './contract.ts'
import type { Device } from './device.ts'
import { decodeExtent, EXTENT_BYTES, type Extent, type ExtentsPlacement, encodeExtent } from './entry.ts'
import { PoolError } from './errors.ts'
import { readRight } from './read-right.ts'
import type { Zones } from './zones.ts'

/*
 * A large payload is a tree. Its leaves are extents of data, in order; a manifest is a unit full of extents that name
 * the manifests or the data below, with the bytes that they hold and their checksums. So a range is found without
 * reading what lies before it, and a payload of any size is uploaded with a few thousand extents in memory.
 */

/** Of a payload in extents, all but its length. */
export type Tree = Pick<ExtentsPlacement, 'depth' | 'extents'>

const fanOut = (zones: Zones): number => zones.unitBytes / EXTENT_BYTES

/** Units that a payload of so many bytes takes, its manifests included. */
export function treeUnits(bytes: number, zones: Zones, recordExtentsMax: number): number {
  let level = Math.ceil(bytes / zones.unitBytes)
  let units = level
  while (level > recordExtentsMax) {
    level = Math.ceil(level / fanOut(zones))
    units += level
  }
  return units
}

/** A manifest that grows, and how many of its extents are in it to stay. */
interface Image {
  readonly bytes: Buffer
  settled: number
}

/** Grows a tree from the left, extent by extent; a manifest is written as soon as it is full. */
export class ExtentTreeBuilder {
  readonly #zones: Zones
  readonly #recordExtentsMax: number
  readonly #levels: Extent[][] = [[]]
  /** Of each level, what it is as a manifest, as far as that was written out: it is written again and again as it grows. */
  readonly #images: Image[] = []
  /** Writes a manifest to a fresh unit, and says to which. */
  readonly #place: (manifest: Buffer) => Promise<number>

  constructor(
    zones: Zones,
    recordExtentsMax: number,
    place: (manifest: Buffer) => Promise<number>,
    resumed?: Extent[][],
  ) {
    this.#zones = zones
    this.#recordExtentsMax = recordExtentsMax
    this.#place = place
    if (resumed) this.#levels = resumed
  }

  async push(extent: Extent): Promise<void> {
    await this.#pushAt(0, extent)
  }

  async #pushAt(level: number, extent: Extent): Promise<void> {
    this.#levels[level] ??= []
    const extents = this.#levels[level]!
    extents.push(extent)
    if (extents.length < fanOut(this.#zones)) return
    const manifest = await this.#writeManifest(level, extents)
    this.#levels[level] = []
    delete this.#images[level]
    await this.#pushAt(level + 1, manifest)
  }

  /** The tree of what was pushed so far, small enough for a record. The builder can go on afterwards. */
  async tree(): Promise<Tree> {
    let depth = 0
    let extents = this.#levels[0]!
    while (depth < this.#levels.length - 1 || extents.length > this.#recordExtentsMax) {
      const partial = extents.length > 0 ? [await this.#writeManifest(depth, extents)] : []
      depth++
      extents = [...(this.#levels[depth] ?? []), ...partial]
    }
    return { depth, extents: [...extents] }
  }

  /** The data extents of what was pushed so far, in order; nothing is written for it. */
  async *leaves(device: Device): AsyncGenerator<Leaf> {
    let offset = 0
    for (const [depth, extents] of [...this.#levels.entries()].reverse()) {
      yield* leavesBelow(device, this.#zones, extents, depth, offset, ALL)
      offset += extents.reduce((bytes, { length }) => bytes + length, 0)
    }
  }

  /** `extents` are those of the level, and at their end perhaps one that names what is open below, which will be another. */
  async #writeManifest(level: number, extents: readonly Extent[]): Promise<Extent> {
    this.#images[level] ??= { bytes: Buffer.alloc(this.#zones.unitBytes), settled: 0 }
    const image = this.#images[level]
    let offset = image.settled * EXTENT_BYTES
    for (const extent of extents.slice(image.settled)) offset = encodeExtent(image.bytes, offset, extent)
    image.settled = this.#levels[level]?.length ?? 0
    const length = extents.reduce((bytes, extent) => bytes + extent.length, 0)
    return { length, unit: await this.#place(image.bytes), checksum: crc32c(image.bytes) }
  }
}

/** The extents named by a manifest. ERR_CORRUPT when its bytes are not those that were written. */
async function readManifest(device: Device, zones: Zones, manifest: Extent): Promise<Extent[]> {
  const isRight = (candidate: Buffer) => crc32c(candidate) === manifest.checksum
  const what = `manifest in unit ${manifest.unit}`
  const bytes = await readRight(device, [zones.unitOffset(manifest.unit)], zones.unitBytes, isRight, { what })
  if (!bytes) throw new PoolError('ERR_CORRUPT', `${what} does not match its checksum`)
  return decodeManifest(bytes)
}

export function decodeManifest(bytes: Buffer): Extent[] {
  const extents: Extent[] = []
  for (let offset = 0; offset < bytes.length; offset += EXTENT_BYTES) {
    const extent = decodeExtent(bytes, offset)
    if (extent.length === 0) break
    extents.push(extent)
  }
  return extents
}

/** A leaf, and where its bytes begin in the payload. */
export interface Leaf {
  readonly extent: Extent
  readonly offset: number
}

const ALL: PayloadRange = { offset: 0, length: Number.MAX_SAFE_INTEGER }

/** The data extents that `range` touches, in order. */
export async function* leaves(device: Device, zones: Zones, tree: Tree, range: PayloadRange): AsyncGenerator<Leaf> {
  yield* leavesBelow(device, zones, tree.extents, tree.depth, 0, range)
}

async function* leavesBelow(
  device: Device,
  zones: Zones,
  extents: readonly Extent[],
  depth: number,
  start: number,
  range: PayloadRange,
): AsyncGenerator<Leaf> {
  let offset = start
  for (const extent of extents) {
    if (offset >= range.offset + range.length) return
    if (offset + extent.length > range.offset) {
      if (depth === 0) yield { extent, offset }
      else yield* leavesBelow(device, zones, await readManifest(device, zones, extent), depth - 1, offset, range)
    }
    offset += extent.length
  }
}

/** Every unit of a tree: manifests before what they name. Returning false from `manifest` skips what lies below it. */
export interface TreeVisitor {
  manifest(unit: number): boolean
  data(unit: number, length: number): void
}

export async function visitTree(device: Device, zones: Zones, tree: Tree, visitor: TreeVisitor): Promise<void> {
  for (const extent of tree.extents) {
    if (tree.depth === 0) visitor.data(extent.unit, extent.length)
    else if (visitor.manifest(extent.unit)) {
      const extents = await readManifest(device, zones, extent)
      await visitTree(device, zones, { depth: tree.depth - 1, extents }, visitor)
    }
  }
}

/** The open manifests of a tree, level by level, for a builder to go on from. */
export async function reopenTree(device: Device, zones: Zones, tree: Tree): Promise<Extent[][]> {
  const levels: Extent[][] = []
  let extents = [...tree.extents]
  for (let depth = tree.depth; depth > 0; depth--) {
    const last = extents.at(-1)
    const below = last ? await readManifest(device, zones, last) : []
    const partial = below.length > 0 && below.length < fanOut(zones)
    levels[depth] = partial ? extents.slice(0, -1) : extents
    extents = partial ? below : []
  }
  levels[0] = extents
  return levels
}
