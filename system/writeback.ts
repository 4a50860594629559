import koffi from 'koffi'

const SYNC_FILE_RANGE_WRITE = 2

type SyncFileRange = (descriptor: number, offset: number, length: number, flags: number) => number
let syncFileRange: SyncFileRange | undefined

/**
 * Has the kernel begin to write dirty pages of a range to the disk, and does not wait for it (sync_file_range(2)).
 * A hint and no more: it makes nothing durable, and where the file system does not know it nothing happens. A write that
 * fails because of it is told by the next fdatasync, as any other.
 */
export function beginWriteback(descriptor: number, offset: number, length: number): void {
  syncFileRange ??= koffi.load(null).func('int sync_file_range(int, int64_t, int64_t, unsigned int)') as SyncFileRange
  syncFileRange(descriptor, offset, length, SYNC_FILE_RANGE_WRITE)
}
