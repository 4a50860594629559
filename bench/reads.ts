import { open } from 'node:fs/promises'
import { aim } from './aims.ts'
import { dropFromCache } from './block-files.ts'
import { median, rateOf, SCALE } from './loops.ts'
import { type CountedPool, freshPool, store } from './pools.ts'
import { printTable } from './table.ts'

const OBJECT_BYTES = 1 << 20
const OBJECTS = 256 * SCALE
const ROUNDS = 3
const IN_FLIGHT = [1, 4]
const CHUNK = Buffer.alloc(256 * 1024, 9)

interface Range {
  readonly offset: number
  readonly length: number
}

async function readVerified({ pool }: CountedPool, sequence: number): Promise<void> {
  let bytes = 0
  for await (const piece of pool.read(sequence, 0)) bytes += piece.length
  if (bytes !== OBJECT_BYTES) throw new Error(`read ${bytes} bytes of record ${sequence}`)
}

/** Where the device was asked for the payload of each object; neighbouring pieces as one. */
async function rangesOf(counted: CountedPool, sequences: readonly number[]): Promise<Range[][]> {
  const device = counted.devices[0]!
  const all: Range[][] = []
  for (const sequence of sequences) {
    const ranges: Range[] = []
    device.onRead = (offset, length) => {
      const last = ranges.at(-1)
      if (last && last.offset + last.length === offset)
        ranges[ranges.length - 1] = { ...last, length: last.length + length }
      else ranges.push({ offset, length })
    }
    await readVerified(counted, sequence)
    all.push(ranges.filter(({ length }) => length >= 65_536)) // The rest is the record's.
  }
  device.onRead = () => {}
  return all
}

/** The same bytes with plain reads, an object's with as few as its place allows. */
async function readPlain(path: string, objects: readonly (readonly Range[])[], inFlight: number): Promise<number> {
  const file = await open(path, 'r')
  const targets = Array.from({ length: inFlight }, () => Buffer.alloc(OBJECT_BYTES))
  const rate = await rateOf(inFlight, objects.length, async (i) => {
    const target = targets.pop()!
    for (const { offset, length } of objects[i]!) await file.read(target, 0, length, offset)
    targets.push(target)
  })
  await file.close()
  return rate
}

/** Objects of 1 MiB, verified, beside a plain read of the same bytes of the same file in the same state of the cache. */
export async function measureReads(path: string): Promise<void> {
  const counted = await freshPool([path])
  const sequences: number[] = []
  await rateOf(1, OBJECTS, async () => sequences.push(await store(counted, CHUNK, OBJECT_BYTES)))
  await counted.pool.checkpoint()
  const ranges = await rangesOf(counted, sequences)
  const rows: string[][] = []
  const shares: number[] = []
  for (const cached of [true, false]) {
    for (const inFlight of IN_FLIGHT) {
      const rates = { verified: [] as number[], plain: [] as number[] }
      for (let round = 0; round < ROUNDS; round++) {
        if (!cached) dropFromCache(path)
        rates.plain.push(await readPlain(path, ranges, inFlight))
        if (!cached) dropFromCache(path)
        rates.verified.push(await rateOf(inFlight, OBJECTS, (i) => readVerified(counted, sequences[i]!)))
      }
      const [verified, plain] = [median(rates.verified), median(rates.plain)]
      shares.push(verified / plain)
      const name = `${cached ? 'in' : 'not in'} the page cache, ${inFlight} in flight`
      const megabytes = (rate: number) => ((rate * OBJECT_BYTES) / 1e6).toFixed(0)
      rows.push([name, megabytes(verified), megabytes(plain), `${((100 * verified) / plain).toFixed(0)} %`])
    }
  }
  await counted.pool.close()
  console.log(`\nVerified reads of 1 MiB objects, ${counted.devices[0]!.io}; medians of ${ROUNDS} rounds in turns`)
  printTable(['', 'verified MB/s', 'plain MB/s', 'ratio'], rows)
  const text = shares.map((share) => `${(100 * share).toFixed(0)} %`).join(', ')
  aim(
    'verified read of 1 MiB: ≥ 70 % of a plain one',
    text,
    shares.every((share) => share >= 0.7),
  )
}
