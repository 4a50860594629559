import { roundUp } from './bytes.ts'
import { type Device, placeOf } from './device.ts'
import { readBytes } from './io.ts'
import { unreadable } from './unreadable.ts'

/*
 * Whatever may lie in several copies is read here: on the legs of a mirror, in the runs of a segment. A copy is taken
 * only when it is right, and the ones that were found wrong before it are mended from it.
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
}

/**
 * `length` bytes that lie at each of `offsets`: the first copy that `isRight` accepts. Undefined when none is right;
 * when none is and one could not be read, the failure is thrown, with its place. ERR_IO.
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
  { every = false, what = 'a copy', mayLack = false }: ReadRightOptions = {},
): Promise<Buffer | undefined> {
  let source: Copy | undefined
  let right: Buffer | undefined
  let failure: unknown
  let wasRead = false
  const wrong: Copy[] = []
  for (const place of copiesOf(device, offsets)) {
    if (right && !every) break
    const bytes = await readBytes(device, place.offset, length, place.copy).catch((error: unknown) => {
      failure = unreadable(what, placeOf(device, place.offset, place.copy), length, error)
    })
    if (bytes) wasRead = true
    if (!bytes || !isRight(bytes)) wrong.push(place)
    else if (!right) [right, source] = [bytes, place]
  }
  const isStillRight = async () => isRight(await readBytes(device, source!.offset, length, source!.copy))
  if (right) for (const place of wrong) await mend(device, place, right, isStillRight)
  else if (failure && !(mayLack && wasRead)) throw failure
  return right
}

function* copiesOf(device: Device, offsets: readonly number[]): Generator<Copy> {
  for (const offset of offsets) for (let copy = 0; copy < device.copies; copy++) yield { offset, copy }
}

/**
 * Writes right bytes over wrong ones. Only they are replaced: what else lies in their blocks has not been verified, in
 * this copy or the other. A copy that cannot be mended, for its device failed or the pool has halted, stays as it is;
 * so does one whose place has been given to something new since, for then the other copy is not right either any more.
 */
async function mend(
  device: Device,
  { offset, copy }: Copy,
  right: Buffer,
  when: () => Promise<boolean>,
): Promise<void> {
  const block = device.limits.logicalBlockSize
  const start = offset - (offset % block)
  const length = roundUp(offset + right.length, block) - start
  try {
    const whole = length === right.length ? right : await readBlocks(device, start, length, copy)
    right.copy(whole, offset - start)
    await device.write(start, whole, { copy, when })
  } catch {
    // Whoever writes to that copy next is told.
  }
}

/** The blocks of a copy as they are, or as another copy has them when they cannot be read. */
async function readBlocks(device: Device, offset: number, length: number, copy: number): Promise<Buffer> {
  try {
    return await readBytes(device, offset, length, copy)
  } catch (error) {
    if (device.copies === 1) throw error
    return await readBytes(device, offset, length, (copy + 1) % device.copies)
  }
}
