import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './temporary-folder.ts'

/*
 * Real block devices and file systems on files: loop devices, for which root is needed. A test that cannot have one says
 * so by name and is skipped.
 */

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`)
  return stdout.trim()
}

const has = (program: string): boolean =>
  ['/usr/sbin', '/sbin', '/usr/bin', '/bin'].some((folder) => existsSync(join(folder, program)))

/** True when the tests called `what` can run; says why not otherwise. */
export function canRun(what: string, ...programs: readonly string[]): boolean {
  const lacks = programs.filter((program) => !has(program))
  if (process.getuid?.() !== 0) lacks.push('root')
  if (programs.includes('losetup') && !existsSync('/dev/loop-control')) lacks.push('/dev/loop-control')
  if (lacks.length > 0) console.warn(`SKIPPED: ${what}: this machine has no ${lacks.join(', no ')}`)
  return lacks.length === 0
}

/** A loop device over `file`, detached when the test ends. */
export function loopOver(file: string, ...options: readonly string[]): string {
  const device = run('losetup', '--find', '--show', ...options, file)
  onTestFinished(() => void spawnSync('losetup', ['--detach', device]))
  return device
}

export function loopDevice(bytes: number): string {
  const file = join(temporaryFolder(), 'disk')
  run('truncate', '-s', String(bytes), file)
  return loopOver(file)
}

/** Where what `mount` is told to mount lies until the test ends. */
export function mounted(...args: readonly string[]): string {
  const folder = join(temporaryFolder(), 'mount')
  mkdirSync(folder)
  run('mount', ...args, folder)
  const device = statSync(folder).dev
  // Lazily, so that a test that failed with a file open leaves no mount behind either.
  onTestFinished(() => {
    if (statSync(folder).dev === device) run('umount', '--lazy', folder)
  })
  return folder
}

export function xfs(disk = loopDevice(320 << 20)): string {
  run('mkfs.xfs', '-q', '-f', '-m', 'reflink=1', disk)
  return mounted('-o', 'nouuid', disk)
}

export function ext4(...options: readonly string[]): string {
  const disk = loopDevice(64 << 20)
  run('mkfs.ext4', '-q', '-F', disk)
  return mounted(...options, disk)
}

/** A file of written zeros in `folder`. */
export function preallocated(folder: string, bytes: number): string {
  const path = join(folder, 'device')
  writeFileSync(path, Buffer.alloc(bytes), { flush: true })
  return path
}

/** Bytes of a file that the page cache holds. */
export function cachedBytes(path: string): number {
  return Number(run('fincore', '--bytes', '--noheadings', '--output', 'RES', path))
}
