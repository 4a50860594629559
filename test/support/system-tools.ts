import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test } from 'vitest'

/*
 * What some tests need of the machine. Where it is not to be had the test skips itself, and says by name what is missing:
 * a test that passes because it did nothing would prove the opposite of what it claims.
 */

/** What is missing, in words; undefined when it is there. */
export type Need = () => string | undefined

/** A command, by its name or by its path, and the Debian package that brings it. */
export function command(name: string, debianPackage: string): Need {
  return () => (isOnPath(name) ? undefined : `${name} is not installed (Debian package ${debianPackage})`)
}

/** FUSE mounts and loop devices are the superuser's. */
export const superuser: Need = () => (process.getuid?.() === 0 ? undefined : 'root is needed')

export function deviceFile(path: string): Need {
  return () => (isAccessible(path, constants.R_OK | constants.W_OK) ? undefined : `there is no ${path} to write to`)
}

/** A container may have strace and forbid ptrace(2). */
export const tracing: Need = () => {
  const missing = command('strace', 'strace')()
  if (missing) return missing
  const { status } = spawnSync('strace', ['-qq', '-f', '-o', '/dev/null', 'true'])
  return status === 0 ? undefined : 'strace may not trace a process here'
}

export const loopbackOfIPv6: Need = () =>
  isAccessible('/proc/net/if_inet6', constants.R_OK) && /^0{31}1 /m.test(readFileSync('/proc/net/if_inet6', 'utf8'))
    ? undefined
    : 'there is no ::1 here'

export const curl = command('curl', 'curl')
export const clientsOfAllDoors: readonly Need[] = [curl, command('lftp', 'lftp'), command('swaks', 'swaks')]
export const fuseExport: readonly Need[] = [
  command('qemu-storage-daemon', 'qemu-system-common'),
  deviceFile('/dev/fuse'),
  superuser,
]
export const loopDevice: readonly Need[] = [command('losetup', 'mount'), deviceFile('/dev/loop-control')]

export const isThere = (needs: readonly Need[]): boolean => needs.every((need) => need() === undefined)

/** A test that runs where everything that it needs is there, and else says what is not. */
export function testWith(needs: readonly Need[], name: string, body: () => Promise<void>): void {
  const missing = needs.map((need) => need()).filter((reason) => reason !== undefined)
  if (missing.length > 0) console.log(`skipped: ${missing.join('; ')} (${name})`)
  test.skipIf(missing.length > 0)(name, body)
}

function isOnPath(name: string): boolean {
  const folders = `${process.env.PATH ?? ''}${delimiter}/usr/sbin`.split(delimiter)
  return folders.some((folder) => isAccessible(join(folder, name), constants.X_OK))
}

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
