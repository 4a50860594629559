import { constants, openSync } from 'node:fs'
import koffi from 'koffi'
import { PAGE_BYTES } from './memory.ts'
import { STATX_DIOALIGN, statxOf } from './statx.ts'

const F_GETFL = 3
const F_SETFL = 4

type Call = (descriptor: number, command: number, type: 'int', value: number) => number
let fcntl: Call | undefined

/** What direct I/O asks of each request. */
export interface DirectAlignment {
  readonly memory: number
  /** Of offset and length. */
  readonly offset: number
}

/**
 * What direct I/O on an open file asks, undefined where the file takes none (STATX_DIOALIGN, Linux 6.1). Where nobody
 * says, a page is enough for every disk.
 */
export function directAlignment(descriptor: number): DirectAlignment | undefined {
  const found = statxOf(descriptor)
  if (!found || (found.mask & STATX_DIOALIGN) === 0) return { memory: PAGE_BYTES, offset: PAGE_BYTES }
  const { directMemoryAlignment: memory, directOffsetAlignment: offset } = found
  return memory > 0 && offset > 0 ? { memory, offset } : undefined
}

/**
 * Turns an open file to direct I/O: what is read and written from now on goes around the page cache. False when the
 * file system refuses. The file stays the one that was opened, and that a lock is held on.
 */
export function turnDirect(descriptor: number): boolean {
  fcntl ??= koffi.load(null).func('int fcntl(int, int, ...)') as Call
  const flags = fcntl(descriptor, F_GETFL, 'int', 0)
  return flags >= 0 && fcntl(descriptor, F_SETFL, 'int', flags | constants.O_DIRECT) === 0
}

/**
 * Opens an open file once more, to be read around the page cache; undefined where that cannot be had. It is the same
 * file, whatever its name leads to by now, and has no part in a lock that the first descriptor holds.
 */
export function openDirect(descriptor: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_RDONLY | constants.O_DIRECT)
  } catch {
    return undefined
  }
}
