import { type Device, type Limits, type Place, placeOf, type WriteOptions } from './device.ts'
import { PoolError } from './errors.ts'
import type { Members } from './members.ts'
import type { UnreadableTally } from './unreadable.ts'

/**
 * The device as the parts of an open pool see it. Once the pool has halted nothing is written any more, whoever asks: a
 * checkpoint that waited for its turn would save a state that lacks what the failed one had taken; an upload would
 * write to units that a record of unknown outcome may own. Reads go on.
 *
 * While a member is lost and not on record as such nothing is written either: a batch on the members that are left would
 * tell, after a crash, of data that the lost one, taken for whole, never got.
 */
export class HaltableDevice implements Device {
  readonly #device: Device
  readonly #members: Pick<Members, 'areRecorded' | 'recorded'>
  #failure: unknown
  /** Copies that were found wrong and written anew. */
  mended = 0
  /** Told of reads that fail while the pool is being opened: another copy may do, but somebody should know. */
  tally: UnreadableTally | undefined

  constructor(device: Device, members: Pick<Members, 'areRecorded' | 'recorded'>) {
    this.#device = device
    this.#members = members
  }

  get limits(): Limits {
    return this.#device.limits
  }

  get copies(): number {
    return this.#device.copies
  }

  placeOf(offset: number, copy: number): Place {
    return placeOf(this.#device, offset, copy)
  }

  halt(failure: unknown): void {
    this.#failure ??= failure
  }

  async read(offset: number, target: Uint8Array, copy?: number): Promise<void> {
    try {
      await this.#device.read(offset, target, copy)
    } catch (error) {
      this.tally?.add(this.placeOf(offset, copy ?? 0), target.length, error)
      throw error
    }
  }

  async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    if (!this.#members.areRecorded) await this.#members.recorded()
    if (this.#failure) return await this.#refuse()
    if (options?.copy !== undefined) this.mended++
    await this.#device.write(offset, source, options)
  }

  async flush(): Promise<void> {
    if (!this.#members.areRecorded) await this.#members.recorded()
    if (this.#failure) return await this.#refuse()
    await this.#device.flush()
  }

  close(): Promise<void> {
    return this.#device.close()
  }

  #refuse(): Promise<never> {
    return Promise.reject(new PoolError('ERR_HALTED', 'the pool has halted', { cause: this.#failure }))
  }
}
