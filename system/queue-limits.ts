import { readFileSync } from 'node:fs'

/**
 * A limit of the request queue of the disk with this device number (sysfs-block, `queue/*`): undefined when there is no
 * such disk, as below btrfs or tmpfs, or no such limit. A partition has the queue of its disk.
 */
export function queueLimit(disk: number, name: string): string | undefined {
  const folder = `/sys/dev/block/${major(disk)}:${minor(disk)}`
  for (const queue of ['queue', '../queue']) {
    try {
      return readFileSync(`${folder}/${queue}/${name}`, 'utf8').trim()
    } catch {
      // Not a disk, or a partition: the next folder, or none, has it.
    }
  }
  return undefined
}

export function queueLimitNumber(disk: number, name: string): number | undefined {
  const value = Number(queueLimit(disk, name) ?? Number.NaN)
  return Number.isSafeInteger(value) ? value : undefined
}

/* makedev(3): the lowest 8 bits of the minor number, 12 of the major one, the rest of the minor one. */
const major = (disk: number): number => (disk >>> 8) & 0xfff
const minor = (disk: number): number => (disk & 0xff) | ((disk >>> 12) & 0xfff00)
