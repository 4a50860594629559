export {
  type CreatedPool,
  type CreatePoolOptions,
  type CreatePoolRequest,
  createPool,
  hasPool,
  type OpenPoolOptions,
  openPool,
  POOL_BYTES_MIN,
} from './abstraction-manager.ts'
export type { Progress } from './block-file.ts'
export type { MemberRequest } from './candidate.ts'
export { crc32c } from './checksum.ts'
export type {
  CheckReport,
  Draft,
  Drafting,
  FillProgress,
  Finding,
  ManagedPool,
  MemberFigures,
  MemberStatus,
  OnLost,
  PayloadRange,
  Pool,
  PoolAtomicity,
  PoolLimits,
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
export { formatDevices, type PoolConfiguration, type PoolIdentity } from './create.ts'
export type { Device, Limits } from './device.ts'
export { hasCode, PoolError, type PoolErrorCode } from './errors.ts'
export { FileDevice, type FileDeviceOptions } from './file-device.ts'
export type { FlushLatency } from './flush-latency.ts'
export { chooseFormat, chooseTuning, type Format, type Tuning } from './format.ts'
export { type Geometry, LAYOUTS, type LayoutName } from './geometry.ts'
export type { IoMode } from './io-choice.ts'
export { addDevice, type ChangeOptions, type ReplaceOptions, replaceDevice } from './member-change.ts'
export { MemoryDevice } from './memory-device.ts'
export type { Mutation, Mutations } from './mutation.ts'
export { type OpenOptions, openDevices, type Timers } from './open.ts'
export type { ScrubOptions } from './scrub.ts'
export { type ScrubClock, systemScrubClock } from './scrub-pace.ts'
export {
  FINDINGS_MAX,
  readCursor,
  type ScrubCursor,
  type ScrubFinding,
  type ScrubKind,
  type ScrubOutcome,
  type ScrubProgress,
  type ScrubReport,
  type ScrubSubject,
} from './scrub-report.ts'
export type { Clock, Stall } from './stall-watch.ts'
export type { Unreadable } from './unreadable.ts'
export type { Volume, VolumeWriteOptions } from './volume.ts'
export { isVolumeRecord } from './volume-record.ts'
export type { VolumeExtent, VolumeLimits } from './volume-shape.ts'
export { openVolumes, type VolumeStatus, type Volumes, type VolumesOptions } from './volumes.ts'
