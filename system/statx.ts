import koffi from 'koffi'

/*
 * struct statx (include/uapi/linux/stat.h), of which only the fields that node:fs hides are read:
 *
 *   offset  type  field
 *        0   u32  mask: which fields the file system filled in
 *      152   u32  direct I/O: alignment of memory, 0 when the file takes none
 *      156   u32  direct I/O: alignment of offset and length
 *      168   u32  atomic writes: smallest unit
 *      172   u32  atomic writes: largest unit
 *      176   u32  atomic writes: pieces of memory one may be made of
 *
 * The field after next, unit_max_opt (184), is the largest unit that hardware does by itself. It is not read: XFS says 0
 * for "all of them" as well as for "none", so nothing can be concluded from it.
 */
const STRUCT_BYTES = 256
const AT_EMPTY_PATH = 0x1000
export const STATX_DIOALIGN = 0x2000
export const STATX_WRITE_ATOMIC = 0x10000

export interface Statx {
  readonly mask: number
  readonly directMemoryAlignment: number
  readonly directOffsetAlignment: number
  readonly atomicUnitMin: number
  readonly atomicUnitMax: number
  readonly atomicSegmentsMax: number
}

type Call = (descriptor: number, path: string, flags: number, mask: number, buffer: Buffer) => number
let statx: Call | undefined

/** What the kernel says of an open file, undefined when it does not know the call. Fields not in `mask` mean nothing. */
export function statxOf(descriptor: number): Statx | undefined {
  statx ??= koffi.load(null).func('int statx(int, const char *, int, unsigned int, void *)') as Call
  const buffer = Buffer.alloc(STRUCT_BYTES)
  if (statx(descriptor, '', AT_EMPTY_PATH, STATX_DIOALIGN | STATX_WRITE_ATOMIC, buffer) !== 0) return undefined
  const field = (offset: number) => (LITTLE_ENDIAN ? buffer.readUInt32LE(offset) : buffer.readUInt32BE(offset))
  return {
    mask: field(0),
    directMemoryAlignment: field(152),
    directOffsetAlignment: field(156),
    atomicUnitMin: field(168),
    atomicUnitMax: field(172),
    atomicSegmentsMax: field(176),
  }
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
