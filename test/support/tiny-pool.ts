import type { Format, OpenOptions, Tuning } from '../../pool/index.ts'
import type { Identity } from './single-device.ts'

/** A format small enough that a few writes fill segments, grow extent trees and wake compaction. */
export const TINY_FORMAT: Format = {
  blockBytes: 512,
  unitBytes: 1024,
  segmentBytes: 8192,
  ringSlots: 3,
  recordExtentsMax: 3,
}

export const TINY_TUNING: Tuning = {
  inlineBytesMax: 700,
  transactionBytesMax: 3072,
  groupBytesMax: 2048,
  groupTransactionsMax: 16,
  queueTransactionsMax: 256,
  queueBytesMax: 1 << 16,
  reserveSegments: 4,
  promiseMsMax: 3_600_000,
  checkpointBytesMax: 1 << 30,
  checkpointRecordsMax: 1 << 30,
  releasesMax: 1 << 20,
  checkpointMsMax: 0,
  sealIdleMs: 0,
  stagingBytesMax: 2048,
  retiredBytesMax: 4 * 8192,
  indexesMax: 4,
}

export const TINY_BYTES = 256 * 1024

export const identity = (name = 1): Identity => ({
  pool: Buffer.alloc(16, name),
  member: Buffer.alloc(16, name + 1),
})

export const tiny = (options: OpenOptions = {}): OpenOptions => ({
  ...options,
  tuning: { ...TINY_TUNING, ...options.tuning },
})
