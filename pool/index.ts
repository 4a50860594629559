export { type CreatePoolOptions, createPool, openPool, POOL_BYTES_MIN } from './abstraction-manager.ts'
export type { Progress } from './block-file.ts'
export { crc32c } from './checksum.ts'
export type {
  CheckReport,
  Draft,
  Drafting,
  Finding,
  PayloadRange,
  Pool,
  PoolPosition,
  PoolRecord,
  PoolStatus,
  RecordDraft,
  RecoverySummary,
  Release,
  Sequence,
  Staging,
  Transaction,
} from './contract.ts'
export type { Device, Limits } from './device.ts'
export { PoolError, type PoolErrorCode } from './errors.ts'
export { FileDevice, type FileDeviceOptions } from './file-device.ts'
export type { FlushLatency } from './flush-latency.ts'
export { chooseFormat, type Format, type Tuning } from './format.ts'
export type { IoMode } from './io-choice.ts'
export { MemoryDevice } from './memory-device.ts'
export type { Mutation, Mutations } from './mutation.ts'
export { formatDevice, type OpenOptions, openDevice, type PoolIdentity, type Timers } from './open.ts'
export type { Clock, Stall } from './stall-watch.ts'
