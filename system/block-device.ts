import koffi from 'koffi'
import { errnoName } from './errno.ts'

/* Requests of ioctl(2) (include/uapi/linux/fs.h). The first answers with 64 bits, the others with 32. */
const BLKGETSIZE64 = 0x8008_1272
const BLKSSZGET = 0x1268
const BLKPBSZGET = 0x127b

export interface BlockDeviceSizes {
  readonly bytes: number
  readonly logicalBlockBytes: number
  readonly physicalBlockBytes: number
}

type Call = (descriptor: number, request: number, type: 'void *', answer: ArrayBufferView) => number
let ioctl: Call | undefined

/** Sizes of an open block device, as the kernel knows them. Throws when it is none. */
export function blockDeviceSizes(descriptor: number): BlockDeviceSizes {
  const bytes = new BigUint64Array(1)
  const logical = new Uint32Array(1)
  const physical = new Uint32Array(1)
  ask(descriptor, BLKGETSIZE64, bytes)
  ask(descriptor, BLKSSZGET, logical)
  ask(descriptor, BLKPBSZGET, physical)
  return { bytes: Number(bytes[0]), logicalBlockBytes: logical[0]!, physicalBlockBytes: physical[0]! }
}

function ask(descriptor: number, request: number, answer: ArrayBufferView): void {
  ioctl ??= koffi.load(null).func('int ioctl(int, unsigned long, ...)') as Call
  if (ioctl(descriptor, request, 'void *', answer) === 0) return
  throw new Error(`ioctl ${request.toString(16)} failed: ${errnoName(koffi.errno())}`)
}
