import { accessSync, type BigIntStats, closeSync, constants, fstatSync, openSync, statfsSync, statSync } from 'node:fs'
import { type BlockFacts, blockFacts } from './block-facts.ts'
import { type ExtentFacts, extentFacts, type FileFlags, fileFlags } from './file-extents.ts'
import { filesystemName } from './filesystem-names.ts'
import { btrfsDevices, loopDevices } from './kernel-tables.ts'
import { type Mount, mountOf, readMounts, readSwaps } from './mounts.ts'
import { attempt } from './small-files.ts'

/** The file system that a file lies on. */
export interface FilesystemFacts {
  /** By statfs(2), such as 'xfs'; 'unknown' when it has no name here. */
  readonly name: string
  /** As it was mounted, such as 'fuse.sshfs'. */
  readonly type: string | undefined
  readonly blockSize: number
  readonly mountPoint: string | undefined
  /** Of the mount and of the file system: 'nobarrier', 'compress=zstd:3' … */
  readonly options: readonly string[]
}

/** What Linux knows of a path that is to hold a pool, in plain data. Sizes in bytes; undefined is unknown. */
export interface StorageFacts {
  readonly path: string
  readonly kind: 'file' | 'block' | 'other'
  /** Major and minor number: of a block device its own, of anything else that of the file system. */
  readonly device: string
  readonly inode: number
  readonly size: number | undefined
  readonly readOnly: boolean
  /** Space that a file has been given; less than its size when it is sparse. */
  readonly allocatedBytes: number | undefined
  readonly extents: ExtentFacts | undefined
  readonly flags: FileFlags | undefined
  readonly filesystem: FilesystemFacts | undefined
  /** The block device itself, or the one under a file's file system. */
  readonly block: BlockFacts | undefined
  /** What a loop device, or one under the file system, is made of. */
  readonly backing: StorageFacts | undefined
  /** The physical disks that hold it: what fails together. */
  readonly disks: readonly string[] | undefined
  /** Who else uses it, each in a few words: mounts, swap, devices built on it, a program that claimed it. */
  readonly users: readonly string[]
}

/** A descriptor that names a file and can neither read nor write it (open(2)). */
const O_PATH = 0o10_000_000

/** Files on loops on files on loops …: deeper is unknown. */
const DEPTH_MAX = 8

/**
 * Looks at `path` and changes nothing: it is opened to name it and to read, never to write. What a device already held
 * by this process says under `users` is this process. Throws node's error when there is no such path.
 */
export function storageFacts(path: string, depth = 0): StorageFacts {
  const descriptor = openSync(path, O_PATH)
  try {
    return factsOf(path, descriptor, depth)
  } finally {
    closeSync(descriptor)
  }
}

function factsOf(path: string, descriptor: number, depth: number): StorageFacts {
  const stats = fstatSync(descriptor, { bigint: true })
  const kind = stats.isFile() ? 'file' : stats.isBlockDevice() ? 'block' : 'other'
  const mounts = readMounts()
  const mount = mountOf(descriptor, mounts)
  const blocks = kind === 'block' ? blocksOf([deviceNumber(stats.rdev)]) : blocksUnder(stats, mount)
  const block = blocks[0]
  const backings = blocks.map(({ loopFile }) => (loopFile === undefined ? undefined : backingOf(loopFile, depth)))
  const ofFile = kind === 'file'
  return {
    path,
    kind,
    device: deviceNumber(kind === 'block' ? stats.rdev : stats.dev),
    inode: Number(stats.ino),
    size: ofFile ? Number(stats.size) : kind === 'block' ? block?.size : undefined,
    readOnly: isReadOnly(descriptor) || (kind === 'block' && block?.readOnly === true),
    allocatedBytes: ofFile ? Number(stats.blocks) * 512 : undefined,
    filesystem: kind === 'block' ? undefined : filesystemOf(descriptor, mount),
    ...(ofFile ? askFile(descriptor) : { extents: undefined, flags: undefined }),
    block,
    backing: backings[0],
    disks: disksOf(blocks, backings),
    users: kind === 'block' ? usersOfBlock(descriptor, block, mounts) : usersOfFile(stats),
  }
}

const blocksOf = (numbers: readonly string[]): readonly BlockFacts[] =>
  numbers.flatMap((number) => blockFacts(number) ?? [])

/** By the number of the file system, or by its source where that number is invented (btrfs, which may have several). */
function blocksUnder(stats: BigIntStats, mount: Mount | undefined): readonly BlockFacts[] {
  const direct = blocksOf([deviceNumber(stats.dev)])
  if (direct.length > 0 || !mount?.source.startsWith('/')) return direct
  return blocksOf(btrfsDevices(mount.source).flatMap((source) => numberOfPath(source) ?? []))
}

/** A loop device lies where its file does. Unknown as soon as one of them is. */
function disksOf(
  blocks: readonly BlockFacts[],
  backings: readonly (StorageFacts | undefined)[],
): readonly string[] | undefined {
  const disks = blocks.map((block, index) => (block.loopFile === undefined ? block.disks : backings[index]?.disks))
  return disks.length > 0 && disks.every((known) => known !== undefined) ? [...new Set(disks.flat())] : undefined
}

function filesystemOf(descriptor: number, mount: Mount | undefined): FilesystemFacts {
  const { type, bsize } = statfsSync(same(descriptor))
  return {
    name: filesystemName(type),
    type: mount?.type,
    blockSize: bsize,
    mountPoint: mount?.point,
    options: mount?.options ?? [],
  }
}

/** What only a file that was opened for reading tells. */
function askFile(descriptor: number): Pick<StorageFacts, 'extents' | 'flags'> {
  const reading = attempt(() => openSync(same(descriptor), constants.O_RDONLY | constants.O_NONBLOCK))
  if (reading === undefined) return { extents: undefined, flags: undefined }
  try {
    return { extents: extentFacts(reading), flags: fileFlags(reading) }
  } finally {
    closeSync(reading)
  }
}

function backingOf(loopFile: string, depth: number): StorageFacts | undefined {
  // The kernel marks a file that has lost its name, and another may have taken it.
  if (loopFile.endsWith(' (deleted)') || depth === DEPTH_MAX) return undefined
  return attempt(() => storageFacts(loopFile, depth + 1))
}

function usersOfBlock(descriptor: number, block: BlockFacts | undefined, mounts: readonly Mount[]): string[] {
  const parts = block?.parts ?? []
  const isPart = (number: string | undefined) => number !== undefined && parts.includes(number)
  const points = mounts
    .filter(({ device, source }) => isPart(device) || (source.startsWith('/') && isPart(numberOfPath(source))))
    .map(({ point }) => `mounted at ${point}`)
  const swaps = readSwaps().filter((path) => isPart(numberOfPath(path)))
  return [
    ...new Set(points),
    ...swaps.map(() => 'used for swap'),
    ...(block?.holders ?? []).map((holder) => `held by ${holder}`),
    ...(isClaimed(descriptor) ? ['claimed by the kernel or by another program'] : []),
  ]
}

function usersOfFile(stats: BigIntStats): string[] {
  const isSame = (path: string) => {
    const other = attempt(() => statSync(path, { bigint: true }))
    return other !== undefined && other.dev === stats.dev && other.ino === stats.ino
  }
  const loops = loopDevices().filter(({ file }) => isSame(file))
  return [
    ...loops.map(({ name }) => `behind ${name}`),
    ...readSwaps()
      .filter(isSame)
      .map(() => 'used for swap'),
  ]
}

/** A block device that is opened exclusively refuses whoever asks for the same; mounts elsewhere show by nothing else. */
function isClaimed(descriptor: number): boolean {
  try {
    closeSync(openSync(same(descriptor), constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK))
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EBUSY'
  }
}

function isReadOnly(descriptor: number): boolean {
  return attempt(() => accessSync(same(descriptor), constants.W_OK) ?? true) === undefined
}

/** A path to the very file that is open, wherever its name has gone. */
const same = (descriptor: number): string => `/proc/self/fd/${descriptor}`

function numberOfPath(path: string): string | undefined {
  const stats = attempt(() => statSync(path, { bigint: true }))
  return stats?.isBlockDevice() ? deviceNumber(stats.rdev) : undefined
}

/** glibc's makedev(3), undone. */
export function deviceNumber(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xffff_f000n)
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffff_ff00n)
  return `${major}:${minor}`
}
