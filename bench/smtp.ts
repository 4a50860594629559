/*
 * Mail, beside Postfix and beside the library that the door stands on. All in one run, in turns; the load is smtp-source,
 * which shares the machine: absolute figures are the machine's, ratios are not. Postfix flushes its queue file before
 * 250, and delivers to the maildir meanwhile. Needs Debian's postfix, and root for it; absent servers are named.
 * The rows `attachment` are of a client of our own, to be held against each other: it logs in, and what it sends has parts.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { aim, printAims } from './aims.ts'
import type { SmtpTarget } from './smtp-load.ts'
import {
  bareDurable,
  bareNothing,
  cenote,
  cenoteParts,
  KEY,
  postfix,
  SECRET,
  type SmtpServer,
  type Start,
} from './smtp-peers.ts'
import { found } from './started.ts'
import { printTable } from './table.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3)
const MESSAGES = Number(process.env.BENCH_MESSAGES ?? 1500)
const LARGE_BYTES = Number(process.env.BENCH_BYTES ?? 100 << 20)
const MESSAGE_BYTES = 10 * 1024
const MEASURE_MS_MAX = 120_000
const run = promisify(execFile)
const load = new URL('./smtp-load.js', import.meta.url).pathname

/** Sessions at once, and whether each sends more than one message over its connection. */
const MEASURES = {
  'kept 1': { sessions: 1, isKept: true },
  'kept 20': { sessions: 20, isKept: true },
  'kept 100': { sessions: 100, isKept: true },
  'new 1': { sessions: 1, isKept: false },
  'new 20': { sessions: 20, isKept: false },
  'new 100': { sessions: 100, isKept: false },
} as const

type Measure = keyof typeof MEASURES
const MEASURE_NAMES = Object.keys(MEASURES) as Measure[]

interface Contender {
  readonly name: string
  readonly server: SmtpServer
  /** Where it sends, and who: smtp-source, or a client of our own whose mails have an attachment. */
  readonly target: SmtpTarget
  readonly hasAttachment: boolean
  readonly rates: Map<Measure, number[]>
  readonly large: number[]
}

async function startAll(root: string): Promise<SmtpServer[]> {
  const servers: SmtpServer[] = []
  for (const [name, start] of Object.entries({ cenote, postfix, bareDurable, bareNothing, cenoteParts })) {
    const folder = join(root, name)
    mkdirSync(folder)
    const server = await startOr(name, start, folder)
    if (server) servers.push(server)
  }
  return servers
}

/** Each server under smtp-source, but for the one with parts; and the rows of our own client. */
function contendersOf(servers: readonly SmtpServer[]): Contender[] {
  const contender = (server: SmtpServer, name = server.name, target = server.target): Contender => {
    const rates = new Map(MEASURE_NAMES.map((each) => [each, []]))
    return { name, server, target, hasAttachment: name !== server.name, rates, large: [] }
  }
  const loggedIn = ({ target }: SmtpServer) => ({ ...target, login: { key: KEY, secret: SECRET } })
  const withParts = servers.filter(({ hasParts }) => hasParts)
  const door = servers.filter(({ name }) => name === 'cenote')
  return [
    ...servers.filter(({ hasParts }) => !hasParts).map((server) => contender(server)),
    ...door.map((server) => contender(server, 'attachment')),
    ...door.map((server) => contender(server, 'attachment, AUTH', loggedIn(server))),
    ...withParts.map((server) => contender(server, 'attachment, AUTH, parts', loggedIn(server))),
  ]
}

async function startOr(name: string, start: Start, folder: string): Promise<SmtpServer | undefined> {
  try {
    return await start(folder)
  } catch (error) {
    if (start !== postfix) throw error
    console.log(`absent: ${name} (${(error as Error).message.split('\n')[0]})`)
    return undefined
  }
}

async function measure(contender: Contender, name: Measure): Promise<void> {
  const { sessions, isKept } = MEASURES[name]
  // At one session a message waits for a flush, alone: fewer tell enough.
  const messages = sessions === 1 ? Math.ceil(MESSAGES / 5) : MESSAGES
  const { hasAttachment, rates } = contender
  const rate = hasAttachment
    ? await own(contender, [sessions, messages, MESSAGE_BYTES], isKept)
    : await smtpSource(contender.target, sessions, messages, isKept)
  rates.get(name)!.push(rate)
}

async function smtpSource({ port, recipient }: SmtpTarget, sessions: number, messages: number, isKept: boolean) {
  const parameters = ['-s', sessions, '-m', messages, '-l', MESSAGE_BYTES, ...(isKept ? ['-d'] : [])].map(String)
  const args = [...parameters, '-f', 'bench@example.org', '-t', recipient, `inet:127.0.0.1:${port}`]
  const start = performance.now()
  await run(found('smtp-source', 'SMTP_SOURCE'), args, { timeout: MEASURE_MS_MAX })
  return (messages * 1000) / (performance.now() - start)
}

/** Mails per second of our own client; `numbers` are sessions, messages, and bytes of each. */
async function own({ target }: Contender, numbers: readonly number[], isKept: boolean): Promise<number> {
  const args = [load, ...numbers.map(String), isKept ? 'kept' : 'new', JSON.stringify(target)]
  return Number((await run(process.execPath, args, { timeout: MEASURE_MS_MAX })).stdout)
}

async function measureLarge(contender: Contender): Promise<void> {
  contender.large.push(LARGE_BYTES * (await own(contender, [1, 1, LARGE_BYTES], true)))
}

/** The most memory that a process has had at once, in bytes. */
function peakBytes({ process: child }: SmtpServer): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

function print(contenders: readonly Contender[]): void {
  const load = loadavg().map((each) => each.toFixed(1))
  console.log(
    `Mails of 10 KiB each second, over connections that are kept or new for each; MB/s of ${LARGE_BYTES >> 20} MiB`,
  )
  console.log(`medians of ${ROUNDS} rounds, load ${load.join(' ')}\n`)
  const rows = contenders.map(({ name, server, rates, large }) => [
    name,
    ...MEASURE_NAMES.map((each) => median(rates.get(each)!).toFixed(0)),
    (median(large) / 1e6).toFixed(0),
    (peakBytes(server) / 2 ** 20).toFixed(0),
  ])
  printTable(['server', ...MEASURE_NAMES, 'large', 'peak MiB'], rows)
}

function judge(contenders: readonly Contender[]): void {
  const rateOf = (named: string, measure: Measure) =>
    median(contenders.find(({ name }) => name.startsWith(named))?.rates.get(measure) ?? [])
  const compare = (title: string, peer: string, factor: number) => {
    const ratio = rateOf('cenote', 'kept 20') / rateOf(peer, 'kept 20')
    if (!Number.isNaN(ratio)) aim(`${title}: ${factor} or more`, ratio.toFixed(2), ratio >= factor)
  }
  compare('20 sessions, of Postfix', 'postfix', 2)
  compare('20 sessions, of the library storing nothing', 'smtp-server, storing nothing', 0.4)
  printAims()
}

const root = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
await chmod(root, 0o755) // Postfix gives its rights away.
const servers = await startAll(root)
const contenders = contendersOf(servers)
try {
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of MEASURE_NAMES) for (const contender of contenders) await measure(contender, name)
    for (const contender of contenders) await measureLarge(contender)
  }
  print(contenders)
  judge(contenders)
} finally {
  for (const { process: child } of servers) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  await rm(root, { recursive: true, force: true })
}
