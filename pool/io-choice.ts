import {
  type AtomicWriteClaim,
  atomicWriteClaim,
  type DirectAlignment,
  directAlignment,
  turnDirect,
} from '../system/index.ts'
import { PoolError } from './errors.ts'
import { measureReads, measureWrites, type Sample } from './io-measure.ts'
import type { OpenedFile } from './opened-file.ts'

export type IoMode = 'direct' | 'buffered'

/** How a file is read and written: wholly so, never mixed (R23). */
export type ChosenIo =
  | { readonly mode: 'buffered' }
  | { readonly mode: 'direct'; readonly alignment: DirectAlignment; readonly atomic?: AtomicWriteClaim }

/**
 * Turns the file to the way that is wished for. ERR_LIMITS where direct I/O is asked for and the file system has none.
 *
 * 'auto' is direct where two measurements say that nothing is lost by it:
 *
 * 1. A small read of the disk takes less than READ_MICROSECONDS_MAX. Direct I/O has no page cache, so every read of
 *    something hot pays this; on a disk that seeks it would hold up the commits behind it as well.
 * 2. On a file beside it, to overwrite a batch and flush it takes no longer than through the cache, at each size from
 *    one small commit to a whole group. This is what a client waits for. A batch is written as an unsplit write would be,
 *    atomic where the file system offers it: XFS does that by copying, at twice the price, and is then left buffered.
 *
 * Nothing is ever written to the member itself to find out. A block device has no "beside it", and no file system whose
 * ways with the cache differ: its reads decide alone. Where nothing can be measured, the file stays buffered.
 */
export function chooseIo(file: OpenedFile, wish: IoMode | 'auto'): ChosenIo {
  if (wish === 'buffered') return { mode: 'buffered' }
  const alignment = directAlignment(file.descriptor)
  const atomic = atomicWriteClaim(file.descriptor, file.kind === 'block device' ? file.disk : undefined)
  const direct = { mode: 'direct', alignment: alignment!, ...(atomic && { atomic }) } as const
  if (wish === 'auto' && !(alignment && isBetterDirect(file, atomic))) return { mode: 'buffered' }
  if (alignment && turnDirect(file.descriptor)) return direct
  if (wish === 'auto') return { mode: 'buffered' }
  throw new PoolError('ERR_LIMITS', `${file.path} lies on a file system without direct I/O`)
}

/** The answer is the disk's and the file system's: one file is measured, the others follow it. */
const answers = new Map<string, boolean>()

function isBetterDirect(file: OpenedFile, atomic: AtomicWriteClaim | undefined): boolean {
  const key = JSON.stringify([file.kind, file.disk, atomic])
  const known = answers.get(key)
  if (known !== undefined) return known
  const answer = measure(file, atomic)
  answers.set(key, answer)
  return answer
}

function measure(file: OpenedFile, atomic: AtomicWriteClaim | undefined): boolean {
  try {
    if (!readsAreQuick(measureReads(file))) return false
    return file.kind === 'block device' || directIsNoSlower(measureWrites(file, atomic))
  } catch {
    return false
  }
}

const READ_MICROSECONDS_MAX = 1000
const TRIES_MIN = 3
/** Two measurements of the same thing differ by as much. */
const TOLERANCE = 1.1

export function readsAreQuick(microseconds: readonly number[]): boolean {
  return microseconds.length >= TRIES_MIN && median(microseconds) <= READ_MICROSECONDS_MAX
}

export function directIsNoSlower(samples: readonly Sample[]): boolean {
  return samples.every(
    ({ direct, buffered }) => direct.length >= TRIES_MIN && median(direct) <= TOLERANCE * median(buffered),
  )
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
