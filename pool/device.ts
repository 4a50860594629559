/** What a device promises. Names follow the Linux queue limits (sysfs `queue/*`). All sizes in bytes. */
export interface Limits {
  readonly size: number
  readonly logicalBlockSize: number
  /** The sector that may be damaged as a whole when power fails while part of it is written. */
  readonly physicalBlockSize: number
  readonly writeCache: 'write-through' | 'write-back'
  /** True when flush() reaches stable media. */
  readonly flushable: boolean
}

/**
 * The physical-device interface: the only way to the medium. A layout is a Device made of Devices.
 *
 * Every method rejects with a PoolError: ERR_LIMITS for a request that breaks the limits, ERR_IO for a medium that
 * fails, and ERR_HALTED for every request after a failed flush, which is final for this incarnation of the device
 * (after it nobody knows what is on the medium; POOL rule 6, "fsyncgate").
 */
export interface Device {
  readonly limits: Limits
  /** Fills `target` from `offset`; a short read is an error. */
  read(offset: number, target: Uint8Array): Promise<void>
  /** Writes all of `source` at `offset`; a short write is an error. `source` belongs to the device until it resolves. */
  write(offset: number, source: Uint8Array): Promise<void>
  /** Every write that resolved before flush() was called is durable when it resolves. */
  flush(): Promise<void>
  close(): Promise<void>
}
