import koffi from 'koffi'

const LOCK_EX = 2
const LOCK_NB = 4
const EWOULDBLOCK = 11

let flock: ((descriptor: number, operation: number) => number) | undefined

/**
 * Takes an exclusive advisory lock on an open file (flock(2)). It is held until the descriptor is closed, by whatever
 * way the process ends. False when another process holds it; any other failure throws.
 */
export function lockExclusively(descriptor: number): boolean {
  flock ??= koffi.load(null).func('int flock(int, int)')
  if (flock(descriptor, LOCK_EX | LOCK_NB) === 0) return true
  const errno = koffi.errno()
  if (errno === EWOULDBLOCK) return false
  throw new Error(`flock failed with errno ${errno}`)
}
