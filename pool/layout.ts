import assert from 'node:assert/strict'
import { type Device, type Limits, type Place, placeOf, type WriteOptions } from './device.ts'
import { hasCode } from './errors.ts'
import { type StackMember, stackLimits } from './limits.ts'
import { type Mutations, NO_MUTATIONS } from './mutation.ts'
import { refuse } from './refusal.ts'
import { checkRequest, checkUnsplit } from './request.ts'

/*
 * A layout is a Device made of Devices. It moves bytes and knows nothing of what they mean.
 */

/** A part of a device, in blocks of its own where those of the device are smaller. */
export class RangeDevice implements Device {
  readonly limits: Limits
  readonly #device: Device
  readonly #offset: number

  constructor(device: Device, offset: number, size: number, blockBytes = device.limits.logicalBlockSize) {
    assert(offset + size <= device.limits.size)
    assert(blockBytes % device.limits.logicalBlockSize === 0 && offset % blockBytes === 0)
    const limits = { ...device.limits, size, logicalBlockSize: blockBytes }
    this.limits = stackLimits('concat', [{ limits, start: offset }])
    this.#device = device
    this.#offset = offset
  }

  get copies(): number {
    return this.#device.copies
  }

  placeOf(offset: number, copy: number): Place {
    return within(placeOf(this.#device, this.#offset + offset, copy), this.limits.size - offset)
  }

  async read(offset: number, target: Uint8Array, copy?: number): Promise<void> {
    checkRequest(this.limits, offset, target.length)
    await this.#device.read(this.#offset + offset, target, copy)
  }

  async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    checkRequest(this.limits, offset, source.length)
    await this.#device.write(this.#offset + offset, source, options)
  }

  flush(): Promise<void> {
    return this.#device.flush()
  }

  close(): Promise<void> {
    return this.#device.close()
  }
}

/** A piece of a request, on one column. */
interface Piece {
  readonly column: number
  readonly offset: number
  readonly start: number
  readonly length: number
}

/** What concatenations and stripes share: a request is cut where its columns meet. */
abstract class ColumnsDevice implements Device {
  abstract readonly limits: Limits
  protected abstract readonly columns: readonly Device[]

  /** The column and the place on it where `offset` lies, and how many bytes follow there. */
  protected abstract locate(offset: number): { column: number; offset: number; length: number }

  get copies(): number {
    return this.columns.reduce((most, { copies }) => Math.max(most, copies), 1)
  }

  placeOf(offset: number, copy: number): Place {
    const piece = this.locate(offset)
    const column = this.columns[piece.column]!
    return within(placeOf(column, piece.offset, copy % column.copies), piece.length)
  }

  async read(offset: number, target: Uint8Array, copy?: number): Promise<void> {
    checkRequest(this.limits, offset, target.length)
    const first = this.locate(offset)
    // Most requests lie on one column.
    if (first.length >= target.length) return await this.#readFrom(first, target, copy)
    const pieces = this.#pieces(offset, target.length)
    await settled(
      pieces.map((piece) => this.#readFrom(piece, target.subarray(piece.start, piece.start + piece.length), copy)),
    )
  }

  #readFrom(place: { column: number; offset: number }, target: Uint8Array, copy: number | undefined): Promise<void> {
    const column = this.columns[place.column]!
    return column.read(place.offset, target, copy === undefined ? undefined : copy % column.copies)
  }

  async write(offset: number, source: Uint8Array, options: WriteOptions = {}): Promise<void> {
    checkRequest(this.limits, offset, source.length)
    const pieces = this.#pieces(offset, source.length)
    if (pieces.length > 1 && options.unsplit) {
      throw refuse('R22_REQ_SHAPE', `${source.length} bytes at ${offset} lie on several members`)
    }
    await settled(
      pieces.map((piece) => {
        const column = this.columns[piece.column]!
        const part = source.subarray(piece.start, piece.start + piece.length)
        const { copy } = options
        return column.write(
          piece.offset,
          part,
          copy === undefined ? options : { ...options, copy: copy % column.copies },
        )
      }),
    )
  }

  async flush(): Promise<void> {
    await settled(this.columns.map((column) => column.flush()))
  }

  async close(): Promise<void> {
    await settled(this.columns.map((column) => column.close()))
  }

  #pieces(offset: number, length: number): Piece[] {
    const pieces: Piece[] = []
    for (let start = 0; start < length; ) {
      const place = this.locate(offset + start)
      const bytes = Math.min(length - start, place.length)
      pieces.push({ column: place.column, offset: place.offset, start, length: bytes })
      start += bytes
    }
    return pieces
  }
}

/** Columns one after the other. More may be added at the end. */
export class ConcatDevice extends ColumnsDevice {
  protected readonly columns: Device[]
  #limits: Limits

  constructor(columns: readonly Device[]) {
    super()
    this.columns = [...columns]
    this.#limits = stackLimits('concat', stackOf(columns))
  }

  get limits(): Limits {
    return this.#limits
  }

  add(column: Device): void {
    this.columns.push(column)
    this.#limits = stackLimits('concat', stackOf(this.columns))
  }

  protected locate(offset: number) {
    let start = 0
    for (const [column, { limits }] of this.columns.entries()) {
      if (offset < start + limits.size) return { column, offset: offset - start, length: start + limits.size - offset }
      start += limits.size
    }
    assert.fail('the request was checked')
  }
}

/** Stripe units in turn on each column; after every `turnBytes` the turn begins one column further on. */
export class StripeDevice extends ColumnsDevice {
  readonly limits: Limits
  protected readonly columns: readonly Device[]
  readonly #stripeUnit: number
  readonly #turnUnits: number

  constructor(columns: readonly Device[], stripeUnit: number, turnBytes?: number) {
    super()
    this.columns = columns
    this.#stripeUnit = stripeUnit
    this.#turnUnits = (turnBytes ?? Number.POSITIVE_INFINITY) / stripeUnit
    this.limits = stackLimits('stripe', stackOf(columns), stripeUnit)
  }

  protected locate(offset: number) {
    const unit = Math.floor(offset / this.#stripeUnit)
    const within = offset - unit * this.#stripeUnit
    const turns = Math.floor(unit / this.#turnUnits)
    return {
      column: (unit + turns) % this.columns.length,
      offset: Math.floor(unit / this.columns.length) * this.#stripeUnit + within,
      length: this.#stripeUnit - within,
    }
  }
}

/** One leg of a mirror. */
export interface Leg {
  readonly device: Device
  readonly isInSync: boolean
  /**
   * Takes the leg out of use, for it failed with `cause`; resolves once that is on record. Rejects when it cannot be
   * spared.
   */
  drop(cause: unknown): Promise<void>
  /** A leg that is being filled takes writes, but is no source. */
  readonly isFilling?: boolean
}

const READ_SPREAD_BYTES = 1 << 20
const FILL_BYTES = 1 << 20

/** A part of the mirror that a write or a copy has to itself until `done`. */
interface Underway {
  readonly offset: number
  readonly end: number
  readonly done: Promise<void>
}

/**
 * The same bytes on every leg. A write or a flush is done when every leg in sync has done it; one that fails is dropped,
 * and nobody is told of success before it is on record that it missed something.
 */
export class MirrorDevice implements Device {
  readonly limits: Limits
  readonly #legs: Leg[]
  readonly #mutations: Mutations
  /** Writes underway, and the piece that is being copied to a new leg: they wait for each other where they overlap. */
  readonly #underway = new Set<Underway>()

  constructor(legs: readonly Leg[], mutations: Mutations = NO_MUTATIONS) {
    this.#legs = [...legs]
    this.#mutations = mutations
    this.limits = stackLimits('mirror', stackOf(legs.map(({ device }) => device)))
  }

  get #inSync(): readonly Leg[] {
    return this.#legs.filter(({ isInSync }) => isInSync)
  }

  get #writable(): readonly Leg[] {
    return this.#legs.filter(({ isInSync, isFilling }) => isInSync || isFilling)
  }

  get copies(): number {
    return this.#inSync.length
  }

  placeOf(offset: number, copy: number): Place {
    const legs = this.#inSync
    return placeOf(legs[copy % legs.length]!.device, offset, 0)
  }

  add(leg: Leg): void {
    this.#legs.push(leg)
  }

  /** Forgets `leg`, or those that are out of use: none of them comes back. */
  remove(leg?: Leg): void {
    const kept = this.#legs.filter((one) => (leg ? one !== leg : one.isInSync || one.isFilling))
    this.#legs.splice(0, this.#legs.length, ...kept)
  }

  /** Copies everything to a leg that was added to be filled, while writes go on. Rejects when it fails. */
  async fill(leg: Leg, onProgress: (done: number, total: number) => void): Promise<void> {
    const { size } = this.limits
    const buffer = Buffer.alloc(FILL_BYTES)
    for (let offset = 0; offset < size; offset += FILL_BYTES) {
      const piece = buffer.subarray(0, Math.min(FILL_BYTES, size - offset))
      await this.#exclusively(offset, piece.length, async () => {
        await this.#readAny(offset, piece)
        await leg.device.write(offset, piece)
      })
      onProgress(offset + piece.length, size)
    }
    await leg.device.flush()
  }

  /** From the first leg in sync that can be read; what is wrong there its checksum tells, and scrub mends. */
  async #readAny(offset: number, target: Uint8Array): Promise<void> {
    let failure: unknown
    for (const { device } of this.#inSync) {
      try {
        return await device.read(offset, target)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  async #exclusively(offset: number, length: number, task: () => Promise<void>): Promise<void> {
    const end = offset + length
    for (;;) {
      const other = [...this.#underway].find((one) => one.offset < end && offset < one.end)
      if (!other) break
      await other.done
    }
    const running = task()
    const done = running.then(
      () => {},
      () => {},
    )
    const mine: Underway = { offset, end, done }
    this.#underway.add(mine)
    await running.finally(() => this.#underway.delete(mine))
  }

  /** Without a copy asked for, reads are spread over the legs. */
  async read(offset: number, target: Uint8Array, copy = Math.floor(offset / READ_SPREAD_BYTES)): Promise<void> {
    const legs = this.#inSync
    await legs[copy % legs.length]!.device.read(offset, target)
  }

  async write(offset: number, source: Uint8Array, { copy, unsplit, when }: WriteOptions = {}): Promise<void> {
    checkRequest(this.limits, offset, source.length)
    checkUnsplit(this.limits, source.length, unsplit)
    await this.#exclusively(offset, source.length, async () => {
      if (when && !(await when())) return
      const inSync = this.#inSync
      const legs = copy === undefined ? this.#writable : [inSync[copy % inSync.length]!]
      await this.#each(legs, ({ device }) => device.write(offset, source, unsplit ? { unsplit } : {}))
    })
  }

  async flush(): Promise<void> {
    const legs = this.#mutations.has('flush-of-one-leg') ? this.#writable.slice(0, 1) : this.#writable
    await this.#each(legs, ({ device }) => device.flush())
  }

  async close(): Promise<void> {
    await settled(this.#legs.map(({ device }) => device.close()))
  }

  /** A leg that another request has dropped meanwhile fails here, too; then that request's record is waited for. */
  async #each(legs: readonly Leg[], task: (leg: Leg) => Promise<void>): Promise<void> {
    await settled(
      legs.map(async (leg) => {
        try {
          await task(leg)
        } catch (error) {
          if (hasCode(error, 'ERR_LIMITS')) throw error
          await leg.drop(error)
        }
      }),
    )
  }
}

const within = (place: Place, length: number): Place => ({ ...place, length: Math.min(place.length, length) })

/** Waits for all, so that nothing is underway any more when the first failure is thrown. */
async function settled(tasks: readonly Promise<void>[]): Promise<void> {
  if (tasks.length === 1) return await tasks[0]
  for (const result of await Promise.allSettled(tasks)) if (result.status === 'rejected') throw result.reason
}

/** Each counts whole: where it begins on the device below, its own limits say already. */
const stackOf = (devices: readonly Device[]): StackMember[] => devices.map(({ limits }) => ({ limits, start: 0 }))
