import type { FlushLatency } from './flush-latency.ts'

/** What a device promises. Names follow the Linux queue limits (sysfs `queue/*`). All sizes in bytes. */
export interface Limits {
  readonly size: number
  readonly logicalBlockSize: number
  /** The sector that may be damaged as a whole when power fails while part of it is written. */
  readonly physicalBlockSize: number
  readonly writeCache: 'write-through' | 'write-back'
  /** True when flush() reaches stable media. */
  readonly flushable: boolean
  /** The largest write that goes to the device in one request. */
  readonly requestBytesMax: number
  /** What the device itself writes all or nothing, power failure included; absent unless it says so beyond doubt. */
  readonly atomicWrite?: AtomicWriteLimits
}

/** Which writes are atomic on their own: a power of two from unitMin to unitMax, aligned to its length, in one piece. */
export interface AtomicWriteLimits {
  readonly unitMin: number
  readonly unitMax: number
  /** No atomic write may cross a multiple of this; 0 for none. */
  readonly boundary: number
}

export interface WriteOptions {
  /** Only this copy, to mend it; by default every one. */
  readonly copy?: number
  /** Asked by a device of several copies once no other write is underway there: false, and nothing is written. */
  readonly when?: () => Promise<boolean>
  /** In one request to the device, or rejected with ERR_LIMITS. */
  readonly unsplit?: boolean
}

/** How a real device is and does, for those who look after it. */
export interface DeviceFigures {
  readonly kind: 'file' | 'block device'
  /** Around the page cache or through it. */
  readonly io: 'direct' | 'buffered'
  readonly flushes: FlushLatency
  /** Requests that took too long. */
  readonly stalls: number
  /** One is underway that has taken too long. */
  readonly isStalled: boolean
}

/** Where one copy of some bytes lies: on a device that is no layout, with `length` bytes that follow there. */
export interface Place {
  readonly device: Device
  readonly offset: number
  readonly length: number
}

/**
 * The physical-device interface: the only way to the medium. A layout is a Device made of Devices.
 *
 * Every method rejects with a PoolError: ERR_LIMITS for a request that breaks the limits, ERR_IO for a medium that
 * fails, and ERR_HALTED for every write and flush after a failed flush, which is final for this incarnation of the
 * device (after it nobody knows what is on the medium; POOL rule 6, "fsyncgate"). Reads go on, of the medium itself; of a
 * device that has been given up, for it did not answer, they are refused, too.
 */
export interface Device {
  readonly limits: Limits
  /** What people call it: a path, for a device that has one. */
  readonly name?: string
  readonly figures?: DeviceFigures
  /** Copies that it keeps of each byte, numbered from 0: the legs of a mirror that are in sync, otherwise one. */
  readonly copies: number
  /** Where a copy of what is at `offset` lies. Absent for a device that is no layout: there it lies where it is. */
  placeOf?(offset: number, copy: number): Place
  /** Fills `target` from `offset`, of any copy or of one; a short read is an error. */
  read(offset: number, target: Uint8Array, copy?: number): Promise<void>
  /** Writes all of `source` at `offset`; a short write is an error. `source` belongs to the device until it resolves. */
  write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void>
  /** Every write that resolved before flush() was called is durable when it resolves. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** As much of a device as is needed to look at what it holds. */
export type Readable = Pick<Device, 'read' | 'name'> & { readonly limits: Pick<Limits, 'size' | 'logicalBlockSize'> }

/** Where a copy of what is at `offset` of any device lies. */
export const placeOf = (device: Device, offset: number, copy: number): Place =>
  device.placeOf?.(offset, copy) ?? { device, offset, length: device.limits.size - offset }
