import { roundUp } from './bytes.ts'
import { type Device, placeOf } from './device.ts'
import { readBytes } from './io.ts'
import { type MosaicSource, mosaic } from './mosaic.ts'
import { unreadable } from './unreadable.ts'

/*
 * Whatever may lie in several copies is read here: on the legs of a mirror, in the runs of a segment. A copy is taken
 * only when it is right, and the ones that were found wrong before it are mended from it. What is right in no copy as a
 * whole is put together of several, and all are mended.
 */

/** One copy of some bytes: where it lies, and which of the device's copies it is. */
interface Copy {
  readonly offset: number
  readonly copy: number
}

export interface ReadRightOptions {
  /** Looks at every copy, not only up to the first that is right. */
  readonly every?: boolean
  /** What is read, for the failure to say. */
  readonly what?: string
  /** It may not be there at all: a copy that was read and lacks it says so, even where another cannot be read. */
  readonly mayLack?: boolean
  /** Takes what would mend the copies that were found wrong, instead of having it done at once. */
  readonly defer?: (mend: () => Promise<void>) => void
}

/**
 * `length` bytes that lie at each of `offsets`: the first copy that `isRight` accepts, or what the copies hold between
 * them. Undefined when nothing is right; when one could not be read either, the failure is thrown, with its place. ERR_IO.
 */
export async function readRight(
  device: Device,
  offsets: readonly number[],
  length: number,
  isRight: (bytes: Buffer) => boolean,
  options?: ReadRightOptions,
): Promise<Buffer | undefined> {
  const { copies } = device
  try {
    const right = await readOnce(device, offsets, length, isRight, options)
    if (right || device.copies === copies) return right
  } catch (error) {
    if (device.copies === copies) throw error
  }
  // A leg went or came meanwhile, so the copies have other numbers now and one of them may have been left out.
  return await readRight(device, offsets, length, isRight, options)
}

async function readOnce(
  device: Device,
  offsets: readonly number[],
  length: number,
  isRight: (bytes: Buffer) => boolean,
  { every = false, what = 'a copy', mayLack = false, defer }: ReadRightOptions = {},
): Promise<Buffer | undefined> {
  let source: Copy | undefined
  let right: Buffer | undefined
  let failure: unknown
  const contents: Buffer[] = []
  const wrong: Copy[] = []
  const places = copiesOf(device, offsets)
  for (const place of places) {
    if (right && !every) break
    const bytes = await readBytes(device, place.offset, length, place.copy).catch((error: unknown) => {
      failure = unreadable(what, placeOf(device, place.offset, place.copy), length, error)
    })
    if (bytes) contents.push(bytes)
    if (!bytes || !isRight(bytes)) wrong.push(place)
    else if (!right) [right, source] = [bytes, place]
  }
  if (right && wrong.length === 0) return right
  const among: Among = { device, places, length, isRight }
  const isMixed = contents.length < places.length || contents.some((bytes) => !bytes.equals(contents[0]!))
  // Most often nothing is there at all, as beyond the journal's end: copies that are alike give nothing else together.
  if (!right && places.length > 1 && isMixed) right = await joinedOf(among)
  const isStillRight = async () =>
    source
      ? isRight(await readBytes(device, source.offset, length, source.copy))
      : (await joinedOf(among)) !== undefined
  if (!right && failure && !(mayLack && contents.length > 0)) throw failure
  const mendAll = async () => {
    for (const place of wrong) await mend(among, place, right!, isStillRight)
  }
  if (right) {
    if (defer) defer(mendAll)
    else await mendAll()
  }
  return right
}

/** What is read, and where all of its copies lie. */
interface Among {
  readonly device: Device
  readonly places: readonly Copy[]
  readonly length: number
  isRight(bytes: Buffer): boolean
}

function copiesOf(device: Device, offsets: readonly number[]): Copy[] {
  const places: Copy[] = []
  for (const offset of offsets) for (let copy = 0; copy < device.copies; copy++) places.push({ offset, copy })
  return places
}

/** Whole blocks of a copy, and those of them that could not be read. */
interface Blocks extends MosaicSource {
  readonly unreadable: Set<number>
}

/** What is right in no copy, of what the copies hold between them. */
async function joinedOf({ device, places, length, isRight }: Among): Promise<Buffer | undefined> {
  const { logicalBlockSize: blockBytes } = device.limits
  const sources: Blocks[] = []
  for (const place of places) sources.push(await readBlocks(device, place, length))
  const { offset } = places[0]!
  const start = offset % blockBytes
  const columnOf = (block: number) => placeOf(device, offset - start + block * blockBytes, 0).device
  return mosaic(sources, { start, length, isRight }, { blockBytes, columnOf })
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

/**
 * Writes right bytes over wrong ones, in blocks that differ or cannot be read, and in no other: what was put together of
 * several copies must not be torn where it is right. Only the wrong bytes are replaced: what else lies in their blocks
 * has not been verified, in this copy or the others. A copy that cannot be mended, for its device failed or the pool has
 * halted, stays as it is; so does one whose place has been given to something new since, for then the source is not
 * right either any more.
 */
async function mend(among: Among, place: Copy, right: Buffer, when: () => Promise<boolean>): Promise<void> {
  const { device, length } = among
  const { offset, copy } = place
  const block = device.limits.logicalBlockSize
  try {
    const found = await readBlocks(device, place, length)
    const whole = Buffer.from(found.bytes)
    await fillIn(among, place, { bytes: whole, unreadable: new Set(found.unreadable) })
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
async function fillIn({ device, places, length }: Among, place: Copy, { bytes, unreadable }: Blocks): Promise<void> {
  const block = device.limits.logicalBlockSize
  for (const other of places) {
    if (unreadable.size === 0) return
    if (other === place) continue
    const found = await readBlocks(device, other, length)
    for (const missing of [...unreadable]) {
      if (found.unreadable.has(missing)) continue
      found.bytes.copy(bytes, missing * block, missing * block, (missing + 1) * block)
      unreadable.delete(missing)
    }
  }
}
