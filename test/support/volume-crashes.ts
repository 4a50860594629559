import assert from 'node:assert/strict'
import type { Pool, Sequence, Volumes } from '../../pool/index.ts'
import { CrashDevice, Medium, MediumDevice, type TraceEvent } from './crash-device.ts'
import { crashStates } from './crash-enumerator.ts'
import { type Random, seededRandom } from './random.ts'
import {
  BLOCK,
  BLOCKS,
  formatForVolumes,
  openQuietly,
  openVolumePool,
  randomExtents,
  VolumeModel,
  verifySpace,
} from './volume-model.ts'

const POOL_BYTES = 5 << 20
const WARM_UP_STEPS = 12
/** Steps whose every crash is played, and steps after such a crash. */
const STEPS = [3, 1]
const DESCEND_EVERY = 25
const WRITES_AT_ONCE_MAX = 4

/** A volume that comes and goes beside the one that stays. */
interface Guest {
  readonly model: VolumeModel
  /** It is not there up to `first`, and there from `last` on. */
  readonly created: Change
  /** It is there up to `first`, and gone from `last` on. */
  removed?: Change
}

interface Change {
  readonly first: Sequence
  readonly last: Sequence
}

/** What a client knows of the volumes of its pool. */
interface Known {
  readonly model: VolumeModel
  readonly guests: Guest[]
}

/** A mark in the trace: the last record that was acknowledged. */
type Acknowledged = Sequence

/** Plays every crash of random runs over two volumes; each must show the writes up to one moment, and no others. */
export class VolumeCrashes {
  readonly #medium = new Medium(POOL_BYTES)
  #random: Random = seededRandom(0)
  #path: string[] = []
  states = 0

  /** Plays seeds from `seed` on until `isDone`; resolves with the states recovered. */
  async play(seed: number, isDone: (states: number) => boolean): Promise<number> {
    for (let next = seed; !isDone(this.states); next++) await this.#explore(next)
    return this.states
  }

  async #explore(seed: number): Promise<void> {
    this.#random = seededRandom(seed)
    this.#path = [`seed ${seed}`]
    this.#medium.rollback(0)
    const device = new CrashDevice(this.#medium)
    await formatForVolumes(device)
    const pool = await openVolumePool(device)
    const volumes = await this.#openVolumes(pool)
    await volumes.create('a', BLOCKS * BLOCK)
    const known = { model: new VolumeModel(), guests: [] }
    try {
      await this.#run(pool, volumes, known, WARM_UP_STEPS, () => {})
      if (this.#random.chance(0.5)) await volumes.close()
      device.die() // What would be tidied behind the writes belongs to this life, not to the next.
      await this.#level(0, known)
    } catch (error) {
      throw new Error(`${this.#path.join(' / ')}: ${(error as Error).stack}`, { cause: error })
    }
  }

  #openVolumes(pool: Pool): Promise<Volumes> {
    return openQuietly(pool, { saveRecordsMax: 6 })
  }

  async #run(
    pool: Pool,
    volumes: Volumes,
    known: Known,
    steps: number,
    mark: (acknowledged: Acknowledged) => void,
  ): Promise<void> {
    const random = this.#random
    for (let step = 0; step < steps; step++) {
      const writes = Array.from({ length: 1 + random.below(WRITES_AT_ONCE_MAX) }, async () => {
        const isGuest = this.#guest(known) !== undefined && random.chance(0.3)
        const { model } = isGuest ? this.#guest(known)! : known
        const extents = randomExtents(random)
        const sequence = await volumes.open(isGuest ? 'b' : 'a').write(extents)
        model.add(sequence, extents)
        mark(sequence)
      })
      await Promise.all(writes)
      if (random.chance(0.15)) await pool.checkpoint()
      if (random.chance(0.3)) await this.#comeOrGo(pool, volumes, known, mark)
      await known.model.verify(volumes.open('a'))
    }
  }

  #guest({ guests }: Known): Guest | undefined {
    return guests.find(({ removed }) => !removed)
  }

  async #comeOrGo(pool: Pool, volumes: Volumes, known: Known, mark: (acknowledged: Acknowledged) => void) {
    const guest = this.#guest(known)
    const first = pool.position.sequence
    if (guest) {
      guest.removed = { first, last: Number.POSITIVE_INFINITY }
      await volumes.remove('b')
      guest.removed = { first, last: pool.position.sequence }
    } else {
      await volumes.create('b', BLOCKS * BLOCK)
      known.guests.push({ model: new VolumeModel(), created: { first, last: pool.position.sequence } })
    }
    mark(pool.position.sequence)
  }

  /** Recovers, goes on for some steps, and plays every crash on the way. */
  async #level(depth: number, known: Known): Promise<void> {
    const start = this.#medium.mark()
    const device = new CrashDevice<Acknowledged>(this.#medium, { random: this.#random })
    const pool = await openVolumePool(device)
    const before = pool.position.sequence
    const volumes = await this.#openVolumes(pool)
    await this.#run(pool, volumes, known, STEPS[depth]!, (acknowledged) => device.mark(acknowledged))
    await device.quiet()
    device.die()
    this.#medium.rollback(start)
    await this.#crashes(depth, device.trace, before, known)
  }

  async #crashes(
    depth: number,
    trace: readonly TraceEvent<Acknowledged>[],
    before: Sequence,
    known: Known,
  ): Promise<void> {
    const seen = new Set<string>()
    let acknowledged = before
    let at = 0
    for (const state of crashStates(this.#medium, trace, { random: this.#random, exhaustiveMax: 4, tears: 1 })) {
      for (; at < state.boundary; at++) {
        const event = trace[at]!
        if (event.kind !== 'mark') continue
        acknowledged = Math.max(acknowledged, event.mark)
        seen.clear() // The same medium is to hold more from now on.
      }
      if (seen.has(state.name)) continue
      seen.add(state.name)
      this.states++
      this.#path.push(`boundary ${state.boundary} of ${trace.length}, ${state.name}, acknowledged ${acknowledged}`)
      const recovered = await this.#recover(known, acknowledged)
      const descend = depth + 1 < STEPS.length && this.#random.below(DESCEND_EVERY) === 0
      if (descend) await this.#level(depth + 1, recovered)
      this.#path.pop()
    }
  }

  /** Opens the medium as it is, and leaves it so. Resolves with what is known after it. */
  async #recover(known: Known, acknowledged: Sequence): Promise<Known> {
    const start = this.#medium.mark()
    const device = new MediumDevice(this.#medium)
    const pool = await openVolumePool(device)
    const { sequence } = pool.position
    assert(sequence >= acknowledged, `${sequence} records came back, ${acknowledged} were acknowledged`)
    const volumes = await this.#openVolumes(pool)
    await verify(volumes, known, sequence)
    const isThere = volumes.list().some(({ name }) => name === 'b')
    if (this.#random.below(4) === 0) await this.#goOn(pool, volumes, upTo(known, sequence, isThere))
    else await volumes.close()
    await verifySpace(pool, volumes)
    device.die()
    this.#medium.rollback(start)
    return upTo(known, sequence, isThere)
  }

  /** One more write, and what an opening after it finds. */
  async #goOn(pool: Pool, volumes: Volumes, known: Known): Promise<void> {
    const extents = randomExtents(this.#random)
    known.model.add(await volumes.open('a').write(extents), extents)
    await volumes.close()
    const device = new MediumDevice(this.#medium)
    const again = await openVolumePool(device)
    const found = await this.#openVolumes(again)
    await verify(found, known, pool.position.sequence)
    await found.close()
    device.die()
  }
}

async function verify(volumes: Volumes, { model, guests }: Known, sequence: Sequence): Promise<void> {
  await model.verify(volumes.open('a'), sequence)
  const isThere = volumes.list().some(({ name }) => name === 'b')
  const guest = guests.findLast(({ created }) => created.first < sequence)
  if (!guest) assert(!isThere, 'a volume is there before it was created')
  const isSure = guest && sequence >= guest.created.last && sequence <= (guest.removed?.first ?? sequence)
  if (isSure) assert(isThere, 'a volume is gone that nobody removed')
  if (guest?.removed && sequence >= guest.removed.last) assert(!isThere, 'a volume is there that was removed')
  if (isThere) await guest!.model.verify(volumes.open('b'), sequence)
}

/** What is known after a crash from which the records up to `sequence` came back: by now it is plain who is there. */
function upTo({ model, guests }: Known, sequence: Sequence, isThere: boolean): Known {
  const guest = guests.findLast(({ created }) => created.first < sequence)
  const left = isThere && guest ? [{ model: guest.model.upTo(sequence), created: { first: 0, last: 0 } }] : []
  return { model: model.upTo(sequence), guests: left }
}
