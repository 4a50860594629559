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
export { chooseFormat, type Format, type Tuning } from './format.ts'
export { MemoryDevice } from './memory-device.ts'
export type { Mutation, Mutations } from './mutation.ts'
export { formatDevice, type OpenOptions, openDevice, type PoolIdentity, type Timers } from './open.ts'
