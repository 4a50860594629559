import koffi from 'koffi'

const POSIX_FADV_DONTNEED = 4

type Call = (descriptor: number, offset: number, length: number, advice: number) => number
let advise: Call | undefined

/** No page is larger; one that is dropped in part stays whole. */
const PAGE_BYTES_MAX = 65_536

/**
 * Drops the pages of an open file, or of a range of it, that the page cache holds and that need not be written, so that
 * the next read asks the medium. After a write that failed the cache may hold, as if they were clean, bytes that never
 * reached it.
 *
 * It cannot promise more than that: pages that wait to be written, are being written, or are mapped by somebody stay,
 * and a cache of the drive itself is out of reach.
 */
export function dropCleanPages(descriptor: number, offset = 0, length = 0): void {
  advise ??= koffi.load(null).func('int posix_fadvise(int, int64_t, int64_t, int)') as Call
  const start = offset - (offset % PAGE_BYTES_MAX)
  const end = Math.ceil((offset + length) / PAGE_BYTES_MAX) * PAGE_BYTES_MAX
  advise(descriptor, start, end - start, POSIX_FADV_DONTNEED)
}
