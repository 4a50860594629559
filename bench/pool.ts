/*
 * What a pool costs beside the disk that it lies on: large objects, write amplification, verified reads, opening, and
 * the layouts. Each ratio is of figures taken in turns in one run; absolute ones are the machine's.
 * Usage: node dist/bench/pool.js [large | amplification | reads | recovery | layouts …]
 *   BENCH_DIR    a folder on the disk in question    BENCH_SMALL=1    an eighth of everything
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { printAims } from './aims.ts'
import { measureAmplification } from './amplification.ts'
import { zeros } from './block-files.ts'
import { measureLarge } from './large.ts'
import { measureLayouts } from './layouts.ts'
import { SCALE } from './loops.ts'
import { measureReads } from './reads.ts'
import { measureRecovery } from './recovery.ts'

const GIB = 2 ** 30

const folder = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
const [first, second] = ['first', 'second'].map((name) => join(folder, name)) as [string, string]

const parts: Readonly<Record<string, () => Promise<void>>> = {
  large: () => measureLarge(first, second),
  amplification: () => measureAmplification(second),
  reads: () => measureReads(first),
  recovery: () => measureRecovery(first),
  layouts: () => measureLayouts([first, second]),
}
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts)
try {
  await zeros(first, 2.5 * GIB * Math.max(SCALE, 1 / 4))
  await zeros(second, GIB * SCALE)
  for (const part of wanted) await parts[part]!()
  printAims()
} finally {
  await rm(folder, { recursive: true, force: true })
}
