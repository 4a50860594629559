import koffi from 'koffi'

/*
 * What a file system tells of a file by ioctl(2): its flags, and how its bytes lie. Both only ask. The numbers are those
 * of x86-64 and arm64 (asm-generic/ioctl.h); elsewhere nothing is known.
 */

/** FS_IOC_GETFLAGS (ioctl_iflags(2)). */
export interface FileFlags {
  readonly compressed: boolean
  readonly noCopyOnWrite: boolean
  readonly immutable: boolean
  readonly appendOnly: boolean
}

/** FS_IOC_FIEMAP, all extents taken together. */
export interface ExtentFacts {
  /** Some of them belong to another file or snapshot, too: the first write to them needs new space. */
  readonly shared: boolean
  /** Some of them hold other bytes than the file does: compressed ones. */
  readonly encoded: boolean
}

const FS_IOC_GETFLAGS = 0x80086601
const FS_COMPR_FL = 0x4
const FS_IMMUTABLE_FL = 0x10
const FS_APPEND_FL = 0x20
const FS_NOCOW_FL = 0x0080_0000

/**
 *   struct fiemap: u64 start | u64 length | u32 flags | u32 mapped | u32 capacity | u32 reserved | extents
 *   an extent:     u64 logical | u64 physical | u64 length | u64[2] reserved | u32 flags | u32[3] reserved
 */
const FS_IOC_FIEMAP = 0xc020660b
const HEADER_BYTES = 32
const EXTENT_BYTES = 56
const EXTENT_LAST = 0x1
const EXTENT_ENCODED = 0x8
const EXTENT_DATA_ENCRYPTED = 0x80
const EXTENT_SHARED = 0x2000

const EXTENTS_PER_CALL = 512
/** A file in more than two million pieces is not asked to the end: its extents are unknown. */
const CALLS_MAX = 4096

type Ioctl = (descriptor: number, request: number, argument: Uint8Array) => number
let ioctl: Ioctl | undefined

/** False when the file system does not know the request. */
function ask(descriptor: number, request: number, argument: Uint8Array): boolean {
  if (process.arch !== 'x64' && process.arch !== 'arm64') return false
  ioctl ??= koffi.load(null).func('int ioctl(int, unsigned long, void*)') as Ioctl
  return ioctl(descriptor, request, argument) === 0
}

/** Undefined where the file system has no flags. */
export function fileFlags(descriptor: number): FileFlags | undefined {
  const answer = Buffer.alloc(8)
  if (!ask(descriptor, FS_IOC_GETFLAGS, answer)) return undefined
  const flags = answer.readUInt32LE(0)
  return {
    compressed: (flags & FS_COMPR_FL) !== 0,
    noCopyOnWrite: (flags & FS_NOCOW_FL) !== 0,
    immutable: (flags & FS_IMMUTABLE_FL) !== 0,
    appendOnly: (flags & FS_APPEND_FL) !== 0,
  }
}

/** Undefined where the file system does not tell. What was written and has no place yet counts as neither. */
export function extentFacts(descriptor: number): ExtentFacts | undefined {
  const map = Buffer.alloc(HEADER_BYTES + EXTENTS_PER_CALL * EXTENT_BYTES)
  let shared = false
  let encoded = false
  let position = 0n
  for (let calls = 0; calls < CALLS_MAX; calls++) {
    writeRequest(map, position)
    if (!ask(descriptor, FS_IOC_FIEMAP, map)) return undefined
    const mapped = map.readUInt32LE(20)
    for (let index = 0; index < mapped; index++) {
      const extent = map.subarray(HEADER_BYTES + index * EXTENT_BYTES)
      const flags = extent.readUInt32LE(40)
      shared ||= (flags & EXTENT_SHARED) !== 0
      encoded ||= (flags & EXTENT_ENCODED) !== 0 && (flags & EXTENT_DATA_ENCRYPTED) === 0
      position = extent.readBigUInt64LE(0) + extent.readBigUInt64LE(16)
      if ((flags & EXTENT_LAST) !== 0) return { shared, encoded }
    }
    if (mapped === 0) return { shared, encoded }
  }
  return undefined
}

function writeRequest(map: Buffer, start: bigint): void {
  map.fill(0)
  map.writeBigUInt64LE(start, 0)
  map.writeBigUInt64LE(0xffff_ffff_ffff_ffffn - start, 8)
  map.writeUInt32LE(EXTENTS_PER_CALL, 24)
}
