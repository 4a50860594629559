import type { Device, Limits, WriteOptions } from './device.ts'
import { PoolError } from './errors.ts'

/**
 * The device as the parts of an open pool see it. Once the pool has halted nothing is written any more, whoever asks: a
 * checkpoint that waited for its turn would save a state that lacks what the failed one had taken; an upload would
 * write to units that a record of unknown outcome may own. Reads go on.
 */
export class HaltableDevice implements Device {
  readonly limits: Limits
  readonly #device: Device
  #failure: unknown
  /** Copies that were found wrong and written anew. */
  mended = 0

  constructor(device: Device) {
    this.#device = device
    this.limits = device.limits
  }

  get copies(): number {
    return this.#device.copies
  }

  halt(failure: unknown): void {
    this.#failure ??= failure
  }

  read(offset: number, target: Uint8Array, copy?: number): Promise<void> {
    return this.#device.read(offset, target, copy)
  }

  write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    if (this.#failure) return this.#refuse()
    if (options?.copy !== undefined) this.mended++
    return this.#device.write(offset, source, options)
  }

  flush(): Promise<void> {
    return this.#failure ? this.#refuse() : this.#device.flush()
  }

  close(): Promise<void> {
    return this.#device.close()
  }

  #refuse(): Promise<never> {
    return Promise.reject(new PoolError('ERR_HALTED', 'the pool has halted', { cause: this.#failure }))
  }
}
