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
