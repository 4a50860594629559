/*
 * Durable random overwrites of 4 KiB in a volume, beside pwrite and fdatasync in a plain file in the same run, which
 * may tear; and of two blocks at once, beside what a program does that must not tear them: write both to a journal,
 * fdatasync, write them in place, fdatasync. Absolute figures are the machine's; the ratios are ours.
 */
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPool, openPool, openVolumes, type Volume } from '../pool/index.ts'
import { printTable } from './table.ts'

const BLOCK = 4096
const BLOCKS = 16_384
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3)
const bytes = Buffer.alloc(BLOCK, 7)
const below = (bound: number): number => Math.floor(Math.random() * bound)

/** Runs `task` from `inFlight` loops for SECONDS; returns runs per second. */
async function rate(inFlight: number, task: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  const end = start + SECONDS * 1000
  let runs = 0
  const loop = async () => {
    for (; performance.now() < end; runs++) await task()
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
  return (runs * 1000) / (performance.now() - start)
}

const place = () => ({ offset: below(BLOCKS) * BLOCK, bytes })
const overwrite = (volume: Volume) => volume.write([place()])

/** Two blocks that differ, in one write. */
function overwriteTwo(volume: Volume): Promise<unknown> {
  const first = below(BLOCKS / 2)
  return volume.write([
    { offset: first * BLOCK, bytes },
    { offset: (first + 1 + below(BLOCKS / 2 - 1)) * BLOCK, bytes },
  ])
}

async function overwriteFile(file: FileHandle): Promise<void> {
  await file.write(bytes, 0, BLOCK, below(BLOCKS) * BLOCK)
  await file.datasync()
}

async function overwriteTwoByJournal(file: FileHandle, journal: FileHandle): Promise<void> {
  await journal.write(Buffer.alloc(2 * BLOCK, 7), 0, 2 * BLOCK, below(BLOCKS) * 2 * BLOCK)
  await journal.datasync()
  await file.write(bytes, 0, BLOCK, below(BLOCKS) * BLOCK)
  await file.write(bytes, 0, BLOCK, below(BLOCKS) * BLOCK)
  await file.datasync()
}

/** Writes everything once, so that all that is measured overwrites. */
async function fill(volume: Volume, file: FileHandle): Promise<void> {
  const stride = 16
  for (let block = 0; block < BLOCKS; block += stride) {
    await volume.write([{ offset: block * BLOCK, bytes: Buffer.alloc(stride * BLOCK, 1) }])
    await file.write(Buffer.alloc(stride * BLOCK, 1), 0, stride * BLOCK, block * BLOCK)
  }
  await file.sync()
}

const readRate = (volume: Volume) => rate(4, () => volume.read(below(BLOCKS) * BLOCK, BLOCK))

const root = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
try {
  const path = join(root, 'pool.block')
  await createPool(path, { members: [{ bytes: 2 ** 30 }] })
  const pool = await openPool(path)
  const volumes = await openVolumes(pool)
  const volume = await volumes.create('bench', BLOCKS * BLOCK)
  const file = await open(join(root, 'plain'), 'w+')
  const journal = await open(join(root, 'journal'), 'w+')
  await fill(volume, file)
  for (let block = 0; block < 2 * BLOCKS; block += 64) await journal.write(Buffer.alloc(64 * BLOCK, 1))
  await journal.sync()
  const rows: (string | number)[][] = []
  for (const inFlight of [1, 16, 64]) {
    const { commits, batches } = pool.status()
    const overwrites = await rate(inFlight, () => overwrite(volume))
    const now = pool.status()
    const two = await rate(inFlight, () => overwriteTwo(volume))
    const plain = await rate(inFlight, () => overwriteFile(file))
    const perBatch = ((now.commits - commits) / (now.batches - batches)).toFixed(1)
    const journalled = await rate(inFlight, () => overwriteTwoByJournal(file, journal))
    const ratioOf = (one: number, other: number) => `${(one / other).toFixed(1)} x`
    const left = [inFlight, Math.round(overwrites), perBatch, Math.round(plain), ratioOf(overwrites, plain)]
    rows.push([...left, Math.round(two), Math.round(journalled), ratioOf(two, journalled)])
  }
  const one = ['in flight', 'volume/s', 'commits per batch', 'pwrite+fdatasync/s', 'ratio']
  printTable([...one, 'volume, two blocks/s', 'file with a journal/s', 'ratio'], rows)
  const [{ writtenBytes, storedBytes }] = volumes.list() as [ReturnType<typeof volumes.list>[number]]
  console.log(`reads of one block, 4 in flight: ${Math.round(await readRate(volume))}/s`)
  console.log(`payload bytes for each written byte: ${(storedBytes / writtenBytes).toFixed(2)}`)
  await file.close()
  await journal.close()
  await volumes.close()
  await pool.close()
} finally {
  await rm(root, { recursive: true, force: true })
}
