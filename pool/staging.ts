import assert from 'node:assert/strict'
import type { Run } from './allocator.ts'
import { roundUp } from './bytes.ts'
import { crc32c } from './checksum.ts'
import type { Staging } from './contract.ts'
import type { Core } from './core.ts'
import type { Extent, Placement } from './entry.ts'
import { ExtentTreeBuilder, reopenTree } from './extent-tree.ts'
import { unitOffset } from './zones.ts'

/** A payload that is complete for now: bytes to travel in the batch, or a tree of extents already on the device. */
export type Sealed =
  | { readonly form: 'inline'; readonly length: number; readonly chunks: readonly Uint8Array[] }
  | Extract<Placement, { form: 'extents' }>

const WRITES_IN_FLIGHT_MAX = 2

/**
 * One payload on its way in. Small ones stay in memory; from `inlineBytesMax` on, bytes go to fresh units as they
 * come, so that a payload of any size holds three buffers of `stagingBytesMax` at the most.
 */
export class PayloadStaging implements Staging {
  readonly #core: Core
  #length = 0
  #chunks: Uint8Array[] = []
  #extents: ExtentWriter | undefined

  constructor(core: Core) {
    this.#core = core
  }

  /** Goes on with a payload that a prepared record owns. */
  static async resume(core: Core, placement: Placement, inline: Uint8Array): Promise<PayloadStaging> {
    const staging = new PayloadStaging(core)
    staging.#length = placement.length
    if (placement.form === 'extents') staging.#extents = await ExtentWriter.resume(core, placement)
    else staging.#chunks = [inline]
    return staging
  }

  get length(): number {
    return this.#length
  }

  write(chunk: Uint8Array): Promise<void> {
    this.#length += chunk.length
    if (this.#extents) return this.#extents.append(chunk)
    if (this.#length > this.#core.tuning.inlineBytesMax) return this.#spill(chunk)
    if (chunk.length > 0) this.#chunks.push(Uint8Array.prototype.slice.call(chunk))
    return DONE
  }

  async #spill(chunk: Uint8Array): Promise<void> {
    this.#extents = new ExtentWriter(this.#core)
    const chunks = this.#chunks
    this.#chunks = []
    for (const earlier of chunks) await this.#extents.append(earlier)
    await this.#extents.append(chunk)
  }

  /** What was written so far; the device has taken all of it when this resolves. At once for a payload in memory. */
  seal(): Sealed | Promise<Sealed> {
    if (!this.#extents) return { form: 'inline', length: this.#length, chunks: this.#chunks }
    return this.#extents.finish().then((tree) => ({ form: 'extents', length: this.#length, ...tree }))
  }

  /** Hands over the units taken since the last call: a durable record owns them now. */
  takeRuns(): readonly Run[] {
    return this.#extents?.takeRuns() ?? []
  }

  /** Gives back units that no record owns. Waits for writes underway, so that none lands in a unit's next life. */
  async discard(): Promise<void> {
    this.#chunks = []
    await this.#extents?.discard()
  }
}

const DONE = Promise.resolve()

/** Writes a stream of bytes to fresh units, in large writes, a few in flight. */
class ExtentWriter {
  readonly #core: Core
  readonly #tree: ExtentTreeBuilder
  #runs: Run[] = []
  #buffer: Buffer | undefined
  #filled = 0
  #sent = 0
  #inFlight: Promise<void>[] = []
  #failure: unknown

  constructor(core: Core, resumed?: Extent[][]) {
    this.#core = core
    const unit = async () => (await this.#allocate(1)).unit
    this.#tree = new ExtentTreeBuilder(core, core.format.recordExtentsMax, unit, resumed)
  }

  static async resume(core: Core, placement: Extract<Placement, { form: 'extents' }>): Promise<ExtentWriter> {
    return new ExtentWriter(core, await reopenTree(core.device, core.zones, placement))
  }

  async append(chunk: Uint8Array): Promise<void> {
    let offset = 0
    while (offset < chunk.length) {
      this.#buffer ??= this.#core.buffers.take(this.#bufferBytes())
      const bytes = Math.min(chunk.length - offset, this.#buffer.length - this.#filled)
      this.#buffer.set(chunk.subarray(offset, offset + bytes), this.#filled)
      this.#filled += bytes
      offset += bytes
      if (this.#filled === this.#buffer.length) await this.#send()
    }
  }

  /** One unit at first, so that many slow uploads hold little; whole buffers once an upload has shown its pace. */
  #bufferBytes(): number {
    const { zones, tuning } = this.#core
    const large = Math.max(zones.unitBytes, tuning.stagingBytesMax - (tuning.stagingBytesMax % zones.unitBytes))
    return this.#sent < large ? zones.unitBytes : large
  }

  async #send(): Promise<void> {
    const { zones } = this.#core
    const buffer = this.#buffer!
    const filled = this.#filled
    this.#buffer = undefined
    this.#filled = 0
    this.#sent += filled
    const writes: Promise<void>[] = []
    for (let start = 0; start < filled; ) {
      const run = await this.#allocate(Math.ceil((filled - start) / zones.unitBytes))
      const end = Math.min(filled, start + run.units * zones.unitBytes)
      await this.#describe(run, buffer.subarray(start, end))
      writes.push(this.#write(run, buffer, start, end))
      start = end
    }
    this.#inFlight.push(Promise.all(writes).then(() => this.#core.buffers.give(buffer)))
    if (this.#inFlight.length >= WRITES_IN_FLIGHT_MAX) await this.#inFlight.shift()
    this.#check()
  }

  /** Free units, after asking once for released ones. ERR_NO_SPACE. */
  async #allocate(units: number): Promise<Run> {
    const { allocator } = this.#core
    if (!allocator.hasRoom) await this.#core.reclaim()
    const run = allocator.allocate(units)
    this.#runs.push(run)
    return run
  }

  async #describe(run: Run, bytes: Buffer): Promise<void> {
    const { unitBytes } = this.#core.zones
    for (let i = 0; i < run.units; i++) {
      const piece = bytes.subarray(i * unitBytes, (i + 1) * unitBytes)
      await this.#tree.push({ length: piece.length, unit: run.unit + i, checksum: crc32c(piece) })
    }
  }

  async #write(run: Run, buffer: Buffer, start: number, end: number): Promise<void> {
    const { device, zones } = this.#core
    const padded = start + roundUp(end - start, zones.blockBytes)
    buffer.fill(0, end, padded)
    try {
      await device.write(unitOffset(zones, run.unit), buffer.subarray(start, padded))
    } catch (error) {
      this.#failure ??= error
    }
  }

  async finish(): Promise<Pick<Extract<Placement, { form: 'extents' }>, 'depth' | 'extents'>> {
    if (this.#filled > 0) await this.#send()
    await this.#settle()
    this.#check()
    return await this.#tree.tree()
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#inFlight)
    this.#inFlight = []
  }

  #check(): void {
    if (this.#failure) throw this.#failure
  }

  takeRuns(): readonly Run[] {
    const runs = this.#runs
    this.#runs = []
    return runs
  }

  async discard(): Promise<void> {
    await this.#settle()
    for (const run of this.takeRuns()) {
      for (let i = 0; i < run.units; i++) this.#core.allocator.recycle(run.unit + i)
    }
    assert(this.#inFlight.length === 0)
  }
}
