import { closeSync, constants, fdatasyncSync, fsyncSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { type AtomicWriteClaim, alignedSharedBuffer, writeOnce } from '../system/index.ts'
import { mayBeAtomic } from './atomic-shape.ts'
import type { OpenedFile } from './opened-file.ts'

/* Short measurements of a disk that leave what it holds as it is. */

/**
 * The largest request each way. Larger buffered writes fall into a slow path of ext4 (measured: a third of the rate at 1
 * and 2 MiB); larger direct ones are no faster.
 */
export const REQUEST_BYTES_MAX = { buffered: 512 * 1024, direct: 1 << 20 } as const

/** Microseconds of each try, of a write and its flush, each way. */
export interface Sample {
  readonly bytes: number
  readonly direct: readonly number[]
  readonly buffered: readonly number[]
}

/** A batch of one small commit, and the largest that a group of them makes. */
const BATCH_BYTES = [4096, 65_536, 512 * 1024, 1 << 20]
const ROUNDS = 12
const MS_MAX = 100
const READS = 15
const READ_BYTES = 4096

/** open(2); node:fs does not name it. The file has no name, so that no crash leaves one behind. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

/** How long small reads around the cache take, all over the file: microseconds of each. */
export function measureReads({ descriptor, bytes }: OpenedFile): number[] {
  const target = alignedSharedBuffer(READ_BYTES)
  const steps = Math.floor(bytes / READ_BYTES)
  return withDirect(descriptor, (direct) =>
    timesWithin(Math.min(READS, steps), (i) => {
      const offset = Math.floor((i * steps) / READS) * READ_BYTES
      return microseconds(() => readSync(direct, target, 0, READ_BYTES, offset))
    }),
  )
}

/**
 * How long it takes to overwrite a batch and flush it, each way in turn, on a nameless file in the same folder: the same
 * disk and file system, blocks that are written already as a pool's are, the same system calls. Throws where no such
 * file can be made.
 */
export function measureWrites(file: OpenedFile, claim: AtomicWriteClaim | undefined): Sample[] {
  const buffered = openSync(dirname(file.path), O_TMPFILE | constants.O_RDWR, 0o600)
  try {
    const bytes = alignedSharedBuffer(BATCH_BYTES.at(-1)!)
    writeOnce(buffered, bytes, 0, false)
    fsyncSync(buffered)
    return withDirect(buffered, (direct) => samples({ direct, buffered }, bytes, claim))
  } finally {
    closeSync(buffered)
  }
}

function samples(
  descriptors: { direct: number; buffered: number },
  source: Buffer,
  claim: AtomicWriteClaim | undefined,
): Sample[] {
  const all = BATCH_BYTES.map((bytes) => ({ bytes, direct: [] as number[], buffered: [] as number[] }))
  timesWithin(ROUNDS, (round) => {
    for (const sample of all) {
      const batch = source.subarray(0, sample.bytes)
      const ways = round % 2 === 0 ? (['direct', 'buffered'] as const) : (['buffered', 'direct'] as const)
      for (const way of ways) {
        const atomic = way === 'direct' && mayBeAtomic(claim, 0, sample.bytes)
        sample[way].push(microseconds(() => writeDurably(descriptors[way], batch, atomic, REQUEST_BYTES_MAX[way])))
      }
    }
  })
  return all
}

/** In requests of a size that suits each way, as the device writes. */
function writeDurably(descriptor: number, batch: Buffer, atomic: boolean, requestBytesMax: number): void {
  for (let offset = 0; offset < batch.length; offset += requestBytesMax) {
    writeOnce(descriptor, batch.subarray(offset, offset + requestBytesMax), offset, atomic)
  }
  fdatasyncSync(descriptor)
}

/** Opens the same file once more, for direct I/O. */
function withDirect<T>(descriptor: number, use: (direct: number) => T): T {
  const direct = openSync(`/proc/self/fd/${descriptor}`, constants.O_RDWR | constants.O_DIRECT)
  try {
    return use(direct)
  } finally {
    closeSync(direct)
  }
}

/** Up to `count` runs, fewer when MS_MAX is over. */
function timesWithin<T>(count: number, run: (index: number) => T): T[] {
  const end = performance.now() + MS_MAX
  const results: T[] = []
  while (results.length < count && performance.now() < end) results.push(run(results.length))
  return results
}

function microseconds(run: () => void): number {
  const start = performance.now()
  run()
  return (performance.now() - start) * 1000
}
