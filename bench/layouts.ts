import type { Geometry } from '../pool/index.ts'
import { aim } from './aims.ts'
import { median, rateOf, SCALE } from './loops.ts'
import { type Counts, countsOf, freshPool, SINGLE, store } from './pools.ts'
import { printTable } from './table.ts'

const SMALL = { bytes: 4096, count: 24_576 * SCALE, inFlight: 64 }
const LARGE = { bytes: 1 << 20, count: 192 * SCALE, inFlight: 4 }
const ROUNDS = 3
const CHUNK = Buffer.alloc(256 * 1024, 6)

const LAYOUTS: readonly { readonly name: string; readonly members: number; readonly geometry: Geometry }[] = [
  { name: 'one device', members: 1, geometry: SINGLE },
  { name: 'concat of 2', members: 2, geometry: SINGLE },
  { name: 'concat of 2, journal twice', members: 2, geometry: { ...SINGLE, runs: 2 } },
  { name: 'stripe of 2, 1 MiB', members: 2, geometry: { ...SINGLE, layout: 'stripe', stripeUnit: 1 << 20 } },
  { name: 'mirror of 2', members: 2, geometry: { ...SINGLE, layout: 'mirror', legs: 2 } },
]

interface Cost extends Counts {
  readonly perSecond: number
  /** Bytes and flushes of all members for those of the first: how commits fell into groups does not matter here. */
  readonly bytesOfOne: number
  readonly flushesOfOne: number
}

interface Costs {
  readonly small: Cost[]
  readonly large: Cost[]
}

/** The same work on each layout: what it costs in bytes and flushes, and how fast it is. */
async function run(paths: readonly string[], geometry: Geometry, costs: Costs): Promise<void> {
  const counted = await freshPool(paths, {}, { geometry })
  const first = { ...counted, devices: counted.devices.slice(0, 1) }
  for (const [kind, { bytes, count, inFlight }] of Object.entries({ small: SMALL, large: LARGE })) {
    const [before, beforeOne] = [countsOf(counted), countsOf(first)]
    const source = CHUNK.subarray(0, bytes)
    const perSecond = await rateOf(inFlight, count, () => store(counted, source, bytes))
    const [after, afterOne] = [countsOf(counted), countsOf(first)]
    const bytesWritten = after.bytesWritten - before.bytesWritten
    const flushes = after.flushes - before.flushes
    const bytesOfOne = bytesWritten / (afterOne.bytesWritten - beforeOne.bytesWritten)
    const flushesOfOne = flushes / (afterOne.flushes - beforeOne.flushes)
    costs[kind as keyof Costs].push({ perSecond, bytesWritten, flushes, bytesOfOne, flushesOfOne })
  }
  await counted.pool.close()
}

export async function measureLayouts(paths: readonly string[]): Promise<void> {
  const all: Costs[] = LAYOUTS.map(() => ({ small: [], large: [] }))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { members, geometry }] of LAYOUTS.entries()) await run(paths.slice(0, members), geometry, all[i]!)
  }
  const of = (costs: readonly Cost[], field: keyof Cost) => median(costs.map((cost) => cost[field]))
  const ratio = (i: number, kind: keyof Costs, field: keyof Cost) => of(all[i]![kind], field) / of(all[0]![kind], field)
  const columns = (i: number, kind: keyof Costs) => [
    of(all[i]![kind], 'perSecond').toFixed(0),
    ...(['perSecond', 'bytesWritten', 'flushes'] as const).map((field) => `${ratio(i, kind, field).toFixed(2)} x`),
  ]
  console.log(
    `\nLayouts against one device; every block file lies on the same disk; medians of ${ROUNDS} rounds in turns`,
  )
  printTable(
    [
      '',
      `4 KiB/s (${SMALL.inFlight} in flight)`,
      '',
      'bytes',
      'flushes',
      `1 MiB/s (${LARGE.inFlight})`,
      '',
      'bytes',
      'flushes',
    ],
    LAYOUTS.map(({ name }, i) => [name, ...columns(i, 'small'), ...columns(i, 'large')]),
  )
  const mirror = all.at(-1)!
  const costs = (['small', 'large'] as const).flatMap((kind) =>
    (['bytesOfOne', 'flushesOfOne'] as const).map((field) => of(mirror[kind], field)),
  )
  const text = costs.map((cost) => cost.toFixed(2)).join(', ')
  aim(
    'mirror of 2: ≤ 2.2 x the bytes and flushes of one leg',
    text,
    costs.every((cost) => cost <= 2.2),
  )
}
