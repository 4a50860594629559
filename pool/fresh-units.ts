import type { Run } from './allocator.ts'
import type { Core } from './core.ts'
import { hasCode } from './errors.ts'
import type { Reservation } from './reservations.ts'

/** Places at which bytes are tried before their upload is refused. */
export const WRITE_ATTEMPTS_MAX = 2

/**
 * Units that one payload was given, until a record owns them or they are given back. Where the medium takes no bytes the
 * units are retired and the bytes go elsewhere: what is there by now nobody knows, and a write that was given up may
 * still land.
 */
export class FreshUnits {
  readonly #core: Core
  readonly #reservation: Reservation
  #runs: Run[] = []

  constructor(core: Core, reservation: Reservation) {
    this.#core = core
    this.#reservation = reservation
  }

  /** At most so many units in a row, after asking once for released ones. ERR_NO_SPACE. */
  async allocate(units: number): Promise<Run> {
    if (!this.#reservation.hasRoom) await this.#core.reclaim()
    const run = this.#reservation.allocate(units)
    this.#runs.push(run)
    return run
  }

  /** Writes whole blocks to `run`, or elsewhere; gives back where they are, in their order. ERR_IO, ERR_NO_SPACE. */
  async write(run: Run, bytes: Uint8Array, attempt = 1): Promise<readonly Run[]> {
    const { device, zones } = this.#core
    try {
      await device.write(zones.unitOffset(run.unit), bytes)
      return [run]
    } catch (error) {
      if (!hasCode(error, 'ERR_IO')) throw error
      this.#runs = this.#runs.filter((one) => one !== run)
      this.#core.retire(run, error)
      if (attempt === WRITE_ATTEMPTS_MAX) throw error
    }
    return await this.place(bytes, attempt + 1)
  }

  /** Writes whole blocks wherever there is room, as write() does. */
  async place(bytes: Uint8Array, attempt = 1): Promise<readonly Run[]> {
    const { unitBytes } = this.#core.zones
    const placed: Run[] = []
    for (let start = 0; start < bytes.length; ) {
      const run = await this.allocate(Math.ceil((bytes.length - start) / unitBytes))
      const end = Math.min(bytes.length, start + run.units * unitBytes)
      placed.push(...(await this.write(run, bytes.subarray(start, end), attempt)))
      start = end
    }
    return placed
  }

  /** Hands over all that it has. */
  take(): Run[] {
    const runs = this.#runs
    this.#runs = []
    return runs
  }
}
