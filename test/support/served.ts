import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

const MAIN = new URL('../../dist/server/main.js', import.meta.url).pathname

export const KEY = 'root'
export const SECRET = 'a-secret-that-only-tests-know'

/** A running server: the built program in a process of its own. */
export interface Served {
  readonly process: ChildProcess
  readonly http: string
  readonly ftp: string
  readonly smtp: string
  readonly output: () => string
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
}

export const POOL_BYTES = '256MiB'

/** Starts `cenote serve` on free ports; resolves once it has printed where its doors are. */
export async function serve(data: string, options: readonly string[] = []): Promise<Served> {
  const ports = ['--http', '127.0.0.1:0', '--ftp', '127.0.0.1:0', '--smtp', '127.0.0.1:0']
  const args = [MAIN, 'serve', '--data', data, '--pool-bytes', POOL_BYTES, ...ports, ...options]
  const env = { ...process.env, CENOTE_ROOT_KEY: KEY, CENOTE_ROOT_SECRET: SECRET }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stderr.on('data', (chunk) => {
    output += String(chunk)
  })
  const gone = once(child, 'exit')
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output += String(chunk)
      if (DOORS.every((door) => address(output, door))) resolve()
    })
    gone.then(([code]) => reject(new Error(`the server ended with ${code}: ${output}`)), reject)
  })
  await ready
  return {
    process: child,
    http: address(output, 'http')!,
    ftp: address(output, 'ftp')!,
    smtp: address(output, 'smtp')!,
    output: () => output,
    kill: async () => {
      child.kill('SIGKILL')
      await gone
    },
    stop: async () => {
      child.kill('SIGTERM')
      return (await gone)[0] as number | null
    },
  }
}

const DOORS = ['http', 'ftp', 'smtp'] as const

/** `host:port` of a door, from what the server prints. */
const address = (output: string, door: string): string | undefined =>
  new RegExp(`^\\s*${door}\\s+${door}://(\\S+)`, 'm').exec(output)?.[1]
