/*
 * A file device through the page cache and around it, in turns: durable batches, a stream, and reads of what was just
 * read (hot) and of what was not. Absolute figures are the machine's.
 * Usage: node dist/bench/device.js [file or block device, overwritten]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileDevice } from '../pool/index.ts'
import { alignedSharedBuffer } from '../system/index.ts'
import { zeros } from './block-files.ts'
import { printTable } from './table.ts'

const FILE_BYTES = 512 << 20
const SIZES = [4096, 65_536, 512 * 1024, 1 << 20]
const ROUNDS = 4
const BATCHES = 100
const MODES = ['buffered', 'direct'] as const
type Mode = (typeof MODES)[number]

const name = (bytes: number): string => (bytes < 1 << 20 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`)

function quantile(values: readonly number[], fraction: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * fraction)]!
}

async function microseconds(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await task()
  return (performance.now() - start) * 1000
}

/** Runs `task` with a device opened each way in turn; results by way. */
async function inTurns<T>(path: string, task: (device: FileDevice, round: number) => Promise<T[]>) {
  const results: Record<Mode, T[]> = { buffered: [], direct: [] }
  for (let round = 0; round < ROUNDS; round++) {
    for (const io of round % 2 === 0 ? MODES : MODES.toReversed()) {
      const device = FileDevice.open(path, { io })
      await device.read(0, Buffer.alloc(4096)) // The thread has begun.
      results[io].push(...(await task(device, round)))
      await device.close()
    }
  }
  return results
}

async function durableBatches(device: FileDevice, bytes: number): Promise<number[]> {
  const source = alignedSharedBuffer(bytes).fill(7)
  const times: number[] = []
  for (let i = 0; i < BATCHES; i++) {
    const offset = (i * bytes) % (device.limits.size - (device.limits.size % bytes))
    times.push(
      await microseconds(async () => {
        await device.write(offset, source)
        await device.flush()
      }),
    )
  }
  return times
}

interface Rate {
  readonly gigabytesPerSecond: number
  readonly cpuPerGigabyte: number
}

async function rate(bytes: number, task: () => Promise<unknown>): Promise<Rate> {
  const cpu = process.cpuUsage()
  const time = await microseconds(task)
  const { user, system } = process.cpuUsage(cpu)
  return { gigabytesPerSecond: bytes / 1e3 / time, cpuPerGigabyte: ((user + system) * 1e3) / bytes }
}

/** Writes all of the device, two requests underway as an upload has them, and flushes it. */
async function stream(device: FileDevice, bytes: number): Promise<Rate[]> {
  const buffers = [alignedSharedBuffer(bytes).fill(1), alignedSharedBuffer(bytes).fill(2)]
  const count = Math.floor(device.limits.size / bytes)
  const lane = async (first: number) => {
    for (let i = first; i < count; i += 2) await device.write(i * bytes, buffers[first]!)
  }
  return [
    await rate(count * bytes, async () => {
      await Promise.all([lane(0), lane(1)])
      await device.flush()
    }),
  ]
}

/** Reads the same 32 MiB twice, at strides; the first time or the second counts. */
async function reads(device: FileDevice, bytes: number, hot: boolean): Promise<number[]> {
  const target = Buffer.alloc(bytes)
  const count = Math.min(BATCHES, Math.floor((32 << 20) / bytes))
  const stride = Math.floor(device.limits.size / count / bytes) * bytes
  const pass = async () => {
    const times: number[] = []
    for (let i = 0; i < count; i++) times.push(await microseconds(() => device.read(i * stride, target)))
    return times
  }
  const first = await pass()
  return hot ? await pass() : first
}

async function table(path: string): Promise<void> {
  const rows: (string | number)[][] = []
  const times = (label: string, results: Record<Mode, number[]>) =>
    rows.push([
      label,
      ...MODES.map(
        (mode) => `${Math.round(quantile(results[mode], 0.5))} / ${Math.round(quantile(results[mode], 0.9))}`,
      ),
      (quantile(results.buffered, 0.5) / quantile(results.direct, 0.5)).toFixed(2),
    ])
  for (const bytes of SIZES)
    times(`${name(bytes)} and flush, µs p50 / p90`, await inTurns(path, (device) => durableBatches(device, bytes)))
  for (const hot of [false, true])
    for (const bytes of [4096, 65_536, 1 << 20])
      times(
        `${name(bytes)} ${hot ? 'hot' : 'cold'} read, µs`,
        await inTurns(path, (device) => reads(device, bytes, hot)),
      )
  for (const bytes of SIZES.slice(1)) {
    const results = await inTurns(path, (device) => stream(device, bytes))
    const of = (mode: Mode, field: keyof Rate) =>
      quantile(
        results[mode].map((result) => result[field]),
        0.5,
      )
    const [buffered, direct] = MODES.map((mode) => of(mode, 'gigabytesPerSecond')) as [number, number]
    rows.push([
      `${name(bytes)} stream, GB/s, CPU s/GB`,
      ...MODES.map((mode) => `${of(mode, 'gigabytesPerSecond').toFixed(2)}, ${of(mode, 'cpuPerGigabyte').toFixed(2)}`),
      (direct / buffered).toFixed(2),
    ])
  }
  printTable(['', ...MODES, 'direct is faster by'], rows)
}

const given = process.argv[2]
const folder = await mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), 'cenote-bench-'))
try {
  const path = given ?? join(folder, 'device')
  if (!given) await zeros(path, FILE_BYTES)
  const device = FileDevice.open(path)
  const start = performance.now()
  console.log(`auto: ${device.io}; limits: ${JSON.stringify(device.limits)}`)
  await device.close()
  console.log(`opened and closed again, from what was measured, in ${Math.round(performance.now() - start)} ms`)
  await table(path)
} finally {
  await rm(folder, { recursive: true, force: true })
}
