/*
 * Durable uploads over HTTP, beside node:http alone that drops the bytes, and that writes each body to a file and
 * flushes it. All in one run, in turns; the client shares the machine. Absolute figures are the machine's.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { printTable } from './table.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4)
const CONNECTIONS = 64
const LARGE_BYTES = 2 ** 30
const KEY = 'bench'
const SECRET = 'bench-secret-of-32-characters-00'
const AUTHORIZATION = `Bearer ${KEY}:${SECRET}`
const run = promisify(execFile)
const program = (name: string): string => new URL(`./${name}.js`, import.meta.url).pathname

interface Server {
  readonly name: string
  readonly process: ChildProcess
  readonly port: number
}

/** Starts a server and waits for the line that `port` finds its port in. */
async function start(name: string, args: readonly string[], port: RegExp): Promise<Server> {
  const env = { ...process.env, CENOTE_ROOT_KEY: KEY, CENOTE_ROOT_SECRET: SECRET }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  for await (const chunk of child.stdout) {
    output += String(chunk)
    const found = port.exec(output)
    if (found) return { name, process: child, port: Number(found[1]) }
  }
  throw new Error(`${name} ended: ${output}`)
}

async function stop({ process: child }: Server): Promise<void> {
  child.stdout?.resume()
  child.kill('SIGTERM')
  await once(child, 'exit')
}

async function measure(server: Server, ...args: readonly string[]): Promise<number> {
  const [kind, ...rest] = args
  const { stdout } = await run(process.execPath, [program('load'), kind!, String(server.port), ...rest, AUTHORIZATION])
  return Number(stdout)
}

/** The most memory that the process has held, in MiB (proc(5), VmHWM). */
async function peakMemory({ process: child }: Server): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!

const root = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
const files = join(root, 'files')
await mkdir(files)
const cenote = [
  'serve',
  '--data',
  join(root, 'data'),
  '--pool-bytes',
  '6GiB',
  '--http',
  '127.0.0.1:0',
  '--ftp',
  'off',
  '--smtp',
  'off',
]
const servers = [
  await start('node:http, dropped', [program('bare-server')], /^(\d+)$/m),
  await start('node:http, file + fdatasync', [program('bare-server'), files], /^(\d+)$/m),
  await start(
    'cenote',
    [new URL('../server/main.js', import.meta.url).pathname, ...cenote],
    /http:\/\/127\.0\.0\.1:(\d+)/,
  ),
]
try {
  const rows: string[][] = []
  const measured = servers.map(() => ({ small: [] as number[], large: [] as number[] }))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, server] of servers.entries()) {
      measured[i]!.small.push(await measure(server, 'small', String(CONNECTIONS), String(SECONDS)))
      measured[i]!.large.push(await measure(server, 'large', String(LARGE_BYTES)))
    }
  }
  const bare = { small: median(measured[0]!.small), large: median(measured[0]!.large) }
  for (const [i, server] of servers.entries()) {
    const small = median(measured[i]!.small)
    const large = median(measured[i]!.large)
    rows.push([
      server.name,
      small.toFixed(0),
      `${((100 * small) / bare.small).toFixed(0)} %`,
      (large / 1e6).toFixed(0),
      `${((100 * large) / bare.large).toFixed(0)} %`,
      (await peakMemory(server)).toFixed(0),
    ])
  }
  console.log(`PUT of 4 KiB on ${CONNECTIONS} connections, and of one stream of 1 GiB; medians of ${ROUNDS} rounds`)
  printTable(['server', 'PUT/s', 'of bare', 'MB/s', 'of bare', 'peak RSS MiB'], rows)
} finally {
  for (const server of servers) await stop(server)
  await rm(root, { recursive: true, force: true })
}
