import { getSystemErrorName } from 'node:util'

/** `EIO` for 5. */
export function errnoName(errno: number): string {
  return errno > 0 ? getSystemErrorName(-errno) : `errno ${errno}`
}

/** A system call that failed, as node:fs would tell of it. */
export class SystemCallError extends Error {
  readonly code: string

  constructor(call: string, errno: number) {
    const code = errnoName(errno)
    super(`${code}: ${call}`)
    this.name = 'SystemCallError'
    this.code = code
  }
}
