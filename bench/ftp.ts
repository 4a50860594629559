/*
 * Files over FTP, plain and under TLS, beside the servers that Debian has. All in one run, in turns, with one client,
 * which shares the machine: absolute figures are the machine's, ratios are not. What Cenote answers with 226 is durable
 * and has its SHA-256; the others flush nothing, so each of them is measured as it is, and with a fdatasync of each file
 * by the client after its 226. Needs root for vsftpd and pure-ftpd; absent servers are named.
 */
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { aim, printAims } from './aims.ts'
import type { FtpTarget } from './ftp-load.ts'
import { type Certificate, cenote, type FtpServer, pureFtpd, pyftpdlib, type Start, vsftpd } from './ftp-peers.ts'
import { printTable } from './table.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4)
const BYTES = Number(process.env.BENCH_BYTES ?? 2 ** 30)
/** A server that is stuck is told, and has no figure. */
const MEASURE_MS_MAX = SECONDS * 1000 + 60_000
const run = promisify(execFile)
const load = new URL('./ftp-load.js', import.meta.url).pathname

/** What is measured: the arguments of the client, and whether under TLS. */
const MEASURES = {
  one: { args: ['small', '1', String(SECONDS)], tls: false },
  fifty: { args: ['small', '50', String(SECONDS)], tls: false },
  store: { args: ['store', String(BYTES)], tls: false },
  retrieve: { args: ['retrieve', String(BYTES)], tls: false },
  storeTls: { args: ['store', String(BYTES)], tls: true },
  retrieveTls: { args: ['retrieve', String(BYTES)], tls: true },
} as const

type Measure = keyof typeof MEASURES

/** A server as it is, or with a client that flushes. */
interface Contender {
  readonly name: string
  readonly server: FtpServer
  readonly folder?: string
  readonly figures: { readonly [measure in Measure]: number[] }
}

function contendersOf(server: FtpServer): Contender[] {
  const figures = () => ({ one: [], fifty: [], store: [], retrieve: [], storeTls: [], retrieveTls: [] })
  const asItIs = { name: server.name, server, figures: figures() }
  const { folder } = server
  return folder ? [asItIs, { name: `${server.name} + fdatasync`, server, folder, figures: figures() }] : [asItIs]
}

async function startAll(root: string, certificate: Certificate): Promise<FtpServer[]> {
  const servers: FtpServer[] = []
  const all: { readonly [name: string]: Start } = { cenote, pyftpdlib, vsftpd, 'pure-ftpd': pureFtpd }
  for (const [name, start] of Object.entries(all)) {
    const folder = join(root, name)
    mkdirSync(folder)
    try {
      servers.push(await start(folder, certificate))
    } catch (error) {
      if (start === cenote) throw error
      console.log(`absent: ${name} (${(error as Error).message.split('\n')[0]})`)
    }
  }
  return servers
}

function makeCertificate(root: string): Certificate {
  const pair = { certificate: join(root, 'certificate.pem'), key: join(root, 'key.pem') }
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-noenc', '-days', '2', '-subj', '/CN=localhost']
  execFileSync('openssl', [...args, '-keyout', pair.key, '-out', pair.certificate], { stdio: 'ignore' })
  return pair
}

async function measure({ server, folder, figures }: Contender, name: Measure): Promise<void> {
  const { args, tls } = MEASURES[name]
  if (name.startsWith('retrieve') && folder) return // Nothing is stored, so nothing is to be flushed.
  const target: FtpTarget = { ...server.target, tls, ...(folder && { folder }) }
  try {
    const { stdout } = await run(process.execPath, [load, ...args, JSON.stringify(target)], { timeout: MEASURE_MS_MAX })
    figures[name].push(Number(stdout))
  } catch (error) {
    console.log(`${name} of ${server.name} failed: ${(error as { stderr?: string }).stderr?.trim() || 'it was stuck'}`)
  }
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const shown = (values: readonly number[], unit: number): string =>
  values.length > 0 ? (median(values) / unit).toFixed(0) : ''

function print(contenders: readonly Contender[]): void {
  const rows = contenders.map(({ name, figures }) => [
    name,
    ...[figures.one, figures.fifty].map((each) => shown(each, 1)),
    ...[figures.store, figures.retrieve, figures.storeTls, figures.retrieveTls].map((each) => shown(each, 1e6)),
  ])
  console.log(`Files of 10 KiB each second on one connection and on 50; MB/s of ${BYTES / 2 ** 20} MiB`)
  console.log(
    `medians of ${ROUNDS} rounds, load ${loadavg()
      .map((each) => each.toFixed(1))
      .join(' ')}\n`,
  )
  printTable(['server', '1', '50', 'STOR', 'RETR', 'STOR TLS', 'RETR TLS'], rows)
}

function judge([ours, ...peers]: readonly Contender[]): void {
  const asIs = peers.filter(({ folder }) => folder === undefined)
  const durable = peers.filter(({ folder }) => folder !== undefined)
  const compare = (name: string, measured: Measure, others: readonly Contender[], factor: number) => {
    const best = Math.max(
      ...others.map(({ figures }) => median(figures[measured])).filter((each) => !Number.isNaN(each)),
    )
    const ratio = median(ours!.figures[measured]) / best
    if (others.length > 0) aim(`${name}: ${factor} or more`, ratio.toFixed(2), ratio >= factor)
  }
  compare(
    "files on one connection, of pyftpdlib's",
    'one',
    asIs.filter(({ name }) => name === 'pyftpdlib'),
    1,
  )
  compare('files on one connection, of the fastest made durable', 'one', durable, 1)
  compare('files on 50 connections, of the fastest made durable', 'fifty', durable, 1)
  compare('STOR, of the fastest made durable', 'store', durable, 0.7)
  compare('STOR under TLS, of the fastest made durable', 'storeTls', durable, 0.7)
  compare('RETR, of the fastest', 'retrieve', asIs, 0.5)
  compare('RETR under TLS, of the fastest', 'retrieveTls', asIs, 0.9)
  printAims()
}

const root = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
await chmod(root, 0o755) // Some servers act as users who have few rights.
const servers = await startAll(root, makeCertificate(root))
try {
  const contenders = servers.flatMap(contendersOf)
  for (let round = 0; round < ROUNDS; round++)
    for (const name of Object.keys(MEASURES) as Measure[])
      for (const contender of contenders) await measure(contender, name)
  print(contenders)
  judge(contenders)
} finally {
  for (const { process: child } of servers) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  await rm(root, { recursive: true, force: true })
}
