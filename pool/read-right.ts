import { type Device, placeOf } from './device.ts'
import { readBytes } from './io.ts'
import { type Copy, joinedOf, mendAll, type Wanted } from './mend.ts'
import { unreadable } from './unreadable.ts'

/*
 * Whatever may lie in several copies is read here: on the legs of a mirror, in the runs of a segment. A copy is taken
 * only when it is right, and the ones that were found wrong before it are mended from it. What is right in no copy as a
 * whole is put together of several, and all are mended.
 */

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
 * them. Undefined when nothing is right; when one could not be read either, the failure is thrown, with its place.
 * ERR_IO.
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

/** What the copies were found to be: all of them, or those up to the first that is right. */
interface Found {
  right: Buffer | undefined
  /** The copy that is right. */
  source: Copy | undefined
  readonly wrong: Copy[]
  /** Of each copy that could be read. */
  readonly contents: Buffer[]
  failure: unknown
}

async function readOnce(
  device: Device,
  offsets: readonly number[],
  length: number,
  isRight: (bytes: Buffer) => boolean,
  options: ReadRightOptions = {},
): Promise<Buffer | undefined> {
  const wanted: Wanted = { device, copies: copiesOf(device, offsets), length, isRight }
  const found = await lookAt(wanted, options)
  const right = found.right ?? (isMixed(wanted, found) ? await joinedOf(wanted) : undefined)
  if (!right) {
    if (found.failure && !(options.mayLack && found.contents.length > 0)) throw found.failure
    return undefined
  }
  if (found.wrong.length > 0) {
    const mend = () => mendAll(wanted, found, right)
    if (options.defer) options.defer(mend)
    else await mend()
  }
  return right
}

function copiesOf(device: Device, offsets: readonly number[]): Copy[] {
  const copies: Copy[] = []
  for (const offset of offsets) for (let copy = 0; copy < device.copies; copy++) copies.push({ offset, copy })
  return copies
}

async function lookAt(wanted: Wanted, { every = false, what = 'a copy' }: ReadRightOptions): Promise<Found> {
  const { device, copies, length, isRight } = wanted
  const found: Found = { right: undefined, source: undefined, wrong: [], contents: [], failure: undefined }
  for (const one of copies) {
    if (found.right && !every) break
    const bytes = await readBytes(device, one.offset, length, one.copy).catch((error: unknown) => {
      found.failure = unreadable(what, placeOf(device, one.offset, one.copy), length, error)
    })
    if (bytes) found.contents.push(bytes)
    if (!bytes || !isRight(bytes)) found.wrong.push(one)
    else if (!found.right) {
      found.right = bytes
      found.source = one
    }
  }
  return found
}

/** Most often nothing is there at all, as beyond the journal's end: copies that are alike give nothing else together. */
function isMixed({ copies }: Wanted, { contents }: Found): boolean {
  if (copies.length === 1) return false
  return contents.length < copies.length || contents.some((bytes) => !bytes.equals(contents[0]!))
}
