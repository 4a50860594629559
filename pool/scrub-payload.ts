import { roundUp } from './bytes.ts'
import { crc32c } from './checksum.ts'
import type { Sequence } from './contract.ts'
import type { Extent, ExtentsPlacement } from './entry.ts'
import { decodeManifest, type Leaf } from './extent-tree.ts'
import type { Releases } from './releases.ts'
import { Copies, type Part, type ScrubGround } from './scrub-copies.ts'
import { kindOfBlocks, type Structure } from './scrub-kind.ts'
import type { ScrubKind } from './scrub-report.ts'

/** A payload in extents, which may be let go while it is being looked at. */
export interface ScrubbedPayload {
  readonly sequence: Sequence
  readonly payload: number
  readonly placement: ExtentsPlacement
  isLive(): Promise<boolean>
}

export interface PayloadScrubEvents {
  /** A unit is named by what lives. */
  named(unit: number): void
  /** A manifest is right on no copy: what it names is not known. */
  lost(): void
  /** Between two pieces; nothing is pinned. */
  between(payload: ScrubbedPayload, offset: number): Promise<void>
}

/**
 * Verifies the manifests and the data of a payload in units of its own. A piece is pinned while it is looked at; that it
 * still lives is asked before, before anything is written over it, and before anything is told of it.
 */
export class PayloadScrub {
  readonly #ground: ScrubGround
  readonly #releases: Releases
  readonly #events: PayloadScrubEvents

  constructor(ground: ScrubGround, releases: Releases, events: PayloadScrubEvents) {
    this.#ground = ground
    this.#releases = releases
    this.#events = events
  }

  /** From byte `from` on. */
  async run(payload: ScrubbedPayload, from: number): Promise<void> {
    const { depth, extents } = payload.placement
    await this.#walk(payload, extents, depth, 0, from)
  }

  /** False once the payload lives no more. */
  async #walk(
    payload: ScrubbedPayload,
    extents: readonly Extent[],
    depth: number,
    start: number,
    from: number,
  ): Promise<boolean> {
    if (depth === 0) return await this.#walkData(payload, extents, start, from)
    let offset = start
    for (const extent of extents) {
      if (offset + extent.length > from) {
        const below = await this.#manifest(payload, { extent, offset }, extents)
        if (below === 'gone') return false
        if (below && !(await this.#walk(payload, below, depth - 1, offset, from))) return false
      }
      offset += extent.length
    }
    return true
  }

  async #manifest(
    payload: ScrubbedPayload,
    leaf: Leaf,
    siblings: readonly Extent[],
  ): Promise<readonly Extent[] | 'gone' | undefined> {
    const { zones } = this.#ground.core
    const { extent, offset } = leaf
    const part = this.#part(payload, leaf, siblings)
    const manifest: Part = {
      ...part,
      length: zones.unitBytes,
      kindOf: (blocks) => this.#kindOf(blocks, zones.unitBytes, extent, siblings),
      about: { ...part.about, subject: 'manifest', offset, length: extent.length },
    }
    const found = await this.#verify(payload, extent.unit, [manifest])
    if (!found) return 'gone'
    this.#events.named(extent.unit)
    const [bytes] = found
    if (!bytes) this.#events.lost()
    return bytes && decodeManifest(bytes)
  }

  async #walkData(payload: ScrubbedPayload, extents: readonly Extent[], start: number, from: number): Promise<boolean> {
    const { tuning, zones } = this.#ground.core
    const unitsMax = Math.max(1, Math.floor(tuning.stagingBytesMax / zones.unitBytes))
    for (const group of adjacent(extents, start, unitsMax)) {
      const last = group.at(-1)!
      const end = last.offset + last.extent.length
      if (end <= from) continue
      const parts = group.map((leaf, i) => ({ ...this.#part(payload, leaf, extents), start: i * zones.unitBytes }))
      if (!(await this.#verify(payload, group[0]!.extent.unit, parts))) return false
      for (const { extent } of group) this.#events.named(extent.unit)
      await this.#events.between(payload, end)
    }
    return true
  }

  /** The right bytes of each part; undefined when the payload lives no more. */
  async #verify(
    { sequence, isLive }: ScrubbedPayload,
    unit: number,
    parts: readonly Part[],
  ): Promise<(Buffer | undefined)[] | undefined> {
    const { zones } = this.#ground.core
    const last = parts.at(-1)!
    this.#releases.pin(sequence)
    try {
      if (!(await isLive())) return undefined
      const length = roundUp(last.start + last.length, zones.blockBytes)
      const copies = new Copies(this.#ground, [zones.unitOffset(unit)], length)
      await copies.load()
      const right = parts.map((part) => copies.verify(part))
      if (copies.isAllRight) return right
      await copies.repair(isLive)
      return (await isLive()) ? right : undefined
    } finally {
      this.#releases.unpin(sequence)
    }
  }

  #part({ sequence, payload }: ScrubbedPayload, { extent, offset }: Leaf, siblings: readonly Extent[]): Part {
    return {
      start: 0,
      length: extent.length,
      about: { subject: 'payload', sequence, payload, offset, length: extent.length },
      isRight: (bytes) => crc32c(bytes) === extent.checksum,
      kindOf: (blocks) => this.#kindOf(blocks, extent.length, extent, siblings),
    }
  }

  /** A unit may hold another's bytes, a structure that was meant for elsewhere, or what its region held as a segment. */
  #kindOf(blocks: Buffer, length: number, { unit }: Extent, siblings: readonly Extent[]): ScrubKind {
    const { core } = this.#ground
    const { unitsPerRegion, blockBytes, unitBytes, blocksPerSegment } = core.zones
    const checksum = crc32c(blocks.subarray(0, length))
    const isOther = (one: Extent) => one.unit !== unit && one.checksum === checksum
    if (siblings.some(isOther)) return 'misdirected'
    const region = Math.floor(unit / unitsPerRegion)
    const firstBlock = ((unit % unitsPerRegion) * unitBytes) / blockBytes
    const judge = (structure: Structure, block: number): ScrubKind => {
      const isOfRegion =
        structure.what === 'segment'
          ? structure.region === region && firstBlock + block === 0
          : structure.what === 'batch' && structure.lsn % blocksPerSegment === firstBlock + block
      return isOfRegion ? 'stale' : 'misdirected'
    }
    return kindOfBlocks(blocks, { pool: core.pool, blockBytes }, judge)
  }
}

/** Leaves in runs of adjacent units, each with where its bytes begin in the payload. */
function* adjacent(extents: readonly Extent[], start: number, unitsMax: number): Generator<Leaf[]> {
  let offset = start
  let group: Leaf[] = []
  for (const extent of extents) {
    const last = group.at(-1)
    if (last && (extent.unit !== last.extent.unit + 1 || group.length === unitsMax)) {
      yield group
      group = []
    }
    group.push({ extent, offset })
    offset += extent.length
  }
  if (group.length > 0) yield group
}
