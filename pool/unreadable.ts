import type { Device } from './device.ts'
import { hasCode, PoolError } from './errors.ts'

/** Where bytes of a device begin. */
export interface Beginning {
  readonly device: Pick<Device, 'name' | 'read'>
  readonly offset: number
}

/** Bytes of a device that could not be read. */
export interface Unreadable {
  /** The device's name. */
  readonly device: string
  /** In bytes from the start of the device. */
  readonly offset: number
  readonly length: number
  readonly cause: unknown
}

/** Of those that one start meets so many are told one by one; the others are counted. */
export const UNREADABLE_TOLD_MAX = 16

/** What a start could not read, and went on without where another copy was right. */
export class UnreadableTally {
  readonly #places = new Set<string>()
  readonly #tell: (place: Unreadable) => void

  constructor(tell: (place: Unreadable) => void = () => {}) {
    this.#tell = tell
  }

  /** Each place once, however often it is tried. */
  get count(): number {
    return this.#places.size
  }

  add({ device, offset }: Beginning, length: number, cause: unknown): void {
    const place = `${offset} ${nameOf(device)}`
    if (this.#places.has(place)) return
    this.#places.add(place)
    if (this.count <= UNREADABLE_TOLD_MAX) this.#tell({ device: nameOf(device), offset, length, cause })
  }
}

/** A failure to read, with what it was and where: what people have to look at. Other failures stay as they are. */
export function unreadable(what: string, { device, offset }: Beginning, length: number, cause: unknown): unknown {
  if (!hasCode(cause, 'ERR_IO')) return cause
  const place = `${length} bytes at ${offset} of ${nameOf(device)}`
  return new PoolError(cause.code, `${what} cannot be read, ${place}: ${cause.message}`, { cause })
}

const nameOf = ({ name }: Pick<Device, 'name'>): string => name ?? 'the device'
