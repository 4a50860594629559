/** Bytes of one copy, and the blocks of them that could not be read. */
export interface MosaicSource {
  readonly bytes: Buffer
  readonly unreadable: ReadonlySet<number>
}

/** Bytes within the sources that are right together, or not. */
export interface MosaicPart {
  readonly start: number
  readonly length: number
  isRight(bytes: Buffer): boolean
}

/** What the sources are cut into. `columnOf` tells which blocks lie on the same members, and fail together. */
export interface MosaicGrain {
  readonly blockBytes: number
  columnOf(block: number): unknown
}

/** Ways to put a part together that are tried at the most, of columns and then of blocks. */
export const MOSAIC_TRIALS_MAX = 256

/** A stretch of the part in one block. */
interface Tile {
  readonly block: number
  readonly from: number
  readonly to: number
}

/** Tiles that are taken from one source together, and the sources that have something of their own to offer for them. */
interface Choice {
  readonly tiles: readonly Tile[]
  readonly sources: readonly MosaicSource[]
}

/**
 * A part that is right in no copy, put together of several: copies that have rotted at different places hold everything
 * between them. Whole columns are tried first, for a member that has gone bad has much wrong at once; then single
 * blocks. Undefined when no way of putting it together is right, or there are too many ways.
 */
export function mosaic(
  sources: readonly MosaicSource[],
  part: MosaicPart,
  { blockBytes, columnOf }: MosaicGrain,
): Buffer | undefined {
  const tiles = tilesOf(part, blockBytes)
  const columns = new Map<unknown, Tile[]>()
  for (const tile of tiles) {
    const column = columnOf(tile.block)
    const known = columns.get(column)
    if (known) known.push(tile)
    else columns.set(column, [tile])
  }
  const single = tiles.map((tile) => [tile])
  return joined(sources, part, [...columns.values()]) ?? joined(sources, part, single)
}

function tilesOf({ start, length }: MosaicPart, blockBytes: number): Tile[] {
  const tiles: Tile[] = []
  for (let from = start; from < start + length; from = tiles.at(-1)!.to) {
    const block = Math.floor(from / blockBytes)
    tiles.push({ block, from, to: Math.min(start + length, (block + 1) * blockBytes) })
  }
  return tiles
}

function joined(
  sources: readonly MosaicSource[],
  part: MosaicPart,
  pieces: readonly (readonly Tile[])[],
): Buffer | undefined {
  const choices = pieces.map((tiles): Choice => ({ tiles, sources: offersOf(sources, tiles) }))
  const trials = choices.reduce((product, offers) => product * offers.sources.length, 1)
  if (trials > MOSAIC_TRIALS_MAX) return undefined
  const whole = Buffer.alloc(part.length)
  for (let trial = 0; trial < trials; trial++) {
    let rest = trial
    for (const { tiles, sources: offers } of choices) {
      const { bytes } = offers[rest % offers.length]!
      for (const { from, to } of tiles) bytes.copy(whole, from - part.start, from, to)
      rest = Math.floor(rest / offers.length)
    }
    if (part.isRight(whole)) return whole
  }
  return undefined
}

/** The sources that can be read at all of `tiles`, one of those that hold the same there. */
function offersOf(sources: readonly MosaicSource[], tiles: readonly Tile[]): MosaicSource[] {
  const offers: MosaicSource[] = []
  const isSame = (one: MosaicSource, other: MosaicSource) =>
    tiles.every(({ from, to }) => one.bytes.compare(other.bytes, from, to, from, to) === 0)
  for (const source of sources) {
    if (tiles.some(({ block }) => source.unreadable.has(block))) continue
    if (!offers.some((offer) => isSame(offer, source))) offers.push(source)
  }
  return offers
}
