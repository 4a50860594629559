import type { Mutation, Pool, Sequence, Tuning } from '../../pool/index.ts'
import { CrashDevice, Medium, MediumDevice, type TraceEvent } from './crash-device.ts'
import { crashStates } from './crash-enumerator.ts'
import { seededRandom } from './random.ts'
import { formatDevice, openDevice } from './single-device.ts'
import { identity, TINY_BYTES, TINY_FORMAT, tiny } from './tiny-pool.ts'
import type { Mark } from './workload.ts'

/** A few deeds in a life of a pool, at every moment of which power may fail. */
export interface Story {
  /** What happened in an earlier life. */
  before?(pool: Pool): Promise<void>
  /** `acknowledged` is to be told of each sequence as soon as it was. */
  during(pool: Pool, acknowledged: (sequence: Sequence) => void): Promise<void>
  /** Looks at the pool after one of the crashes, by which time that record had been acknowledged. */
  after(pool: Pool, acknowledged: Sequence): Promise<void>
  readonly mutations?: readonly Mutation[]
  readonly tuning?: Partial<Tuning>
}

/** Plays a story once, and its end after every crash on the way, recovery included; resolves with their number. */
export async function playStory({ before, during, after, mutations = [], tuning = {} }: Story): Promise<number> {
  const medium = new Medium(TINY_BYTES)
  const random = seededRandom(1)
  await formatDevice(new MediumDevice(medium), TINY_FORMAT, identity())
  const open = (device: CrashDevice<Mark> | MediumDevice) =>
    openDevice(device, tiny({ tuning, mutations: new Set(mutations) }))
  await before?.(await open(new MediumDevice(medium)))
  const start = medium.mark()
  const device = new CrashDevice<Mark>(medium, { random })
  const pool = await open(device)
  const durable = pool.position.sequence
  await during(pool, (sequence) => device.mark({ kind: 'ack', sequence }))
  await device.quiet()
  medium.rollback(start)
  const seen = new Set<string>()
  for (const { name, boundary } of crashStates(medium, device.trace, { random, exhaustiveMax: 6, tears: 8 })) {
    if (seen.has(name)) continue
    seen.add(name)
    const crashed = medium.mark()
    const acknowledged = Math.max(durable, ...marksOf(device.trace.slice(0, boundary)))
    try {
      await after(await open(new MediumDevice(medium)), acknowledged)
    } catch (error) {
      throw new Error(`after boundary ${boundary}, ${name}, ${acknowledged} acknowledged`, { cause: error })
    }
    medium.rollback(crashed)
  }
  return seen.size
}

const marksOf = (trace: readonly TraceEvent<Mark>[]): Sequence[] =>
  trace.flatMap((event) => (event.kind === 'mark' ? [event.mark.sequence] : []))
