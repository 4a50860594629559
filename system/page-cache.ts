import koffi from 'koffi'

const POSIX_FADV_DONTNEED = 4

type Call = (descriptor: number, offset: number, length: number, advice: number) => number
let advise: Call | undefined

/**
 * Drops the pages of an open file that the page cache holds and that need not be written, so that the next read asks
 * the medium. After a write that failed the cache may hold, as if they were clean, bytes that never reached it.
 *
 * It cannot promise more than that: pages that wait to be written, are being written, or are mapped by somebody stay,
 * and a cache of the drive itself is out of reach.
 */
export function dropCleanPages(descriptor: number): void {
  advise ??= koffi.load(null).func('int posix_fadvise(int, int64_t, int64_t, int)') as Call
  advise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
}
