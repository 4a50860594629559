import type { Run } from './allocator.ts'
import type { Staging } from './contract.ts'
import type { Core } from './core.ts'
import type { ExtentsPlacement, Placement } from './entry.ts'
import { PoolError } from './errors.ts'
import { ExtentWriter } from './extent-writer.ts'
import type { Reservation } from './reservations.ts'

/** A payload that is complete for now: bytes to travel in the batch, or a tree of extents already on the device. */
export type Sealed =
  | { readonly form: 'inline'; readonly length: number; readonly chunks: readonly Uint8Array[] }
  | ExtentsPlacement

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
  /** Counts whatever ends a reading. */
  #changes = 0

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
    this.#changes++
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

  async shed(): Promise<void> {
    if (this.#ended) throw new PoolError('ERR_CLOSED', 'the transaction has ended')
    if (this.#length === 0) return
    this.#changes++
    if (!this.#extents) await this.#spill(NOTHING)
    await this.#extents!.finish()
  }

  async *read(): AsyncGenerator<Uint8Array> {
    const changes = this.#changes
    const pieces = this.#extents?.read() ?? this.#chunks.values()
    for (;;) {
      this.#requireUnchanged(changes)
      const { value } = await pieces.next()
      this.#requireUnchanged(changes)
      if (value === undefined) return
      yield value
    }
  }

  #requireUnchanged(changes: number): void {
    if (this.#ended || this.#changes !== changes)
      throw new PoolError('ERR_CLOSED', 'what is read was written to meanwhile, or its transaction has ended')
  }

  /** What was written so far; the device has taken all of it when this resolves. At once for a payload in memory. */
  seal(): Sealed | Promise<Sealed> {
    this.#changes++
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
const NOTHING = new Uint8Array(0)
