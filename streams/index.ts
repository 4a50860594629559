export type {
  CheckReport,
  MemberRequest,
  PayloadRange,
  PoolAtomicity,
  PoolStatus,
  ScrubCursor,
  ScrubFinding,
  ScrubProgress,
  ScrubReport,
  Sequence,
} from '../pool/index.ts'
export type { Access, Credentials } from './access-port.ts'
export type * from './administration-port.ts'
export {
  type Append,
  type AppendOutcome,
  essenceOf,
  MESSAGES_MAX,
  type StreamPlace,
} from './appending.ts'
export type { AttributeChange } from './attributes.ts'
export type { BucketChange, BucketSettings, Expiry, Versioning } from './bucket-settings.ts'
export { BUNDLE_KEYS_MAX, verifyBundle } from './bundle-check.ts'
export { type CatalogOptions, openCatalog } from './catalog.ts'
export type {
  Catalog,
  CatalogPosition,
  DurableRecord,
  HiddenHead,
  ObjectHead,
  ObjectPlace,
  OlderVersion,
} from './catalog-port.ts'
export type { CatchUpProgress } from './catch-up.ts'
export { CHECKPOINT_RECORDS_LIMIT } from './checkpoint-check.ts'
export { CUSTODY_LIMITS, type CustodyOptions, type OpenCustody } from './custody.ts'
export type * from './custody-port.ts'
export { Delivery, type DeliveryOptions } from './delivery.ts'
export { DELIVERY_LIMITS, type DeliveryLimits } from './delivery-limits.ts'
export type { Message, Outcome, Send } from './delivery-port.ts'
export { digest } from './digest.ts'
export type * from './envelope.ts'
export { StoreError, type StoreErrorCode } from './errors.ts'
export type { Expired } from './expiry.ts'
export type { Finding as VerifyFinding, FindingCode } from './finding.ts'
export { INTEGRITY_DETAIL_BYTES_MAX, type IntegrityVerdict } from './integrity.ts'
export { limiter } from './limiter.ts'
export { KEY_BYTES_MAX } from './names.ts'
export type { Timers as NotaryTimers } from './notary.ts'
export {
  type OpenStore,
  openStore,
  STORE_LIMITS,
  type StoreLimits,
  type StoreOptions,
  type StoreStatus,
} from './open-store.ts'
export type { Timers } from './pauses.ts'
export { permit } from './permission.ts'
export { type Frozen, Pipeline } from './pipeline.ts'
export type * from './pool-port.ts'
export {
  COLUMNS_DEFAULT,
  columnOf,
  csvLine,
  csvPage,
  csvRow,
  ndjsonLines,
  parseColumns,
  QUERY_FORMATS,
  type QueryFormat,
  xmlPage,
} from './query-format.ts'
export type * from './record.ts'
export { decodeRecord, digestOf, encodeRecord } from './record-codec.ts'
export {
  type FormatContext,
  isRecordFormat,
  RECORD_FORMATS,
  type RecordFormat,
  type RecordFormatName,
} from './record-format.ts'
export type { ShownApplicationRecord, ShownRecord, ShownRegistration } from './shown-record.ts'
export { keyIdOf, type SigningKey } from './signed-record.ts'
export type { Stage } from './stage.ts'
export { inStoreWords, toStoreError } from './store-errors.ts'
export type * from './store-port.ts'
export type { CreateOutcome, StreamRequest } from './stream-creation.ts'
export type { StreamHead, Streams } from './stream-port.ts'
export type { DeliveryProgress, NewSubscription } from './subscription-changes.ts'
export type * from './subscription-port.ts'
export type { SubscriptionState } from './subscription-state.ts'
export type { TailOptions } from './tail.ts'
export type { TailPage } from './tail-page.ts'
export { verifyStream } from './verification.ts'
export type * from './version-port.ts'
