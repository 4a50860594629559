/*
 * Queries over many objects of 20 attributes each, beside SQLite in process (python3), every column indexed, and beside a
 * scan of all entries, in one run. Both are asked through their own calls, with no network between.
 * Usage: node dist/bench/query.js [objects]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Catalog, openCatalog } from '../streams/index.ts'
import { aim, printAims } from './aims.ts'
import { COLUMNS, digestOf, drawn, recordAt, rowAt } from './query-objects.ts'
import { printTable } from './table.ts'

const OBJECTS = Number(process.argv[2] ?? 1_000_000)
const QUESTIONS = 200
/** Asked before of each kind, of both: a server has been asked before, too. */
const WARMING = 50
/** Records handed to the catalog at once, as when it is made again. */
const GROUP = 256
const PAGE = 100
const SELECTIVE_MS_MAX = 10
const SQLITE_RATIO_MAX = 5
const REBUILD_RATE_MIN = 10_000

interface Question {
  readonly query: string
  readonly sort?: string
  readonly parameters: readonly unknown[]
}

interface Kind {
  readonly name: string
  readonly sql: string
  /** Whether few objects are looked at: what the aim is of. */
  readonly selective: boolean
  ask(at: number): Question
}

const of = (at: number, salt: number, count = OBJECTS) => drawn(at, 1000 + salt, count)

const KINDS: readonly Kind[] = [
  {
    name: 'equality, one object',
    sql: `SELECT * FROM objects WHERE "checksum.sha256" = ? LIMIT ${PAGE}`,
    selective: true,
    ask: (at) => one(`checksum.sha256 = `, digestOf(of(at, 1))),
  },
  {
    name: 'equality, about 20',
    sql: `SELECT * FROM objects WHERE "user.customer" = ? LIMIT ${PAGE}`,
    selective: true,
    ask: (at) => one('user.customer = ', `customer-${of(at, 2, 50_000)}`),
  },
  {
    name: 'prefix, 100',
    sql: `SELECT * FROM objects WHERE "user.order" >= ? AND "user.order" < ? LIMIT ${PAGE}`,
    selective: true,
    ask(at) {
      const start = `order-${of(at, 3).toString().padStart(8, '0').slice(0, 6)}`
      return { query: `user.order:${start}*`, parameters: [start, `${start}~`] }
    },
  },
  {
    name: 'range, a page of it',
    sql: `SELECT * FROM objects WHERE "user.amount" >= ? AND "user.amount" < ? ORDER BY "user.amount" LIMIT ${PAGE}`,
    selective: true,
    ask(at) {
      const from = of(at, 4, 99_000)
      return { query: `user.amount >= ${from} AND user.amount < ${from + 50}`, parameters: [from, from + 50] }
    },
  },
  {
    name: 'range of times, an hour',
    sql: `SELECT * FROM objects WHERE "time" >= ? AND "time" < ? ORDER BY "time" LIMIT ${PAGE}`,
    selective: true,
    ask(at) {
      const [from, to] = [0, 3_600_000].map((ms) =>
        new Date(Date.UTC(2026, 0, 1) + of(at, 5) * 25_000 + ms).toISOString(),
      )
      return { query: `time >= ${from} AND time < ${to}`, parameters: [from, to] }
    },
  },
  {
    name: 'AND of three, one selective',
    sql: `SELECT * FROM objects WHERE "user.customer" = ? AND "user.state" = ? AND "content.type" = ? LIMIT ${PAGE}`,
    selective: true,
    ask(at) {
      const customer = `customer-${of(at, 6, 50_000)}`
      const query = `user.state:paid AND content.type:image/png AND user.customer:${customer}`
      return { query, parameters: [customer, 'paid', 'image/png'] }
    },
  },
  {
    name: 'AND of three, none selective',
    sql: `SELECT * FROM objects WHERE "user.project" = ? AND "user.device" = ? AND "user.state" = ? LIMIT ${PAGE}`,
    selective: false,
    ask(at) {
      const [project, device] = [`project-${of(at, 7, 500)}`, `device-${of(at, 8, 1000)}`]
      const query = `user.project:${project} AND user.device:${device} AND user.state:paid`
      return { query, parameters: [project, device, 'paid'] }
    },
  },
  {
    name: 'sorted page, of about 20',
    sql: `SELECT * FROM objects WHERE "user.customer" = ? ORDER BY "object.size" DESC LIMIT ${PAGE}`,
    selective: true,
    ask: (at) => ({ ...one('user.customer = ', `customer-${of(at, 9, 50_000)}`), sort: '-object.size' }),
  },
  {
    name: 'sorted page, of a fifth',
    sql: `SELECT * FROM objects WHERE "user.state" = ? ORDER BY "object.size" DESC LIMIT ${PAGE}`,
    selective: false,
    ask: () => ({ ...one('user.state = ', 'paid'), sort: '-object.size' }),
  },
]

const FACETS = ['content.type', 'user.country', 'user.state']

function one(start: string, value: string): Question {
  return { query: start + value, parameters: [value] }
}

interface Times {
  readonly times: readonly number[]
  readonly found: number
}

const percentile = ({ times }: Times, share: number) =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))]!

async function timed(work: (at: number) => Promise<number>, count = QUESTIONS, warming = WARMING): Promise<Times> {
  for (let at = 0; at < warming; at += 1) await work(count + at)
  const times: number[] = []
  let found = 0
  for (let at = 0; at < count; at += 1) {
    const start = performance.now()
    found += await work(at)
    times.push(performance.now() - start)
  }
  return { times, found }
}

async function bytesIn(directory: string): Promise<number> {
  const files = await readdir(directory)
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(directory, file))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function ingest(catalog: Catalog): Promise<{ seconds: number; cpu: number }> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  let making = 0
  for (let first = 0; first < OBJECTS; first += GROUP) {
    const made = process.cpuUsage()
    const records = Array.from({ length: Math.min(GROUP, OBJECTS - first) }, (_, at) => recordAt(first + at))
    const { user, system } = process.cpuUsage(made)
    making += (user + system) / 1e6
    await catalog.ready()
    catalog.apply(records, 1)
  }
  await catalog.settled(OBJECTS)
  const { user, system } = process.cpuUsage(cpu)
  // Drawing up the records is no part of it; what LevelDB did meanwhile is counted there, too.
  return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 - making }
}

/** Every entry looked at: no index has what NOT asks for. */
async function scan(catalog: Catalog): Promise<number> {
  const query = `NOT NOT user.customer = customer-${of(0, 2, 50_000)}`
  let cursor: string | undefined
  let found = 0
  do {
    const page = await catalog.query(query, { limit: PAGE, ...(cursor !== undefined && { cursor }) })
    found += page.objects.length
    cursor = page.cursor ?? undefined
  } while (cursor !== undefined)
  return found
}

interface Beside {
  readonly seconds: number
  readonly cpu: number
  readonly bytes: number
  readonly times: ReadonlyMap<string, Times>
}

async function sqlite(file: string): Promise<Beside> {
  const script = new URL('../../bench/query-sqlite.py', import.meta.url).pathname
  const child = spawn('python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const say = async (line: object) => {
    if (!child.stdin.write(`${JSON.stringify(line)}\n`)) await once(child.stdin, 'drain')
  }
  const hear = async <T>() => JSON.parse((await lines.next()).value as string) as T
  await say({ file, columns: COLUMNS, rows: OBJECTS, analyze: true })
  for (let index = 0; index < OBJECTS; index += 1) await say(rowAt(index))
  const made = await hear<Omit<Beside, 'times'>>()
  const times = new Map<string, Times>()
  for (const { name, sql, ask } of KINDS) {
    const parameters = Array.from({ length: QUESTIONS + WARMING }, (_, at) => ask(at).parameters)
    const warming = parameters.splice(QUESTIONS)
    await say({ kind: name, sql, warming, parameters })
    times.set(name, await hear<Times>())
  }
  for (const name of FACETS) {
    const sql = `SELECT "${name}", count(*) FROM objects GROUP BY 1 ORDER BY 2 DESC LIMIT 20`
    await say({ kind: name, sql, warming: [[]], parameters: Array.from({ length: 5 }, () => []) })
    times.set(name, await hear<Times>())
  }
  child.stdin.end()
  return { ...made, times }
}

const root = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
try {
  const directory = join(root, 'catalog')
  const catalog = await openCatalog({ directory })
  const made = await ingest(catalog)
  const ours = new Map<string, Times>()
  for (const { name, ask } of KINDS) {
    const page = async (at: number) => {
      const { query, sort } = ask(at)
      return (await catalog.query(query, { limit: PAGE, ...(sort !== undefined && { sort }) })).objects.length
    }
    ours.set(name, await timed(page))
  }
  for (const name of FACETS)
    ours.set(name, await timed(async () => (await catalog.facets('', { names: [name] })).facets[0]!.values.length))
  const scanned = await timed(() => scan(catalog), 1, 0)
  await catalog.close()
  const bytes = await bytesIn(directory)
  const beside = await sqlite(join(root, 'objects.db'))

  console.log(`${OBJECTS} objects of 20 attributes; milliseconds of ${QUESTIONS} questions each`)
  const rows = [...KINDS.map(({ name }) => name), ...FACETS].map((name) => {
    const [us, them] = [ours.get(name)!, beside.times.get(name)!]
    const ratio = percentile(us, 0.5) / percentile(them, 0.5)
    const figures = [us, them].flatMap((each) => [percentile(each, 0.5), percentile(each, 0.99)])
    return [
      FACETS.includes(name) ? `facet of ${name}` : name,
      ...figures.map((ms) => ms.toFixed(2)),
      ratio.toFixed(2),
      us.found,
      them.found,
    ]
  })
  printTable(['', 'p50', 'p99', 'SQLite p50', 'p99', 'ratio of p50', 'found', 'SQLite'], rows)
  console.log(`a scan of all entries: ${(scanned.times[0]! / 1000).toFixed(1)} s, ${scanned.found} found`)
  printTable(
    ['', 'records/s', 'processor µs/record', 'bytes/record'],
    [
      [
        'catalog',
        (OBJECTS / made.seconds).toFixed(0),
        ((made.cpu / OBJECTS) * 1e6).toFixed(0),
        (bytes / OBJECTS).toFixed(0),
      ],
      [
        'SQLite',
        (OBJECTS / beside.seconds).toFixed(0),
        ((beside.cpu / OBJECTS) * 1e6).toFixed(0),
        (beside.bytes / OBJECTS).toFixed(0),
      ],
    ],
  )
  const selective = KINDS.filter((kind) => kind.selective).map(({ name }) => name)
  const worst = Math.max(...selective.map((name) => percentile(ours.get(name)!, 0.99)))
  aim(`p99 of selective queries: < ${SELECTIVE_MS_MAX} ms`, `${worst.toFixed(1)} ms`, worst < SELECTIVE_MS_MAX)
  const ratios = selective.map((name) => percentile(ours.get(name)!, 0.5) / percentile(beside.times.get(name)!, 0.5))
  aim(
    `of SQLite: < ${SQLITE_RATIO_MAX} ×`,
    `${Math.max(...ratios).toFixed(1)} ×`,
    Math.max(...ratios) < SQLITE_RATIO_MAX,
  )
  const rate = OBJECTS / made.cpu
  aim(`made again on one core: > ${REBUILD_RATE_MIN} records/s`, `${rate.toFixed(0)} /s`, rate > REBUILD_RATE_MIN)
  printAims()
} finally {
  await rm(root, { recursive: true, force: true })
}
