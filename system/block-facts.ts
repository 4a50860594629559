import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { attempt, listFolder, readText } from './small-files.ts'

export type CacheMode = 'write-back' | 'write-through' | 'unknown'

/** What sysfs says of a block device. Sizes in bytes; undefined is unknown. */
export interface BlockFacts {
  /** Major and minor number, as in `/sys/dev/block`. */
  readonly number: string
  readonly name: string
  readonly size: number | undefined
  readonly readOnly: boolean | undefined
  readonly logicalBlockSize: number | undefined
  readonly physicalBlockSize: number | undefined
  /** Where it begins in its disk (a partition) or in its file (a loop device); unknown where it is built of several. */
  readonly start: number | undefined
  /** How far its start is off the disk's natural blocks; -1 when there is no saying. */
  readonly alignmentOffset: number | undefined
  /** What the kernel assumes: on write-through it sends no flush. */
  readonly writeCache: CacheMode
  /** A drive below says that its cache is write-back while the kernel was told otherwise: flushes are withheld. */
  readonly flushesWithheld: boolean
  readonly rotational: boolean | undefined
  /** True when zeroing a range by discarding it is known to read as zeros. */
  readonly discardReadsZero: boolean
  /** The same for two devices that show the same bytes, such as two paths to one disk. */
  readonly medium: string
  /** The disks that it is built of: what fails together. A loop device counts as one. */
  readonly disks: readonly string[]
  /** It is known to lie in memory. */
  readonly memory: boolean
  /** It is known to promise more than it holds. */
  readonly thin: boolean
  /** It is known to be compressed or deduplicated below. */
  readonly transformed: boolean
  /** The parity RAID below it, and how that keeps parity consistent (md(4), consistency policy). */
  readonly parity: { readonly level: string; readonly consistency: string } | undefined
  /** Known bad ranges within it. */
  readonly badRanges: number | undefined
  /** Devices that are built on it or on a part of it. */
  readonly holders: readonly string[]
  /** Its own number and those of its partitions. */
  readonly parts: readonly string[]
  /** The path of the file behind a loop device. */
  readonly loopFile: string | undefined
}

const SECTOR_BYTES = 512

/** Undefined when sysfs knows no such device. Nothing is opened but sysfs, at `sys`. */
export function blockFacts(number: string, sys = '/sys'): BlockFacts | undefined {
  const folder = resolved(join(sys, 'dev/block', number))
  if (folder === undefined) return undefined
  const disk = existsSync(join(folder, 'partition')) ? dirname(folder) : folder
  const below = [...nodesOf(disk)]
  const leaves = below.filter((node) => listFolder(join(node, 'slaves')).length === 0)
  const sectors = integer(folder, 'size')
  const size = sectors === undefined ? undefined : sectors * SECTOR_BYTES
  const partition = (integer(folder, 'start') ?? 0) * SECTOR_BYTES
  const parts = [folder, ...partitionsOf(folder)]
  return {
    number,
    name: basename(folder),
    size,
    readOnly: flag(folder, 'ro'),
    logicalBlockSize: integer(disk, 'queue/logical_block_size'),
    physicalBlockSize: integer(disk, 'queue/physical_block_size'),
    start: leaves.includes(disk) ? partition + (integer(disk, 'loop/offset') ?? 0) : undefined,
    alignmentOffset: integer(folder, 'alignment_offset'),
    writeCache: cacheMode(text(disk, 'queue/write_cache')),
    flushesWithheld: leaves.some(withholdsFlushes),
    rotational: flag(disk, 'queue/rotational'),
    discardReadsZero: (integer(disk, 'queue/write_zeroes_unmap_max_hw_bytes') ?? 0) > 0,
    medium: mediumOf(disk),
    disks: [...new Set(leaves.map(diskIdentity))],
    memory: leaves.some((leaf) => /^(zram|ram)\d/.test(basename(leaf))),
    thin: below.some((node) => /-(tpool|tdata)$/.test(text(node, 'dm/uuid') ?? '')),
    transformed: below.some((node) => /^zram\d/.test(basename(node)) || text(node, 'dm/uuid')?.startsWith('VDO-')),
    parity: below.map(parityOf).find(Boolean),
    badRanges: badRanges(disk, below, partition, size),
    holders: [...new Set([disk, ...parts].flatMap((part) => listFolder(join(part, 'holders'))))],
    parts: parts.flatMap((part) => text(part, 'dev') ?? []),
    loopFile: text(disk, 'loop/backing_file'),
  }
}

/** A disk and every device that it is built of. */
function* nodesOf(disk: string): Generator<string> {
  yield disk
  for (const slave of listFolder(join(disk, 'slaves'))) {
    const folder = resolved(join(disk, 'slaves', slave))
    if (folder === undefined) continue
    yield* nodesOf(existsSync(join(folder, 'partition')) ? dirname(folder) : folder)
  }
}

const partitionsOf = (folder: string): string[] =>
  listFolder(folder)
    .map((entry) => join(folder, entry))
    .filter((entry) => existsSync(join(entry, 'partition')))

/**
 * `queue/write_cache` can be set to "write through" by hand, after which the kernel sends no flush, whatever the drive
 * does. What the drive itself says stands elsewhere (SCSI, virtio).
 */
function withholdsFlushes(disk: string): boolean {
  const scsi = listFolder(join(disk, 'device/scsi_disk')).map((entry) => `device/scsi_disk/${entry}/cache_type`)
  const drive = ['cache_type', ...scsi].map((file) => cacheMode(text(disk, file)))
  return cacheMode(text(disk, 'queue/write_cache')) === 'write-through' && drive.includes('write-back')
}

function cacheMode(value: string | undefined): CacheMode {
  if (value?.startsWith('write back')) return 'write-back'
  return value === 'write through' ? 'write-through' : 'unknown'
}

/** The name of the logical unit (SCSI) or name space (NVMe) where it has one. */
const mediumOf = (disk: string): string => text(disk, 'device/wwid') ?? text(disk, 'wwid') ?? numberOf(disk)

/** Name spaces of one NVMe controller, whose serial number they share, are one disk. */
function diskIdentity(disk: string): string {
  const serial = basename(disk).startsWith('nvme') ? text(disk, 'device/serial') : undefined
  return serial === undefined ? mediumOf(disk) : `${text(disk, 'device/model') ?? 'nvme'} ${serial}`
}

const numberOf = (folder: string): string => text(folder, 'dev') ?? basename(folder)

function parityOf(node: string): BlockFacts['parity'] {
  const level = text(node, 'md/level')
  if (level === undefined || !/^raid[456]$/.test(level)) return undefined
  return { level, consistency: text(node, 'md/consistency_policy') ?? 'unknown' }
}

/** Those of the disk that meet the partition; of an array all that its members have, for their place in it is unknown. */
function badRanges(disk: string, below: readonly string[], start: number, size: number | undefined) {
  const ofDisk = text(disk, 'badblocks')
  const ofMembers = below.flatMap((node) =>
    listFolder(join(node, 'md'))
      .filter((entry) => entry.startsWith('dev-'))
      .flatMap((entry) => text(node, `md/${entry}/bad_blocks`) ?? []),
  )
  if (ofDisk === undefined && ofMembers.length === 0) return undefined
  const end = start + (size ?? Number.POSITIVE_INFINITY)
  const within = ranges(ofDisk ?? '').filter((range) => range.start < end && range.start + range.length > start)
  return within.length + ofMembers.flatMap(ranges).length
}

/** Lines of a sector and a count of sectors. */
const ranges = (lines: string) =>
  [...lines.matchAll(/^(\d+) (\d+)$/gm)].map(([, sector, count]) => ({
    start: Number(sector) * SECTOR_BYTES,
    length: Number(count) * SECTOR_BYTES,
  }))

const text = (folder: string, file: string): string | undefined => readText(join(folder, file))

function integer(folder: string, file: string): number | undefined {
  const value = text(folder, file)
  return value !== undefined && /^-?\d+$/.test(value) ? Number(value) : undefined
}

function flag(folder: string, file: string): boolean | undefined {
  const value = integer(folder, file)
  return value === undefined ? undefined : value !== 0
}

const resolved = (path: string): string | undefined => attempt(() => realpathSync(path))
