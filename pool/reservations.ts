import type { Allocator, Run } from './allocator.ts'
import { PoolError } from './errors.ts'

/** Free segments that are always kept: one for the journal to go on, one for compaction to write. */
export const SEGMENTS_KEPT = 2

/** The journal has left alone what was promised: nothing more need be kept for it when that is taken. */
const KEPT_BY_PROMISES = 0

/**
 * Units that are promised to transactions before their bytes come: an upload that was let in is not refused halfway
 * because another was quicker. Whoever was promised nothing, and the journal, have what is left beside.
 */
export class Reservations {
  readonly #allocator: Allocator
  /** Promised, and not allocated yet. */
  #units = 0

  constructor(allocator: Allocator) {
    this.#allocator = allocator
  }

  /** Units for payloads that nobody was promised. */
  get unitsBeside(): number {
    return Math.max(0, this.#allocator.roomUnits - this.#units)
  }

  /** Segments that the journal may come to take. */
  get freeSegments(): number {
    return this.isEmpty ? this.#allocator.freeSegments : this.#allocator.freeSegmentsBeside(this.#units)
  }

  get isEmpty(): boolean {
    return this.#units === 0
  }

  /** One for a transaction, of nothing as yet. */
  begin(): Reservation {
    return new Reservation(this, this.#allocator)
  }

  promise(units: number): void {
    this.#units += units
  }

  keep(units: number): void {
    this.#units -= units
  }
}

/** What one transaction was promised, and how it gets units at all. */
export class Reservation {
  readonly #all: Reservations
  readonly #allocator: Allocator
  #units = 0
  /** True from the first promise on: the record that will own what was promised must find room, too. */
  isPromised = false

  constructor(all: Reservations, allocator: Allocator) {
    this.#all = all
    this.#allocator = allocator
  }

  /** True when they are promised; false when nobody could keep it. */
  take(units: number): boolean {
    if (units > this.#all.unitsBeside) return false
    this.#units += units
    this.isPromised = true
    this.#all.promise(units)
    return true
  }

  /** True when allocate() would find something. */
  get hasRoom(): boolean {
    if (this.#units > 0) return this.#allocator.hasRoom(KEPT_BY_PROMISES)
    return this.#all.isEmpty ? this.#allocator.hasRoom() : this.#all.unitsBeside > 0
  }

  /** A run of at most `units`: those that were promised, or else of what is left beside. ERR_NO_SPACE. */
  allocate(units: number): Run {
    if (this.#units > 0) {
      const run = this.#allocator.allocate(Math.min(units, this.#units), KEPT_BY_PROMISES)
      this.#keep(run.units)
      return run
    }
    const most = this.#all.isEmpty ? units : Math.min(units, this.#all.unitsBeside)
    if (most === 0) throw new PoolError('ERR_NO_SPACE', 'what is free in the pool is promised to other uploads')
    return this.#allocator.allocate(most)
  }

  /** Nothing more is coming: what is left of the promise is everybody's. */
  end(): void {
    this.#keep(this.#units)
  }

  #keep(units: number): void {
    this.#units -= units
    this.#all.keep(units)
  }
}
