/*
 * Durable 4 KiB commits per second, beside one file per object (write a temporary file, fdatasync, rename, fsync the
 * folder) in the same run, in turns. Absolute figures are the machine's; the ratio is ours.
 */
import { mkdtemp, open, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aim, printAims } from './aims.ts'
import { zeros } from './block-files.ts'
import { median, rateFor, SCALE } from './loops.ts'
import { countsOf, freshPool, store } from './pools.ts'
import { printTable } from './table.ts'

const OBJECT_BYTES = 4096
/** Of each turn. */
const SECONDS = Number(process.env.BENCH_SECONDS ?? 2 * Math.sqrt(SCALE))
const ROUNDS = 3
const POOL_BYTES = 2 * 2 ** 30
const bytes = Buffer.alloc(OBJECT_BYTES, 7)

async function writeFileDurably(folder: string, name: string): Promise<void> {
  const file = await open(join(folder, `${name}.tmp`), 'w')
  await file.write(bytes)
  await file.datasync()
  await file.close()
  await rename(join(folder, `${name}.tmp`), join(folder, name))
  const parent = await open(folder, 'r')
  await parent.sync()
  await parent.close()
}

interface Turn {
  readonly commits: number
  readonly flushesPerCommit: number
  readonly files: number
}

async function turn(path: string, inFlight: number): Promise<Turn> {
  const counted = await freshPool([path])
  const { flushes } = countsOf(counted)
  const commits = await rateFor(inFlight, SECONDS, () => store(counted, bytes, OBJECT_BYTES))
  const flushesPerCommit = (countsOf(counted).flushes - flushes) / counted.pool.status().commits
  await counted.pool.close()
  const folder = await mkdtemp(`${path}-files-`)
  const files = await rateFor(inFlight, SECONDS, (i) => writeFileDurably(folder, String(i)))
  await rm(folder, { recursive: true })
  return { commits, flushesPerCommit, files }
}

async function compare(path: string): Promise<void> {
  const rows: (string | number)[][] = []
  for (const inFlight of [1, 8, 64, 256]) {
    const turns: Turn[] = []
    for (let round = 0; round < ROUNDS; round++) turns.push(await turn(path, inFlight))
    const of = (field: keyof Turn) => median(turns.map((turn) => turn[field]))
    const ratio = median(turns.map(({ commits, files }) => commits / files))
    const flushes = of('flushesPerCommit')
    const cells = [Math.round(of('commits')), Math.round(of('files')), `${ratio.toFixed(1)} x`, flushes.toFixed(4)]
    rows.push([inFlight, ...cells])
    if (inFlight < 256) continue
    aim('4 KiB commits, 256 in flight: ≥ 20 x a file per object', `${ratio.toFixed(1)} x`, ratio >= 20)
    aim('flushes for each commit, 256 in flight: ≤ 0.01', flushes.toFixed(4), flushes <= 0.01)
  }
  printTable(['in flight', 'commits/s', 'files/s', 'ratio', 'flushes for each commit'], rows)
  printAims()
}

const root = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
try {
  const path = join(root, 'block-file')
  await zeros(path, POOL_BYTES * Math.max(SCALE, 1 / 2))
  await compare(path)
} finally {
  await rm(root, { recursive: true, force: true })
}
