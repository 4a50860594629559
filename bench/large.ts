import { aim } from './aims.ts'
import { plainWrite } from './block-files.ts'
import { median, rateOf, SCALE } from './loops.ts'
import { type CountedPool, countsOf, freshPool, store } from './pools.ts'
import { printTable } from './table.ts'

const MIB = 1 << 20
const ROUND_BYTES = 256 * MIB * SCALE
const ROUNDS = 3
const CHUNK = Buffer.alloc(256 * 1024, 5)
/** Size of an object in MiB, and how many are underway. */
const CASES = [
  [1, 1],
  [1, 8],
  [8, 1],
  [8, 4],
  [64, 2],
] as const

/** Stores objects of one size; payload bytes per second. */
async function storeAll(counted: CountedPool, mebibytes: number, inFlight: number): Promise<number> {
  const count = Math.max(inFlight, ROUND_BYTES / (mebibytes * MIB))
  return (await rateOf(inFlight, count, () => store(counted, CHUNK, mebibytes * MIB))) * mebibytes * MIB
}

/** Large objects beside a plain loop of large writes to a file on the same disk, in turns. */
export async function measureLarge(poolFile: string, plainFile: string): Promise<void> {
  const plain = { buffered: [] as number[], direct: [] as number[] }
  const rates = CASES.map(() => [] as number[])
  const amplification = CASES.map(() => 0)
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of ['buffered', 'direct'] as const) plain[way].push(await plainWrite(plainFile, ROUND_BYTES, way))
    const counted = await freshPool([poolFile])
    for (const [i, [mebibytes, inFlight]] of CASES.entries()) {
      const before = countsOf(counted).bytesWritten
      const rate = await storeAll(counted, mebibytes, inFlight)
      rates[i]!.push(rate)
      const payload = Math.max(inFlight, ROUND_BYTES / (mebibytes * MIB)) * mebibytes * MIB
      amplification[i] = (countsOf(counted).bytesWritten - before) / payload
    }
    await counted.pool.close()
  }
  const device = Math.max(median(plain.buffered), median(plain.direct))
  const row = (name: string, rate: number, more: string) => [
    name,
    (rate / 1e6).toFixed(0),
    `${((100 * rate) / device).toFixed(0)} %`,
    more,
  ]
  const name = ([mebibytes, inFlight]: (typeof CASES)[number]) => `objects of ${mebibytes} MiB, ${inFlight} in flight`
  console.log(`\nLarge objects; medians of ${ROUNDS} rounds in turns`)
  printTable(
    ['', 'MB/s', 'of the device', 'bytes written / payload'],
    [
      row('plain writes of 512 KiB, fdatasync at the end', median(plain.buffered), ''),
      row('plain direct writes of 1 MiB, the same', median(plain.direct), ''),
      ...CASES.map((one, i) => row(name(one), median(rates[i]!), amplification[i]!.toFixed(3))),
    ],
  )
  const shares = rates.map((of) => median(of) / device)
  aim(
    'objects ≥ 1 MiB: ≥ 70 % of the device',
    shares.map((share) => `${(100 * share).toFixed(0)} %`).join(', '),
    shares.every((share) => share >= 0.7),
  )
  const most = Math.max(...amplification)
  aim('write amplification ≥ 1 MiB: ≤ 1.1', most.toFixed(3), most <= 1.1)
}
