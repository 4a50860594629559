import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { onTestFinished, test } from 'vitest'
import { temporaryFolder } from './temporary-folder.ts'

/** Real block devices and file systems for a test, on loop devices; all of it is gone when the test ends. */

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`

function run(command: string, ...parameters: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(command, parameters, { encoding: 'utf8', env: { ...process.env, PATH } })
}

/** What the command says; throws what it complains of. */
export function command(name: string, ...parameters: readonly string[]): string {
  const { status, stdout, stderr, error } = run(name, ...parameters)
  if (status !== 0) throw new Error(`${name} ${parameters.join(' ')}: ${error?.message ?? stderr}`)
  return stdout.trim()
}

/** Why this machine cannot make what a test needs; undefined when it can. */
function lack(needs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'that needs root'
  const missing = needs.find((name) => run('sh', '-c', `command -v ${name}`).status !== 0)
  if (missing) return `${missing} is not installed`
  if (!needs.includes('losetup')) return undefined
  return run('losetup', '--find').status === 0 ? undefined : 'this system gives no loop devices'
}

/** True when the tests called `what` can run; says why not otherwise. */
export function canRun(what: string, ...needs: readonly string[]): boolean {
  const reason = lack(needs)
  if (reason) console.log(`skipped: ${what}: ${reason}`)
  return reason === undefined
}

/** A test on loop devices, which says by name when it is skipped, and why. */
export function loopTest(name: string, needs: readonly string[], body: () => void | Promise<void>): void {
  test.skipIf(!canRun(name, 'losetup', ...needs))(name, body)
}

/** A file of zeros that are written, as far as the disk. */
export function zeroFile(bytes: number, folder = temporaryFolder()): string {
  const path = join(folder, 'zeros')
  writeFileSync(path, Buffer.alloc(bytes), { flush: true })
  return path
}

/** A file that has a size and no space. */
export function sparseFile(bytes: number, folder = temporaryFolder()): string {
  const path = join(folder, 'sparse')
  writeFileSync(path, '')
  truncateSync(path, bytes)
  return path
}

/** A loop device over `file`, a real block device with the kernel's cache above it; `options` are losetup's. */
export class LoopDevice {
  readonly path: string
  #isThere = true

  constructor(file: string, ...options: readonly string[]) {
    this.path = command('losetup', '--find', '--show', ...options, file)
  }

  detach(): void {
    if (this.#isThere) command('losetup', '--detach', this.path)
    this.#isThere = false
  }

  [Symbol.dispose](): void {
    this.detach()
  }
}

/** One that is there until the test ends, unless it is detached before. */
export function loopFor(file: string, ...options: readonly string[]): LoopDevice {
  const device = new LoopDevice(file, ...options)
  onTestFinished(() => device.detach())
  return device
}

export const loopOver = (file: string, ...options: readonly string[]): string => loopFor(file, ...options).path

/** A disk of so many bytes that takes no space yet. */
export const loopDevice = (bytes: number): string => loopOver(sparseFile(bytes))

/** A partition of `loop`; the kernel is told of it, so that no table need be written or understood. */
export function partitionOf(loop: string, index: number, startSector: number, sectors: number): string {
  command('addpart', loop, String(index), String(startSector), String(sectors))
  onTestFinished(() => void command('delpart', loop, String(index)))
  return `${loop}p${index}`
}

/** Makes a file system on `device` and mounts it. */
export function mounted(device: string, make: readonly string[], options = 'defaults'): string {
  const [program, ...parameters] = make
  command(program!, ...parameters, device)
  return mountedFrom(device, '-o', options)
}

/** Where `source` is mounted; `parameters` are those of mount. */
export function mountedFrom(source: string, ...parameters: readonly string[]): string {
  const folder = join(temporaryFolder(), basename(source))
  mkdirSync(folder)
  command('mount', ...parameters, source, folder)
  const { dev } = statSync(folder)
  // Lazily, so that a test that failed with a file open leaves no mount behind either.
  onTestFinished(() => {
    if (statSync(folder).dev === dev) command('umount', '--lazy', folder)
  })
  return folder
}

/** mkfs.xfs makes nothing smaller. */
const XFS_BYTES_MIN = 300 << 20
const BTRFS_BYTES_MIN = 128 << 20
const EXT4_BYTES = 64 << 20

/** An XFS that shares extents; `make` are more options of mkfs.xfs. */
export function xfs(make: readonly string[] = [], options?: string): string {
  return mounted(loopDevice(XFS_BYTES_MIN), ['mkfs.xfs', '-q', '-m', 'reflink=1', ...make], options)
}

export function btrfs(options?: string): string {
  return mounted(loopDevice(BTRFS_BYTES_MIN), ['mkfs.btrfs', '-q'], options)
}

export function ext4(options?: string): string {
  return mounted(loopDevice(EXT4_BYTES), ['mkfs.ext4', '-q'], options)
}

/** A file of FUSE that shows `file`. */
export function fuseOver(file: string): string {
  const folder = temporaryFolder()
  const [point, pidFile] = [join(folder, 'fuse'), join(folder, 'pid')]
  writeFileSync(point, '')
  const image = ['--blockdev', `driver=file,node-name=image,filename=${file}`]
  const shown = ['--export', `type=fuse,id=shown,node-name=image,mountpoint=${point},writable=on`]
  command('qemu-storage-daemon', ...image, ...shown, '--daemonize', '--pidfile', pidFile)
  onTestFinished(() => {
    command('umount', point)
    run('kill', readFileSync(pidFile, 'utf8').trim())
  })
  return point
}

/** Bytes of a file that the page cache holds. */
export const cachedBytes = (path: string): number =>
  Number(command('fincore', '--bytes', '--noheadings', '--output', 'RES', path))

/** What a device or file holds, in one word. */
export const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
