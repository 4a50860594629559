import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs'
import { blockDeviceSizes, lockExclusively, queueLimitNumber } from '../system/index.ts'
import { PoolError } from './errors.ts'

/** A block file or a raw block device that nobody else holds. */
export interface OpenedFile {
  readonly path: string
  readonly descriptor: number
  readonly kind: 'file' | 'block device'
  /** Device number of the disk that it is, or that it lies on. */
  readonly disk: number
  readonly bytes: number
  readonly logicalBlockBytes: number
  readonly physicalBlockBytes: number
}

const LOGICAL_BLOCK_BYTES = 512
/** Where nobody says: the sector of nearly every disk of this century. */
const PHYSICAL_BLOCK_BYTES = 4096

/**
 * Opens what is at `path`, exclusively: a file by a lock that others must ask for (flock), a block device by a claim
 * that the kernel keeps (O_EXCL), against mounts and other volumes too.
 *
 * ERR_NOT_FOUND when nothing is there, ERR_LOCKED when somebody holds it, ERR_LIMITS when it is neither file nor block
 * device, ERR_IO when it cannot be opened.
 */
export function openExclusively(path: string): OpenedFile {
  let descriptor: number | undefined
  try {
    const { kind, flags } = kindOf(path, statSync(path))
    descriptor = openSync(path, constants.O_RDWR | flags)
    const stats = fstatSync(descriptor)
    if (kindOf(path, stats).kind !== kind) throw new PoolError('ERR_LOCKED', `${path} was replaced while it was opened`)
    if (kind === 'file' && !lockExclusively(descriptor)) throw inUse(path)
    return { path, descriptor, kind, ...(kind === 'file' ? ofFile(stats) : ofBlockDevice(descriptor, stats)) }
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor)
    throw error instanceof PoolError ? error : translate(path, error as NodeJS.ErrnoException)
  }
}

function kindOf(path: string, stats: Stats): { kind: OpenedFile['kind']; flags: number } {
  if (stats.isBlockDevice()) return { kind: 'block device', flags: constants.O_EXCL }
  if (stats.isFile()) return { kind: 'file', flags: 0 }
  throw new PoolError('ERR_LIMITS', `${path} is neither a file nor a block device`)
}

type Sizes = Pick<OpenedFile, 'disk' | 'bytes' | 'logicalBlockBytes' | 'physicalBlockBytes'>

function ofFile({ dev: disk, size: bytes }: Stats): Sizes {
  const physicalBlockBytes = queueLimitNumber(disk, 'physical_block_size') ?? PHYSICAL_BLOCK_BYTES
  return { disk, bytes, logicalBlockBytes: LOGICAL_BLOCK_BYTES, physicalBlockBytes }
}

function ofBlockDevice(descriptor: number, { rdev: disk }: Stats): Sizes {
  return { disk, ...blockDeviceSizes(descriptor) }
}

function inUse(path: string, options?: ErrorOptions): PoolError {
  return new PoolError('ERR_LOCKED', `${path} is in use by another process`, options)
}

function translate(path: string, error: NodeJS.ErrnoException): PoolError {
  const cause = { cause: error }
  if (error.code === 'EBUSY') return inUse(path, cause)
  const code = error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'ERR_NOT_FOUND' : 'ERR_IO'
  return new PoolError(code, `cannot open ${path}: ${error.message}`, cause)
}
