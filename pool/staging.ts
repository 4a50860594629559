import { type Run, unitsOf } from './allocator.ts'
import { roundUp } from './bytes.ts'
import { crc32c } from './checksum.ts'
import type { Staging } from './contract.ts'
import type { Core } from './core.ts'
import type { Extent, ExtentsPlacement, Placement } from './entry.ts'
import { PoolError } from './errors.ts'
import { ExtentTreeBuilder, reopenTree, type Tree } from './extent-tree.ts'
import { FreshUnits } from './fresh-units.ts'
import type { Reservation } from './reservations.ts'

/** A payload that is complete for now: bytes to travel in the batch, or a tree of extents already on the device. */
export type Sealed =
  | { readonly form: 'inline'; readonly length: number; readonly chunks: readonly Uint8Array[] }
  | ExtentsPlacement

const WRITES_IN_FLIGHT_MAX = 2

/**
 * One payload on its way in. Small ones stay in memory; from `inlineBytesMax` on, bytes go to fresh units as they
 * come, so that a payload of any size holds three buffers of `stagingBytesMax` at the most.
 */
export class PayloadStaging implements Staging {
  readonly #core: Core
  readonly #reservation: Reservation
  #length = 0
  #chunks: Uint8Array[] = []
  #extents: ExtentWriter | undefined
  #ended = false

  constructor(core: Core, reservation: Reservation) {
    this.#core = core
    this.#reservation = reservation
  }

  /** Goes on with a payload that a prepared record owns. */
  static async resume(
    core: Core,
    reservation: Reservation,
    placement: Placement,
    inline: Uint8Array,
  ): Promise<PayloadStaging> {
    const staging = new PayloadStaging(core, reservation)
    staging.#length = placement.length
    if (placement.form === 'extents') staging.#extents = await ExtentWriter.resume(core, reservation, placement)
    else staging.#chunks = [inline]
    return staging
  }

  get length(): number {
    return this.#length
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.#ended) return Promise.reject(new PoolError('ERR_CLOSED', 'the transaction has ended'))
    this.#length += chunk.length
    if (this.#extents) return this.#extents.append(chunk)
    if (this.#length > this.#core.tuning.inlineBytesMax) return this.#spill(chunk)
    if (chunk.length > 0) this.#chunks.push(Uint8Array.prototype.slice.call(chunk))
    return DONE
  }

  async #spill(chunk: Uint8Array): Promise<void> {
    const extents = new ExtentWriter(this.#core, this.#reservation)
    this.#extents = extents
    const chunks = this.#chunks
    this.#chunks = []
    await Promise.all([...chunks, chunk].map((piece) => extents.append(piece)))
  }

  /** What was written so far; the device has taken all of it when this resolves. At once for a payload in memory. */
  seal(): Sealed | Promise<Sealed> {
    const length = this.#length
    if (!this.#extents) return { form: 'inline', length, chunks: [...this.#chunks] }
    return this.#extents.finish().then((tree) => ({ form: 'extents', length, ...tree }))
  }

  /** Hands over the units of what was sealed last: a durable record owns them now. */
  takeRuns(): readonly Run[] {
    return this.#extents?.takeRuns() ?? []
  }

  /** Takes no more bytes. */
  end(): void {
    this.#ended = true
  }

  /** Gives back units that no record owns. Waits for writes underway, so that none lands in a unit's next life. */
  async discard(): Promise<void> {
    this.#chunks = []
    await this.#extents?.discard()
  }
}

const DONE = Promise.resolve()

/**
 * Writes a stream of bytes to fresh units, in large writes, a few in flight. Calls take effect one after the other, and
 * the first failure is every later call's: a payload with a hole in it is never sealed.
 */
class ExtentWriter {
  readonly #core: Core
  readonly #tree: ExtentTreeBuilder
  readonly #units: FreshUnits
  #last: Promise<unknown> = DONE
  #calls = 0
  /** Units that the tree sealed last names for good, and those of its manifests that a later tree writes anew. */
  #sealedRuns: Run[] = []
  #partialRuns: Run[] = []
  #buffer: Buffer | undefined
  #filled = 0
  #sent = 0
  /** What is being written, in the order of the payload: where it is, once it is there. */
  #inFlight: Promise<readonly Extent[]>[] = []
  #failure: unknown

  constructor(core: Core, reservation: Reservation, resumed?: Extent[][]) {
    this.#core = core
    this.#units = new FreshUnits(core, reservation)
    const place = async (manifest: Buffer) => (await this.#units.place(manifest))[0]!.unit
    this.#tree = new ExtentTreeBuilder(core.zones, core.format.recordExtentsMax, place, resumed)
  }

  static async resume(core: Core, reservation: Reservation, placement: ExtentsPlacement): Promise<ExtentWriter> {
    return new ExtentWriter(core, reservation, await reopenTree(core.device, core.zones, placement))
  }

  append(chunk: Uint8Array): Promise<void> {
    if (this.#calls === 0) return this.#inTurn(this.#append(chunk))
    const copy = Uint8Array.prototype.slice.call(chunk)
    return this.#inTurn(this.#last.then(() => this.#append(copy)))
  }

  finish(): Promise<Tree> {
    return this.#inTurn(this.#last.then(() => this.#finish()))
  }

  async #inTurn<T>(call: Promise<T>): Promise<T> {
    this.#calls++
    this.#last = call.catch(() => {})
    try {
      return await call
    } catch (error) {
      this.#failure ??= error
      throw error
    } finally {
      this.#calls--
    }
  }

  async #append(chunk: Uint8Array): Promise<void> {
    this.#check()
    let offset = 0
    while (offset < chunk.length) {
      this.#buffer ??= this.#core.buffers.take(this.#bufferBytes(chunk.length - offset))
      const bytes = Math.min(chunk.length - offset, this.#buffer.length - this.#filled)
      this.#buffer.set(chunk.subarray(offset, offset + bytes), this.#filled)
      this.#filled += bytes
      offset += bytes
      if (this.#filled === this.#buffer.length) await this.#send()
    }
  }

  /** As large as what has come, or is here now: many slow uploads hold little, and a quick one is soon at its pace. */
  #bufferBytes(here: number): number {
    const { zones, tuning } = this.#core
    const large = Math.max(zones.unitBytes, tuning.stagingBytesMax - (tuning.stagingBytesMax % zones.unitBytes))
    return Math.min(large, roundUp(Math.max(1, this.#sent, here), zones.unitBytes))
  }

  async #send(): Promise<void> {
    const { zones } = this.#core
    const buffer = this.#buffer!
    const filled = this.#filled
    this.#buffer = undefined
    this.#filled = 0
    this.#sent += filled
    const writes: Promise<readonly Extent[]>[] = []
    try {
      for (let start = 0; start < filled; ) {
        const run = await this.#units.allocate(Math.ceil((filled - start) / zones.unitBytes))
        const end = Math.min(filled, start + run.units * zones.unitBytes)
        writes.push(this.#write(run, buffer, start, end))
        start = end
      }
    } finally {
      this.#inFlight.push(Promise.all(writes).then((extents) => this.#written(buffer, extents.flat())))
    }
    if (this.#inFlight.length >= WRITES_IN_FLIGHT_MAX) await this.#describeNext()
    this.#check()
  }

  #written(buffer: Buffer, extents: readonly Extent[]): readonly Extent[] {
    this.#core.buffers.give(buffer)
    return extents
  }

  /** Only now is it known which units hold the bytes: where a write failed they are elsewhere. */
  async #describeNext(): Promise<void> {
    const extents = await this.#inFlight.shift()!
    if (this.#failure) return
    for (const extent of extents) await this.#tree.push(extent)
  }

  async #write(run: Run, buffer: Buffer, start: number, end: number): Promise<readonly Extent[]> {
    const { blockBytes, unitBytes } = this.#core.zones
    const padded = start + roundUp(end - start, blockBytes)
    buffer.fill(0, end, padded)
    const pieces = described(buffer.subarray(start, end), unitBytes)
    try {
      const runs = await this.#units.write(run, buffer.subarray(start, padded))
      const units = runs.flatMap(unitsOf)
      return pieces.map((piece, i) => ({ ...piece, unit: units[i]! }))
    } catch (error) {
      this.#failure ??= error
      return []
    }
  }

  async #finish(): Promise<Tree> {
    this.#check()
    if (this.#filled > 0) await this.#send()
    await this.#settle()
    this.#check()
    this.#recycle(this.#partialRuns) // Of a tree that no record came to name.
    this.#partialRuns = []
    this.#sealedRuns.push(...this.#units.take())
    const tree = await this.#tree.tree()
    this.#partialRuns = this.#units.take()
    return tree
  }

  async #settle(): Promise<void> {
    while (this.#inFlight.length > 0) await this.#describeNext()
  }

  #check(): void {
    if (this.#failure) throw this.#failure
  }

  takeRuns(): readonly Run[] {
    const runs = [...this.#sealedRuns, ...this.#partialRuns]
    this.#sealedRuns = []
    this.#partialRuns = []
    return runs
  }

  async discard(): Promise<void> {
    this.#failure ??= new PoolError('ERR_CLOSED', 'the transaction has ended')
    await this.#last
    await this.#settle()
    this.#recycle([...this.takeRuns(), ...this.#units.take()])
  }

  #recycle(runs: readonly Run[]): void {
    for (const unit of runs.flatMap(unitsOf)) this.#core.allocator.recycle(unit)
  }
}

/** What goes to each unit: its length and checksum. */
function described(bytes: Buffer, unitBytes: number): Omit<Extent, 'unit'>[] {
  const pieces: Omit<Extent, 'unit'>[] = []
  for (let start = 0; start < bytes.length; start += unitBytes) {
    const piece = bytes.subarray(start, start + unitBytes)
    pieces.push({ length: piece.length, checksum: crc32c(piece) })
  }
  return pieces
}
