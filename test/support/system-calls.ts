import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import type { Trouble } from './recorded-life.ts'

/* Faults of the system calls that a server makes on its pool, by strace: the n-th one fails, or is the last thing it does. */

export type Call = 'fdatasync' | 'pwrite64' | 'pread64'
/** What becomes of the call. `retval=0` writes nothing and says so: a short write, told as the truth. */
export type Effect = 'error=EIO' | 'error=ENOSPC' | 'retval=0' | 'signal=KILL'

export interface Fault {
  readonly call: Call
  readonly effect: Effect
  /** The number of the call among those of its kind on the pool, from 1 on. */
  readonly number: number
}

export const nameOf = ({ call, effect, number }: Fault): string => `${call} ${number} ${effect}`

/** What a server that cannot start says, each in its own words; one that is killed says nothing. */
const EXPLAINED: Record<Effect, RegExp> = {
  'error=EIO': /EIO: i\/o error/,
  'error=ENOSPC': /ENOSPC: no space left/,
  'retval=0': /short write: 0 of \d+ bytes/,
  'signal=KILL': /^the server ended: $/m,
}

/**
 * strace counts for each thread, and only calls on the pool: it is one thread that makes them. The server keeps its own process
 * id, and strace ends with it. Signals are not delivered under --seccomp-bpf, which otherwise spares the stops at every other
 * call.
 */
export function injected(fault: Fault, log: string): Trouble {
  const { call, effect, number } = fault
  const quick = effect === 'signal=KILL' ? [] : ['--seccomp-bpf']
  return {
    tracer: (device) => [
      ...['strace', '-D', '-f', ...quick, '-qq', '-o', log, '-P', device],
      ...['-e', `trace=${call}`, '-e', `inject=${call}:${effect}:when=${number}`],
    ],
    happened: () => existsSync(log) && /\(INJECTED\)|killed by SIGKILL/.test(readFileSync(log, 'latin1')),
    refusal: EXPLAINED[effect],
    // A write that fails may have been of an upload's bytes: that upload is refused, and the pool goes on.
    isFinal: call === 'fdatasync',
  }
}

/**
 * A disk that becomes full at byte `bytes` of the pool: the write across it is truly short, and those beyond it fail, once the
 * server runs (RLIMIT_FSIZE by prlimit; Node ignores the signal that comes with it).
 */
export function fullAt(bytes: number, log: string): Trouble {
  return {
    tracer: (device) => ['strace', '-D', '-f', '--seccomp-bpf', '-qq', '-o', log, '-P', device, '-e', 'trace=pwrite64'],
    started: ({ pid }) => void execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}`]),
    happened: () => existsSync(log) && readFileSync(log, 'latin1').includes('EFBIG'),
    refusal: /EFBIG/,
    isFinal: false,
  }
}
