import type { PayloadRange } from '../../pool/index.ts'
import type { Attributes, ObjectName, Origin } from '../envelope.ts'
import type { StoreError } from '../errors.ts'
import type { ObjectStat, Reading } from '../store-port.ts'
import type { BucketChange, BucketSettings } from './bucket-settings.ts'

/** One entry of the list of versions. */
export type ObjectVersion = CurrentVersion | NoncurrentVersion | DeleteMarker

export interface CurrentVersion extends ObjectStat {
  readonly state: 'current'
}

export interface NoncurrentVersion extends ObjectStat {
  readonly state: 'noncurrent'
  /** Milliseconds since 1970 when it was replaced or removed. */
  readonly since: number
}

export interface DeleteMarker extends ObjectName {
  readonly state: 'marker'
  readonly object: string
  readonly version: string
  readonly sequence: number
  /** Milliseconds since 1970 when the object was removed. */
  readonly time: number
  /** Versions that are kept under it. */
  readonly hides: number
}

export interface VersionListOptions {
  readonly prefix?: string
  /** The `next` of the page before. */
  readonly cursor?: string
  /** 1 to `listLimitMax`. */
  readonly limit?: number
}

export interface VersionListing {
  /** By key, in the order of their UTF-8 bytes; of one key the live object first, each object's newest version first. */
  readonly versions: readonly ObjectVersion[]
  /** Pass as `cursor` to go on; absent at the end. */
  readonly next?: string
}

/** A version by its id, a sequence of 16 digits; the current one without. */
export interface VersionName extends ObjectName {
  readonly version?: string | undefined
}

export type KeyVersion = Omit<VersionName, 'bucket'>

/** What became of a version that was to be removed. */
export interface Removal {
  readonly key: string
  /** As it was asked for; none for what was current. */
  readonly version?: string | undefined
  readonly outcome: 'removed' | 'missing' | 'refused'
  /** Why it was refused. */
  readonly error?: StoreError
}

/** As of a record, or of a moment in milliseconds since 1970. */
export type Moment = { readonly sequence: number } | { readonly time: number }

/** What an object was at a moment. */
export interface PastObject extends ObjectName {
  readonly object: string
  /** The last record of its stream that counts, and when that was. */
  readonly sequence: number
  readonly time: number
  /** The version that was current; null while it was removed. */
  readonly version: string | null
  /** Whether the bytes of that version are still kept. */
  readonly readable: boolean
  readonly attributes: Attributes
}

/** Versions of objects, and the settings that say how they are kept. All methods reject with a StoreError. */
export interface Versions {
  settings(origin: Origin, bucket: string): Promise<BucketSettings>
  /** ERR_FORBIDDEN without `bucket:manage`, ERR_INVALID, ERR_CONFLICT for the way back to `off`. */
  configure(origin: Origin, bucket: string, change: BucketChange): Promise<void>
  /** ERR_NOT_FOUND for a version that is not kept, and for a delete marker. */
  statVersion(origin: Origin, name: VersionName): Promise<ObjectStat>
  readVersion(origin: Origin, name: VersionName, range?: PayloadRange): Promise<Reading>
  listVersions(origin: Origin, bucket: string, options?: VersionListOptions): Promise<VersionListing>
  /**
   * Removes a version for good, or a delete marker; false when there is none. Under the current one the version before
   * comes back. ERR_LOCKED while it is retained or held.
   */
  removeVersion(origin: Origin, name: ObjectName, version: string): Promise<boolean>
  /**
   * Removes versions and delete markers of a bucket for good, at most 1,000; without a version what is current, as
   * a removal does. Those of one name go together or, where nothing was durable, not at all; what is locked stays. What
   * became of each is told, in the order in which they were asked for.
   */
  removeVersions(origin: Origin, bucket: string, asked: readonly KeyVersion[]): Promise<readonly Removal[]>
  /** Retains a version until a moment, in milliseconds since 1970. ERR_LOCKED when that is sooner than it was. */
  retain(origin: Origin, name: VersionName, until: number): Promise<void>
  /** Puts a version under legal hold, or ends that. */
  hold(origin: Origin, name: VersionName, isHeld: boolean): Promise<void>
  /** Lets everybody read again what was quarantined; false when it was not. ERR_FORBIDDEN without `object:quarantine`. */
  release(origin: Origin, name: VersionName): Promise<boolean>
  /** Removes a version that is quarantined, and false when it is not. ERR_LOCKED while it is retained or held. */
  discard(origin: Origin, name: VersionName): Promise<boolean>
  /** ERR_NOT_FOUND for what was not there yet. */
  objectAt(origin: Origin, name: ObjectName, moment: Moment): Promise<PastObject>
}
