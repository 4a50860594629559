import { takeMemory } from '../system/index.ts'
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
export async function* readLeaves(core: Core, of: string, leaves: AsyncGenerator<Leaf>): AsyncGenerator<Piece> {
  const { zones, tuning } = core
  const unitsMax = Math.max(1, Math.floor(tuning.stagingBytesMax / zones.unitBytes))
  for await (const group of grouped(leaves, zones.unitBytes, unitsMax)) {
    // Of one size, so that whoever has read it may give it back for another.
    const memory = takeMemory(unitsMax * zones.unitBytes)
    yield { bytes: await readGroup(core, of, group, memory), offset: group[0]!.offset }
  }
}

/**
 * Reads leaves whose units follow each other, with one request. One that is wrong there is read alone and from every
 * copy, and so are all when they cannot be read together: the leg that was asked may just have been taken out of use.
 */
async function readGroup(core: Core, of: string, group: readonly Leaf[], memory: Buffer): Promise<Buffer> {
  const { device, zones } = core
  const { unitBytes } = zones
  const bytes = (group.length - 1) * unitBytes + group.at(-1)!.extent.length
  const together = memory.subarray(0, roundUp(bytes, device.limits.logicalBlockSize))
  const isThere = await device.read(zones.unitOffset(group[0]!.extent.unit), together).then(
    () => true,
    () => false,
  )
  for (const [i, leaf] of group.entries()) {
    const piece = together.subarray(i * unitBytes, i * unitBytes + leaf.extent.length)
    const isRight = isThere && crc32c(piece) === leaf.extent.checksum
    if (!isRight) piece.set(await readLeaf(core, of, leaf))
  }
  return together.subarray(0, bytes)
}

async function readLeaf({ device, zones }: Core, of: string, { extent, offset }: Leaf): Promise<Buffer> {
  const isRight = (bytes: Buffer) => crc32c(bytes) === extent.checksum
  const bytes = await readRight(device, [zones.unitOffset(extent.unit)], extent.length, isRight)
  if (bytes) return bytes
  throw new PoolError('ERR_CORRUPT', `bytes ${offset} … of ${of} do not match their checksum`)
}

/** Leaves in runs of adjacent units, which but for the last are full. */
async function* grouped(leaves: AsyncGenerator<Leaf>, unitBytes: number, unitsMax: number): AsyncGenerator<Leaf[]> {
  let group: Leaf[] = []
  for await (const leaf of leaves) {
    const last = group.at(-1)
    const isNext = last?.extent.length === unitBytes && leaf.extent.unit === last.extent.unit + 1
    if (last && !(isNext && group.length < unitsMax)) {
      yield group
      group = []
    }
    group.push(leaf)
  }
  if (group.length > 0) yield group
}
