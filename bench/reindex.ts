import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createPool, type ManagedPool, openPool } from '../pool/index.ts'
import { type Attributes, type Catalog, type Origin, openCatalog, openStore } from '../streams/index.ts'
import { recordAt } from './query-objects.ts'
import { printTable } from './table.ts'

/*
 * A catalog that is lost, and an index that is made anew: how long until the store is open, how long until the index is
 * whole, what storing objects costs meanwhile, and how long the event loop waits. Objects have 20 attributes each.
 * Usage: node dist/bench/reindex.js [objects]
 */
const OBJECTS = Number(process.argv[2] ?? 200_000)
const GROUP = 500
const POOL_BYTES = (1 << 30) * Math.ceil(OBJECTS / 400_000)
/** Objects of one transaction, while storing is measured. */
const STORED_GROUP = 64

const origin: Origin = {
  principal: { application: 'bench', partition: 'main', permissions: ['object:read', 'object:write', 'bucket:create'] },
  protocol: 'http',
}

type OpenStore = Awaited<ReturnType<typeof openStore>>

function storeOf(pool: ManagedPool, catalog: Catalog): Promise<OpenStore> {
  return openStore({ pool, catalog, partition: 'main', stages: () => [], clock: Date })
}

/** As a client may set them. */
function named(attributes: Attributes): Attributes {
  const entries = Object.entries(attributes)
  return Object.fromEntries(entries.map(([name, value]) => [name.startsWith('user.') ? name : `user.${name}`, value]))
}

async function put(store: OpenStore, first: number, count: number): Promise<void> {
  const transaction = store.transaction()
  for (let index = first; index < first + count; index += 1) {
    const { record } = recordAt(index)
    if (record.operation !== 'put') throw new Error('objects are put')
    const { key } = record
    const attributes = named(record.attributes)
    const facts = { type: 'http', method: 'PUT', headers: {} } as const
    await transaction.begin({ origin, name: { bucket: 'inbox', key }, facts, expected: {}, attributes })
  }
  await transaction.commit()
}

interface Measure {
  readonly seconds: number
  readonly cpu: number
  /** How long the event loop waited at the longest, and at the 99th of 100 looks, in milliseconds. */
  readonly waitMax: number
  readonly wait99: number
}

async function measured(work: () => Promise<unknown>): Promise<Measure> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const cpu = process.cpuUsage()
  const start = performance.now()
  delay.enable()
  await work()
  delay.disable()
  const { user, system } = process.cpuUsage(cpu)
  const times = { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 }
  return { ...times, waitMax: delay.max / 1e6, wait99: delay.percentile(99) / 1e6 }
}

const rows: (readonly (string | number)[])[] = []
function told(name: string, objects: number, { seconds, cpu, waitMax, wait99 }: Measure): void {
  const rates = [Math.round(objects / seconds), ((cpu / objects) * 1e6).toFixed(0)]
  rows.push([name, seconds.toFixed(1), ...rates, wait99.toFixed(0), waitMax.toFixed(0)])
}

/** Stores objects until `due`; how many. */
async function store(to: OpenStore, first: number, due: () => boolean): Promise<number> {
  let count = 0
  while (!due()) {
    await put(to, first + count, STORED_GROUP)
    count += STORED_GROUP
  }
  return count
}

const folder = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
try {
  const path = join(folder, 'pool')
  await createPool(path, { members: [{ bytes: POOL_BYTES }] })
  const pool = await openPool(path)
  const filled = await openCatalog({ directory: join(folder, 'filled') })
  const filling = await storeOf(pool, filled)
  await filling.createBucket(origin, 'inbox')
  const fill = async () => {
    for (let first = 0; first < OBJECTS; first += GROUP) await put(filling, first, Math.min(GROUP, OBJECTS - first))
    await filled.settled(pool.position.sequence)
  }
  told('stored, and indexed at once', OBJECTS, await measured(fill))
  await filling.close()
  await filled.close()

  const catalog = await openCatalog({ directory: join(folder, 'catalog') })
  let opened = filling
  const open = async () => {
    opened = await storeOf(pool, catalog)
  }
  told('lost catalog, until it serves', OBJECTS, await measured(open))
  told('then, until the index is whole', OBJECTS, await measured(() => catalog.indexed()))

  let next = OBJECTS
  let count = 0
  const until = performance.now() + 10_000
  const alone = await measured(async () => {
    count = await store(opened, next, () => performance.now() > until)
  })
  told('stored, while nothing else is done', count, alone)
  next += count

  const reindexed = await measured(async () => {
    await catalog.reindex()
    while (catalog.index.phase === 'clearing') await catalog.makeIndex()
  })
  told('reindex: cleared', next, reindexed)
  told('reindex: made', next, await measured(() => catalog.indexed()))
  const both = await measured(async () => {
    await catalog.reindex()
    count = await store(opened, next, () => catalog.index.phase === 'whole')
  })
  told('reindex, while objects are stored', next, both)
  told('stored, while the index is made', count, both)
  await opened.close()
  await catalog.close()
  await pool.close()
} finally {
  await rm(folder, { recursive: true })
}
printTable(['', 'seconds', 'objects/s', 'CPU µs/object', 'loop p99 ms', 'loop max ms'], rows)
