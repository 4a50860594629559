/*
 * Durable 4 KiB commits per second, beside one file per object (write a temporary file, fdatasync, rename, fsync the
 * folder) in the same run. Absolute figures are the machine's; the ratio is ours.
 */
import { mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPool, openPool, type Pool } from '../pool/index.ts'
import { printTable } from './table.ts'

const OBJECT_BYTES = 4096
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3)
const content = Buffer.alloc(400, 'a')
const bytes = Buffer.alloc(OBJECT_BYTES, 7)

/** Runs `task` from `inFlight` loops for SECONDS; returns runs per second. */
async function rate(inFlight: number, task: (i: number) => Promise<void>): Promise<number> {
  const start = performance.now()
  const end = start + SECONDS * 1000
  let runs = 0
  const loop = async () => {
    while (performance.now() < end) await task(runs++)
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  return (runs * 1000) / (performance.now() - start)
}

async function commit(pool: Pool): Promise<void> {
  const transaction = pool.begin()
  const payload = transaction.stage()
  await payload.write(bytes)
  await transaction.commit(() => ({ records: [{ content, payloads: [payload] }], releases: [] }))
}

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

const root = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
try {
  const rows: (string | number)[][] = []
  for (const inFlight of [1, 8, 64, 256]) {
    const path = join(root, `${inFlight}.block`)
    await createPool(path, { bytes: 4 * 2 ** 30 })
    const pool = await openPool(path)
    const commits = await rate(inFlight, () => commit(pool))
    const { batches, commits: count } = pool.status()
    await pool.close()
    await rm(path)
    const folder = join(root, `files-${inFlight}`)
    await mkdir(folder)
    const files = await rate(inFlight, (i) => writeFileDurably(folder, String(i)))
    const ratio = `${(commits / files).toFixed(1)} x`
    rows.push([inFlight, Math.round(commits), (count / batches).toFixed(1), Math.round(files), ratio])
  }
  printTable(['in flight', 'commits/s', 'commits per batch', 'files/s', 'ratio'], rows)
} finally {
  await rm(root, { recursive: true, force: true })
}
