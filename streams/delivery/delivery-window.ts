import type { Sequence } from '../../pool/index.ts'
import type { ShownRecord } from '../records/shown-record.ts'

/** A record to be delivered, as it will be sent. */
export interface Parcel {
  readonly sequence: Sequence
  /** Parcels of one lane go one after the other. */
  readonly lane: string
  readonly body: string
  /** It was a dead letter, and is tried once more. */
  readonly isRevived: boolean
  /** Whether its delivery alone is worth a note. */
  readonly isWorthNote: boolean
  /** In vain. */
  attempts: number
}

export interface WindowBounds {
  /** Parcels that are not settled. */
  readonly windowRecordsMax: number
  /** Characters of their bodies. */
  readonly windowCharactersMax: number
}

/** Records of no object have a lane together. */
export function laneOf(record: ShownRecord): string {
  return 'object' in record ? record.object : ''
}

/**
 * What was read of the stream and is not settled yet: delivered, or given up.
 *
 * 1. Of one object there is one parcel underway at a time, and they are in the order of the stream.
 * 2. `after` never passes a record that is not settled, so that a delivery that begins anew there misses none.
 * 3. It is bounded: one parcel that does not succeed lets others overtake it, but not without end.
 */
export class DeliveryWindow {
  readonly #bounds: WindowBounds
  readonly #lanes = new Map<string, Parcel[]>()
  /** In the order of the stream: those of dead letters are not in it. */
  readonly #unsettled = new Set<Sequence>()
  readonly #waiting = new Set<() => void>()
  #isReleased = false
  #parcels = 0
  #characters = 0
  #read: Sequence

  constructor(after: Sequence, bounds: WindowBounds) {
    this.#read = after
    this.#bounds = bounds
  }

  /** All up to it were taken in, or are none of ours. */
  get read(): Sequence {
    return this.#read
  }

  /** All up to it are settled. */
  get after(): Sequence {
    const [first] = this.#unsettled
    return first === undefined ? this.#read : first - 1
  }

  get size(): number {
    return this.#parcels
  }

  get isFull(): boolean {
    const { windowRecordsMax, windowCharactersMax } = this.#bounds
    return this.#parcels >= windowRecordsMax || this.#characters >= windowCharactersMax
  }

  /** Resolves when it is not full, or released. */
  async room(): Promise<void> {
    while (this.isFull && !this.#isReleased) await new Promise<void>((resolve) => this.#waiting.add(resolve))
  }

  /** Lets whoever waits for room go. */
  release(): void {
    this.#isReleased = true
    this.#wake()
  }

  /** True when its lane stood still: it is to be driven. */
  add(parcel: Parcel): boolean {
    this.#parcels += 1
    this.#characters += parcel.body.length
    if (!parcel.isRevived) {
      this.#read = parcel.sequence
      this.#unsettled.add(parcel.sequence)
    }
    const lane = this.#lanes.get(parcel.lane)
    if (lane === undefined) this.#lanes.set(parcel.lane, [parcel])
    else lane.push(parcel)
    return lane === undefined
  }

  /** The first one of a lane, until it is settled; undefined when the lane is empty. */
  first(lane: string): Parcel | undefined {
    return this.#lanes.get(lane)?.[0]
  }

  settle(parcel: Parcel): void {
    const lane = this.#lanes.get(parcel.lane)
    lane?.shift()
    if (lane?.length === 0) this.#lanes.delete(parcel.lane)
    this.#unsettled.delete(parcel.sequence)
    this.#parcels -= 1
    this.#characters -= parcel.body.length
    this.#wake()
  }

  /** Everything up to `next` was looked at. */
  pass(next: Sequence): void {
    if (next > this.#read) this.#read = next
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }
}
