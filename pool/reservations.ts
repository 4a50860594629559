import type { Allocator, Run } from './allocator.ts'
import { PoolError } from './errors.ts'
import type { Tuning } from './format.ts'

/** However slow a transaction is, it keeps what it was promised for so long. */
export const PROMISE_MS_MIN = 60_000

/** Free segments that are always kept: one for the journal to go on, one for compaction to write. */
export const SEGMENTS_KEPT = 2

/** The journal has left alone what was promised: nothing more need be kept for it when that is taken. */
const KEPT_BY_PROMISES = 0

/**
 * Units that are promised to transactions before their bytes come: an upload that was let in is not refused halfway
 * because another was quicker. Whoever was promised nothing, and the journal, have what is left beside.
 *
 * A promise is kept to those who come to use it. Nobody may keep others out for as long as it pleases him by a word and
 * a byte now and then: once somebody lacks room, a promise ends that is used too slowly to be used up in `promiseMsMax`.
 */
export class Reservations {
  readonly #allocator: Allocator
  readonly #tuning: Pick<Tuning, 'reserveSegments' | 'promiseMsMax'>
  readonly #clock: { now(): number }
  readonly #open = new Set<Reservation>()
  /** Promised, and not allocated yet. */
  #units = 0

  constructor(
    allocator: Allocator,
    tuning: Pick<Tuning, 'reserveSegments' | 'promiseMsMax'>,
    clock: { now(): number },
  ) {
    this.#allocator = allocator
    this.#tuning = tuning
    this.#clock = clock
  }

  /** Units for payloads that nobody was promised. */
  get unitsBeside(): number {
    return Math.max(0, this.#allocator.roomUnits - this.#units)
  }

  get units(): number {
    return this.#units
  }

  /** Segments that the journal may come to take. */
  get freeSegments(): number {
    return this.isEmpty ? this.#allocator.freeSegments : this.#allocator.freeSegmentsBeside(this.#units)
  }

  get isEmpty(): boolean {
    return this.#units === 0
  }

  /** So many segments are free, or no record is taken but of what was promised, and of deletes. */
  get segmentsForRecords(): number {
    return Math.floor(this.#tuning.reserveSegments / 2) + 1
  }

  /** So many are free, or only deletes are taken. Nothing is promised long before: what was is still to come. */
  get segmentsForPromised(): number {
    return Math.floor(this.#tuning.reserveSegments / 4) + 1
  }

  /** One for a transaction, of nothing as yet. */
  begin(): Reservation {
    return new Reservation(this, this.#allocator)
  }

  /** Somebody lacks room: promises that are not used in time are everybody's. */
  lapse(): void {
    for (const reservation of this.#open) reservation.lapse(this.#clock.now(), this.#tuning.promiseMsMax)
  }

  /** True when they are promised; false when nobody could keep it, with the record that is to own them. */
  promise(reservation: Reservation, units: number): boolean {
    if (units > this.unitsBeside || this.freeSegments < this.segmentsForRecords) return false
    this.#open.add(reservation)
    this.#units += units
    return true
  }

  now(): number {
    return this.#clock.now()
  }

  /** So many of those promised to it are allocated, or not wanted any more. */
  keep(reservation: Reservation, units: number): void {
    this.#units -= units
    if (reservation.units === 0) this.#open.delete(reservation)
  }
}

/** What one transaction was promised, and how it gets units at all. */
export class Reservation {
  readonly #all: Reservations
  readonly #allocator: Allocator
  #units = 0
  #unitsPromised = 0
  #since = 0
  /** True from the first promise on, unless it lapsed: the record that will own what was promised must find room, too. */
  isPromised = false

  constructor(all: Reservations, allocator: Allocator) {
    this.#all = all
    this.#allocator = allocator
  }

  /** Promised, and not allocated yet. */
  get units(): number {
    return this.#units
  }

  /** True when they are promised; false when nobody could keep it. */
  take(units: number): boolean {
    if (!this.#all.promise(this, units)) return false
    if (!this.isPromised) this.#since = this.#all.now()
    this.#units += units
    this.#unitsPromised += units
    this.isPromised = true
    return true
  }

  /** Ends the promise when more of it is left than a steady use would have left of it by now. */
  lapse(now: number, promiseMsMax: number): void {
    const late = Math.max(0, now - this.#since - PROMISE_MS_MIN)
    if (this.#units <= this.#unitsPromised * (1 - late / promiseMsMax)) return
    this.end()
    this.#unitsPromised = 0
    this.isPromised = false
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
    this.#all.keep(this, units)
  }
}
