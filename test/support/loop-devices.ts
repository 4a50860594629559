import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
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
  return run('losetup', '--find').status === 0 ? undefined : 'this system gives no loop devices'
}

/** A test on loop devices, which says by name when it is skipped, and why. */
export function loopTest(name: string, needs: readonly string[], body: () => void | Promise<void>): void {
  const reason = lack(['losetup', ...needs])
  if (reason) console.log(`skipped: ${name}: ${reason}`)
  test.skipIf(reason !== undefined)(name, body)
}

/** A file of zeros that are written. */
export function zeroFile(bytes: number, folder = temporaryFolder()): string {
  const path = join(folder, 'zeros')
  writeFileSync(path, Buffer.alloc(bytes))
  return path
}

/** A file that has a size and no space. */
export function sparseFile(bytes: number, folder = temporaryFolder()): string {
  const path = join(folder, 'sparse')
  writeFileSync(path, '')
  truncateSync(path, bytes)
  return path
}

/** A loop device over `file`; `options` are losetup's. */
export function loopOver(file: string, ...options: readonly string[]): string {
  const device = command('losetup', '--find', '--show', ...options, file)
  onTestFinished(() => void command('losetup', '--detach', device))
  return device
}

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
  const folder = join(temporaryFolder(), basename(device))
  mkdirSync(folder)
  command('mount', '-o', options, device, folder)
  onTestFinished(() => void command('umount', folder))
  return folder
}

/** mkfs.xfs makes nothing smaller. */
const XFS_BYTES_MIN = 300 << 20
const BTRFS_BYTES_MIN = 128 << 20

/** An XFS that shares extents; `make` are more options of mkfs.xfs. */
export function xfs(make: readonly string[] = [], options?: string): string {
  return mounted(loopOver(sparseFile(XFS_BYTES_MIN)), ['mkfs.xfs', '-q', '-m', 'reflink=1', ...make], options)
}

export function btrfs(options?: string): string {
  return mounted(loopOver(sparseFile(BTRFS_BYTES_MIN)), ['mkfs.btrfs', '-q'], options)
}

export function ext4(options?: string): string {
  return mounted(loopOver(sparseFile(32 << 20)), ['mkfs.ext4', '-q'], options)
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

/** What a device or file holds, in one word. */
export const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
