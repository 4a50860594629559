import { roundUp } from './bytes.ts'
import { crc32c } from './checksum.ts'
import type { Core } from './core.ts'
import { PoolError } from './errors.ts'
import type { Leaf } from './extent-tree.ts'
import { readRight } from './read-right.ts'

/** Verified bytes, and where they begin in their payload. */
export interface Piece {
  readonly bytes: Buffer
  readonly offset: number
}

/** Reads leaves of a payload that `of` names, verified, a few units at a time. ERR_CORRUPT. */
export async function* readLeaves(core: Core, of: string, leaves: AsyncGenerator<Leaf>): AsyncGenerator<Piece[]> {
  const { zones, tuning } = core
  const unitsMax = Math.max(1, Math.floor(tuning.stagingBytesMax / zones.unitBytes))
  for await (const group of grouped(leaves, unitsMax)) yield await readGroup(core, of, group)
}

/**
 * Reads leaves whose units follow each other, with one request. One that is wrong there is read alone and from every
 * copy, and so are all when they cannot be read together: the leg that was asked may just have been taken out of use.
 */
async function readGroup(core: Core, of: string, group: readonly Leaf[]): Promise<Piece[]> {
  const { device, zones, buffers } = core
  const { unitBytes } = zones
  const length = (group.length - 1) * unitBytes + roundUp(group.at(-1)!.extent.length, device.limits.logicalBlockSize)
  const together = buffers.take(group.length * unitBytes)
  const reading = device.read(zones.unitOffset(group[0]!.extent.unit), together.subarray(0, length))
  const isThere = await reading.then(
    () => true,
    () => false,
  )
  const pieces: Piece[] = []
  for (const [i, { extent, offset }] of group.entries()) {
    const piece = together.subarray(i * unitBytes, i * unitBytes + extent.length)
    const isRight = isThere && crc32c(piece) === extent.checksum
    // A copy of a unit's size is made in memory that was used before; one of the whole group costs fresh pages.
    pieces.push({ bytes: isRight ? Buffer.from(piece) : await readLeaf(core, of, { extent, offset }), offset })
  }
  buffers.give(together)
  return pieces
}

async function readLeaf({ device, zones }: Core, of: string, { extent, offset }: Leaf): Promise<Buffer> {
  const isRight = (bytes: Buffer) => crc32c(bytes) === extent.checksum
  const bytes = await readRight(device, [zones.unitOffset(extent.unit)], extent.length, isRight)
  if (bytes) return bytes
  throw new PoolError('ERR_CORRUPT', `bytes ${offset} … of ${of} do not match their checksum`)
}

/** Leaves in runs of adjacent units. */
async function* grouped(source: AsyncGenerator<Leaf>, unitsMax: number): AsyncGenerator<Leaf[]> {
  let group: Leaf[] = []
  for await (const leaf of source) {
    const last = group.at(-1)
    const adjacent = last && leaf.extent.unit === last.extent.unit + 1 && group.length < unitsMax
    if (!adjacent && last) {
      yield group
      group = []
    }
    group.push(leaf)
  }
  if (group.length > 0) yield group
}
