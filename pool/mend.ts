import { roundUp } from './bytes.ts'
import { type Device, placeOf } from './device.ts'
import { readBytes } from './io.ts'
import { type MosaicSource, mosaic } from './mosaic.ts'

/** One copy of some bytes: where it lies, and which of the device's copies it is. */
export interface Copy {
  readonly offset: number
  readonly copy: number
}

/** What is read: every copy of it, and which bytes are right. */
export interface Wanted {
  readonly device: Device
  readonly copies: readonly Copy[]
  readonly length: number
  isRight(bytes: Buffer): boolean
}

/** What is right in no copy, of what the copies hold between them. */
export async function joinedOf({ device, copies, length, isRight }: Wanted): Promise<Buffer | undefined> {
  const { logicalBlockSize: blockBytes } = device.limits
  const sources: Blocks[] = []
  for (const one of copies) sources.push(await readBlocks(device, one, length))
  const { offset } = copies[0]!
  const start = offset % blockBytes
  const columnOf = (block: number) => placeOf(device, offset - start + block * blockBytes, 0).device
  return mosaic(sources, { start, length, isRight }, { blockBytes, columnOf })
}

/**
 * Makes the copies that are `wrong` right. `source` is the one that is right, undefined when `right` was put together of
 * several.
 */
export async function mendAll(
  wanted: Wanted,
  { source, wrong }: { readonly source: Copy | undefined; readonly wrong: readonly Copy[] },
  right: Buffer,
): Promise<void> {
  const { device, length, isRight } = wanted
  const isStillRight = async () =>
    source
      ? isRight(await readBytes(device, source.offset, length, source.copy))
      : (await joinedOf(wanted)) !== undefined
  for (const one of wrong) await mend(wanted, one, right, isStillRight)
}

/**
 * Writes right bytes over wrong ones, in blocks that differ or cannot be read, and in no other: what was put together of
 * several copies must not be torn where it is right. Only the wrong bytes are replaced: what else lies in their blocks
 * has not been verified, in this copy or the others. A copy that cannot be mended, for its device failed or the pool has
 * halted, stays as it is; so does one whose place has been given to something new since, for then the source is not
 * right either any more.
 */
async function mend(wanted: Wanted, wrong: Copy, right: Buffer, when: () => Promise<boolean>): Promise<void> {
  const { device, length } = wanted
  const { offset, copy } = wrong
  const block = device.limits.logicalBlockSize
  try {
    const found = await readBlocks(device, wrong, length)
    const whole = Buffer.from(found.bytes)
    await fillIn(wanted, wrong, { bytes: whole, unreadable: new Set(found.unreadable) })
    right.copy(whole, offset % block)
    const isWrong = (at: number) =>
      found.unreadable.has(at / block) || whole.compare(found.bytes, at, at + block, at, at + block) !== 0
    for (let at = 0; at < whole.length; ) {
      let end = at
      while (end < whole.length && isWrong(end)) end += block
      if (end > at) await device.write(offset - (offset % block) + at, whole.subarray(at, end), { copy, when })
      at = end + block
    }
  } catch {
    // Whoever writes to that copy next is told.
  }
}

/** Blocks of a copy that cannot be read, as another has them that can: a leg of the mirror, or another run. */
async function fillIn({ device, copies, length }: Wanted, one: Copy, { bytes, unreadable }: Blocks): Promise<void> {
  const block = device.limits.logicalBlockSize
  for (const other of copies) {
    if (unreadable.size === 0) return
    if (other === one) continue
    const found = await readBlocks(device, other, length)
    for (const missing of [...unreadable]) {
      if (found.unreadable.has(missing)) continue
      found.bytes.copy(bytes, missing * block, missing * block, (missing + 1) * block)
      unreadable.delete(missing)
    }
  }
}

/** Whole blocks of a copy, and those of them that could not be read. */
interface Blocks extends MosaicSource {
  readonly unreadable: Set<number>
}

/** The blocks that `length` bytes of a copy touch. One that the medium does not give hides no other. */
async function readBlocks(device: Device, { offset, copy }: Copy, length: number): Promise<Blocks> {
  const block = device.limits.logicalBlockSize
  const start = offset - (offset % block)
  const bytes = Buffer.alloc(roundUp(offset + length, block) - start)
  const unreadable = new Set<number>()
  try {
    await device.read(start, bytes, copy)
  } catch {
    for (let at = 0; at < bytes.length; at += block) {
      const one = device.read(start + at, bytes.subarray(at, at + block), copy)
      await one.catch(() => void unreadable.add(at / block))
    }
  }
  return { bytes, unreadable }
}
