import { PoolError } from './errors.ts'

/** What is fixed when a pool is created and written in its guard block. Sizes in bytes. */
export interface Format {
  /** The unit of journal batches and metadata pages; at least the device's physical block. */
  readonly blockBytes: number
  /** The allocation unit: what one checksum covers, and the grain of large payloads. */
  readonly unitBytes: number
  /** A segment of the journal; space is divided into regions of this size. */
  readonly segmentBytes: number
  /** Superblocks in each of the two rings. */
  readonly ringSlots: number
  /** Extents kept inside a record; more go to manifest units. */
  readonly recordExtentsMax: number
}

/** What may differ from one opening to the next. */
export interface Tuning {
  /** Payloads up to this size travel inside the journal. */
  readonly inlineBytesMax: number
  /** Records and inline payloads of one transaction. */
  readonly transactionBytesMax: number
  /** A batch takes no further transaction once it holds this much. */
  readonly groupBytesMax: number
  readonly groupTransactionsMax: number
  /** Transactions waiting for a batch; beyond it ERR_BUSY. */
  readonly queueTransactionsMax: number
  /** Inline payload bytes waiting for a batch; beyond it ERR_BUSY. */
  readonly queueBytesMax: number
  /** Free segments kept from payloads: half take bare records, some more those of promised payloads, all of them deletes. */
  readonly reserveSegments: number
  /** In which a promise of room is to be used up, at a steady pace, or ends once somebody else lacks it. */
  readonly promiseMsMax: number
  /** Journal bytes between checkpoints. */
  readonly checkpointBytesMax: number
  /** Records between checkpoints: replaying them takes the time, not their bytes. */
  readonly checkpointRecordsMax: number
  /** Released payloads between checkpoints. */
  readonly releasesMax: number
  /** Time between checkpoints while there is something to save; 0 for never. */
  readonly checkpointMsMax: number
  /** Idle time before the last batch is sealed; 0 for never. */
  readonly sealIdleMs: number
  /** The largest single write of staged bytes. */
  readonly stagingBytesMax: number
  /** Space to which writes have failed; beyond it the device is dying, and the pool halts. */
  readonly retiredBytesMax: number
  /** Segments whose offset tables stay in memory. */
  readonly indexesMax: number
}

const MIB = 1 << 20

/** 16 MiB segments where the device has room for 64 of them, smaller ones below. */
export function chooseFormat(deviceBytes: number): Format {
  let segmentBytes = 16 * MIB
  while (segmentBytes > MIB && deviceBytes / segmentBytes < 63) segmentBytes /= 2
  return { blockBytes: 4096, unitBytes: 65_536, segmentBytes, ringSlots: 32, recordExtentsMax: 64 }
}

export function chooseTuning(format: Format): Tuning {
  return {
    inlineBytesMax: 32 * 1024,
    transactionBytesMax: Math.min(4 * MIB, format.segmentBytes / 4),
    groupBytesMax: Math.min(MIB, format.segmentBytes / 4),
    groupTransactionsMax: 2048,
    queueTransactionsMax: 16_384,
    queueBytesMax: Math.min(64 * MIB, 4 * format.segmentBytes),
    reserveSegments: 8,
    promiseMsMax: 6 * 3_600_000,
    checkpointBytesMax: 16 * format.segmentBytes,
    checkpointRecordsMax: 131_072,
    releasesMax: 65_536,
    checkpointMsMax: 30_000,
    sealIdleMs: 50,
    stagingBytesMax: 512 * 1024,
    retiredBytesMax: 4 * format.segmentBytes,
    indexesMax: 256,
  }
}

const powerOfTwo = (value: number): boolean => Number.isSafeInteger(value) && value > 0 && Math.log2(value) % 1 === 0

/** Throws ERR_FORMAT when the numbers contradict each other. */
export function checkFormat(format: Format): void {
  const { blockBytes, unitBytes, segmentBytes, ringSlots, recordExtentsMax } = format
  const sound =
    powerOfTwo(blockBytes) &&
    blockBytes >= 512 &&
    powerOfTwo(unitBytes) &&
    unitBytes >= blockBytes &&
    powerOfTwo(segmentBytes) &&
    segmentBytes >= 4 * unitBytes &&
    ringSlots >= 2 &&
    ringSlots <= 1024 &&
    recordExtentsMax >= 1 &&
    recordExtentsMax <= 1024
  if (!sound) throw new PoolError('ERR_FORMAT', `impossible format ${JSON.stringify(format)}`)
}
