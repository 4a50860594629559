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
export type { Access, ChallengeAccess, Credentials } from './access-port.ts'
export type * from './administration-port.ts'
export {
  type Append,
  type AppendOutcome,
  essenceOf,
  MESSAGES_MAX,
  type StreamPlace,
} from './appending/appending.ts'
export type { CreateOutcome, StreamRequest } from './appending/stream-creation.ts'
export type { StreamHead, Streams } from './appending/stream-port.ts'
export type { AttributeChange } from './attributes.ts'
export { type CatalogOptions, openCatalog } from './catalog/catalog.ts'
export type {
  Catalog,
  CatalogPosition,
  DurableRecord,
  HiddenHead,
  ObjectHead,
  ObjectPlace,
  OlderVersion,
} from './catalog/catalog-port.ts'
export type { CatchUpProgress } from './catalog/catch-up.ts'
export { percentOf } from './catalog/index-state.ts'
export { BUNDLE_KEYS_MAX, verifyBundle } from './custody/bundle-check.ts'
export { CHECKPOINT_RECORDS_LIMIT } from './custody/checkpoint-check.ts'
export { CUSTODY_LIMITS, type CustodyOptions, type OpenCustody } from './custody/custody.ts'
export type * from './custody/custody-port.ts'
export type { Finding as VerifyFinding, FindingCode } from './custody/finding.ts'
export type { Timers as NotaryTimers } from './custody/notary.ts'
export { keyIdOf, type SigningKey } from './custody/signed-record.ts'
export { verifyStream } from './custody/verification.ts'
export { Delivery, type DeliveryOptions } from './delivery/delivery.ts'
export { DELIVERY_LIMITS, type DeliveryLimits } from './delivery/delivery-limits.ts'
export type { Message, Outcome, Send } from './delivery/delivery-port.ts'
export type { Timers } from './delivery/pauses.ts'
export type { DeliveryProgress, NewSubscription } from './delivery/subscription-changes.ts'
export type * from './delivery/subscription-port.ts'
export type { SubscriptionState } from './delivery/subscription-state.ts'
export { digest } from './digest.ts'
export type * from './envelope.ts'
export { StoreError, type StoreErrorCode } from './errors.ts'
export { INTEGRITY_DETAIL_BYTES_MAX, type IntegrityVerdict } from './integrity.ts'
export { limiter } from './limiter.ts'
export { KEY_BYTES_MAX } from './names.ts'
export {
  type OpenStore,
  openStore,
  STORE_LIMITS,
  type StoreLimits,
  type StoreOptions,
  type StoreStatus,
} from './open-store.ts'
export type * from './partials/partial-port.ts'
export { permit } from './permission.ts'
export { type Frozen, Pipeline } from './pipeline.ts'
export { meets, PATTERN_CHARACTERS_MAX } from './policy/glob.ts'
export type * from './policy/policy.ts'
export type { Owner, Usage } from './policy/usage.ts'
export type * from './pool-port.ts'
export type { Disposition, Verdict } from './quarantine/verdict.ts'
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
} from './query/query-format.ts'
export type * from './records/record.ts'
export { decodeRecord, digestOf, encodeRecord } from './records/record-codec.ts'
export {
  type FormatContext,
  isRecordFormat,
  RECORD_FORMATS,
  type RecordFormat,
  type RecordFormatName,
} from './records/record-format.ts'
export type { ShownApplicationRecord, ShownRecord, ShownRegistration } from './records/shown-record.ts'
export { isScanPolicy, SCAN_POLICIES, type ScanPolicy } from './scanning/scan-policy.ts'
export * from './scanning/scanner-port.ts'
export {
  SCANNING_LIMITS,
  type Scanned,
  Scanning,
  type ScanningLimits,
  type ScanningOptions,
} from './scanning/scanning.ts'
export type { Derived, Stage } from './stage.ts'
export { inStoreWords, toStoreError } from './store-errors.ts'
export type * from './store-port.ts'
export type { PageRoom, TailOptions } from './tail/tail.ts'
export type { TailPage } from './tail/tail-page.ts'
export type { BucketChange, BucketSettings, Expiry, Versioning } from './versions/bucket-settings.ts'
export { REMOVALS_MAX } from './versions/bulk-removals.ts'
export type { Expired } from './versions/expiry.ts'
export type * from './versions/version-port.ts'
