import { type Run, unitsOf } from './allocator.ts'
import { roundUp } from './bytes.ts'
import { crc32c } from './checksum.ts'
import type { Core } from './core.ts'
import type { Extent, ExtentsPlacement } from './entry.ts'
import { PoolError } from './errors.ts'
import { type Piece, readLeaves } from './extent-reader.ts'
import { ExtentTreeBuilder, reopenTree, type Tree } from './extent-tree.ts'
import { FreshUnits } from './fresh-units.ts'
import type { Reservation } from './reservations.ts'

const WRITES_IN_FLIGHT_MAX = 2

/**
 * Writes a stream of bytes to fresh units, in large writes, a few in flight. Calls take effect one after the other, and
 * the first failure is every later call's: a payload with a hole in it is never sealed.
 */
export class ExtentWriter {
  readonly #core: Core
  readonly #tree: ExtentTreeBuilder
  readonly #units: FreshUnits
  #last: Promise<unknown> = Promise.resolve()
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

  /**
   * What was appended so far, verified; each step takes its turn, so that no unit is given back while it is read. Whoever
   * reads goes on only while nothing else was called meanwhile.
   */
  async *read(): AsyncGenerator<Uint8Array> {
    await this.#inTurn(this.#last.then(() => this.#settle()))
    const pieces = readLeaves(this.#core, 'an upload', this.#tree.leaves(this.#core.device))
    for (;;) {
      const { value: piece } = await this.#inTurn(this.#last.then(() => this.#readNext(pieces)))
      if (!piece) break
      yield piece.bytes
    }
    if (this.#buffer) yield Buffer.from(this.#buffer.subarray(0, this.#filled))
  }

  #readNext(pieces: AsyncGenerator<Piece>): Promise<IteratorResult<Piece>> {
    this.#check()
    return pieces.next()
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
