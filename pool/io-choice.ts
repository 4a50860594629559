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
 * Direct I/O gives up the page cache, so 'auto' takes it only where two measurements say that it pays:
 *
 * 1. A small read of the disk takes less than READ_MICROSECONDS_MAX. Without the cache every read of something hot
 *    pays that; on a disk that seeks it would hold up the commits behind it as well.
 * 2. On a file beside it, to overwrite a batch and flush it is faster than through the cache, by what one measures
 *    beyond doubt, and at no size slower: from one small commit to a whole group. This is what a client waits for. A
 *    batch is written as an unsplit write would be, atomic where the file system offers it: XFS does that by copying,
 *    at twice the price, and is then left buffered.
 *
 * Nothing is ever written to the member itself to find out. A block device has nothing beside it, and no file system
 * whose ways with the cache may cost: its reads decide alone. Where nothing can be measured, the file stays buffered.
 *
 * Measured on ext4 on a virtual disk, buffered and direct in turns: by the lowest tenth, as here, 4 KiB and flush 40 and
 * 37 µs, 64 KiB 56 and 55, 512 KiB 202 and 178, 1 MiB 380 and 345; whole pools commit at the same rate within the noise;
 * streams take a fourth of the processor's time; hot reads of 4 KiB 19 and 57 µs, of 1 MiB 0.5 and 1.1 ms. There 'auto'
 * says buffered, and should (bench/device.ts). XFS, 4 KiB and flush: 108 µs, and atomic 205.
 */
export function chooseIo(file: OpenedFile, wish: IoMode | 'auto'): ChosenIo {
  if (wish === 'buffered') return { mode: 'buffered' }
  const alignment = directAlignment(file.descriptor)
  const atomic = atomicWriteClaim(file.descriptor, file.kind === 'block device' ? file.disk : undefined)
  const direct = { mode: 'direct', alignment: alignment!, ...(atomic && { atomic }) } as const
  if (wish === 'auto' && !(alignment && directPaysFor(file, atomic))) return { mode: 'buffered' }
  if (alignment && turnDirect(file.descriptor)) return direct
  if (wish === 'auto') return { mode: 'buffered' }
  throw new PoolError('ERR_LIMITS', `${file.path} lies on a file system without direct I/O`)
}

/** The answer is the disk's and the file system's: one file is measured, the others follow it. */
const answers = new Map<string, boolean>()

function directPaysFor(file: OpenedFile, atomic: AtomicWriteClaim | undefined): boolean {
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
    return file.kind === 'block device' || directPays(measureWrites(file, atomic))
  } catch {
    return false
  }
}

const READ_MICROSECONDS_MAX = 1000
const TRIES_MIN = 10
/** Two measurements of the same thing differ by as much when the machine is busy. */
const TOLERANCE = 1.25
/** What direct writes must take, over all sizes, to be worth the page cache. */
const RATIO_MAX = 0.75

export function readsAreQuick(microseconds: readonly number[]): boolean {
  return microseconds.length >= TRIES_MIN && quantile(microseconds, 0.5) <= READ_MICROSECONDS_MAX
}

/** Compares what is left when nobody disturbs: other work only ever adds to a time, so the lowest tenth counts. */
export function directPays(samples: readonly Sample[]): boolean {
  if (samples.some(({ direct, buffered }) => Math.min(direct.length, buffered.length) < TRIES_MIN)) return false
  const ratios = samples.map(({ direct, buffered }) => quantile(direct, 0.1) / quantile(buffered, 0.1))
  const ofAll = ratios.reduce((product, ratio) => product * ratio, 1) ** (1 / ratios.length)
  return ofAll <= RATIO_MAX && ratios.every((ratio) => ratio <= TOLERANCE)
}

function quantile(values: readonly number[], fraction: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * fraction)]!
}
