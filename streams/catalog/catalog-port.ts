import type { Sequence } from '../../pool/index.ts'
import type { StreamState } from '../appending/stream-state.ts'
import type { SubscriptionState } from '../delivery/subscription-state.ts'
import type { ObjectName, Protocol } from '../envelope.ts'
import type { PartialUpload } from '../partials/partial-port.ts'
import type { Usage } from '../policy/usage.ts'
import type { ApplicationRegistration, AttributeRecord, RouteRegistration } from '../records/record.ts'
import type {
  Explanation,
  FacetOptions,
  Facets,
  IndexProgress,
  Listing,
  ListOptions,
  ObjectStat,
  QueryOptions,
  QueryResult,
} from '../store-port.ts'
import type { BucketSettings } from '../versions/bucket-settings.ts'
import type { VersionListing, VersionListOptions } from '../versions/version-port.ts'
import type { Older } from '../versions/versions.ts'

/** A durable record, and the SHA-256 of its bytes as stored, in hex. */
export interface DurableRecord {
  readonly record: AttributeRecord
  readonly digest: string
}

/** How far the fold has come. It belongs to one pool, and `digest` (of the record at `sequence`) to one history. */
export interface CatalogPosition {
  readonly pool: string
  readonly epoch: number
  /** 0 when nothing was folded. */
  readonly sequence: Sequence
  readonly digest: string
}

interface LastRecord {
  readonly sequence: Sequence
  readonly digest: string
}

/** The object bound to a name: its current version, what is under that (versions.ts), and the last record of its stream. */
export interface ObjectHead {
  readonly stat: ObjectStat
  readonly last: LastRecord
  readonly kept?: true | undefined
  readonly older?: Older | undefined
  /** What was appended to it. */
  readonly stream?: StreamState | undefined
  /** Whose put it was. */
  readonly application: string
}

/** An object under a delete marker. */
export interface HiddenHead extends ObjectName {
  readonly object: string
  /** The sequence of the record that removed it, and when. */
  readonly marker: Sequence
  readonly time: number
  readonly protocol: Protocol
  readonly application: string
  readonly last: LastRecord
  readonly older?: Older | undefined
  readonly stream?: StreamState | undefined
}

/** A version that is kept and not current; the name in its `stat` is the one it had when that ended. */
export interface OlderVersion {
  readonly stat: ObjectStat
  readonly protocol: Protocol
  readonly application: string
  readonly kept?: true | undefined
  /** Milliseconds since 1970 when it was replaced or removed. */
  readonly since: number
}

/** Where an object is. */
export type ObjectPlace =
  | { readonly state: 'live'; readonly head: ObjectHead }
  | { readonly state: 'hidden'; readonly head: HiddenHead }

/**
 * The catalog: a fold of the records, on `level`. It may be deleted at any time; nothing is lost but the time to
 * fold again. Each batch written carries the position that it is true at.
 */
export interface Catalog {
  /** Of what is written. */
  readonly position: CatalogPosition
  /** How much of the index there is: until it is whole, queries look at the current entries. */
  readonly index: IndexProgress
  /**
   * Why it is not to be relied on for the rest of this run: damage, which the next open mends, or a write that failed.
   */
  readonly failure: Error | undefined
  /**
   * Queues records, in sequence order, each after the one before in their chain. Never rejects a record; a failed write
   * shows in settled().
   */
  apply(records: readonly DurableRecord[], epoch: number): void
  /** Resolves once the queue is below `catalogLagMax`: the back-pressure on commits. */
  ready(): Promise<void>
  /** Resolves once everything up to `sequence` can be read here. */
  settled(sequence: Sequence): Promise<void>
  /** Makes what is missing of the index, while records are folded as ever; resolves once a first page of it is there. */
  makeIndex(): Promise<void>
  /** The same, of a new index; one that is not whole is gone on with. */
  reindex(): Promise<void>
  /** Resolves once the index is whole. */
  indexed(): Promise<void>
  /** Forgets everything and starts at sequence 0 of `pool`. What is folded is in no index before makeIndex(). */
  clear(pool: string): Promise<void>
  head(name: ObjectName): Promise<ObjectHead | undefined>
  list(bucket: string, options: ListOptions): Promise<Listing>
  hasBucket(bucket: string): Promise<boolean>
  buckets(): Promise<readonly string[]>
  settings(): Promise<ReadonlyMap<string, BucketSettings>>
  applications(): Promise<ReadonlyMap<string, ApplicationRegistration>>
  routes(): Promise<ReadonlyMap<string, RouteRegistration>>
  /** In the order of their ids. */
  subscriptions(): Promise<readonly SubscriptionState[]>
  partials(): Promise<readonly PartialUpload[]>
  /** The sequences of an object's stream, in order: the first `limit` after `after`, or all of them. */
  streamOf(object: string, after?: Sequence, limit?: number): Promise<readonly Sequence[]>
  /** Undefined for an object of which nothing is kept. */
  place(object: string): Promise<ObjectPlace | undefined>
  /** A version of an object that is kept and not current; without `version` the newest of them. */
  older(object: string, version?: Sequence): Promise<OlderVersion | undefined>
  /** The objects hidden under a name, the one that was removed last first; at most `limit` of them. */
  hidden(name: ObjectName, limit: number): Promise<readonly HiddenHead[]>
  /** What is kept of a bucket's objects. ERR_INVALID for a cursor that is none of ours. */
  versions(bucket: string, options: VersionListOptions): Promise<VersionListing>
  /** The sequences of the records of keys, in order. */
  keyRecords(): Promise<readonly Sequence[]>
  /** The checkpoint that covers the record at `sequence`, or the last one; undefined when there is none. */
  checkpointOf(sequence?: Sequence): Promise<Sequence | undefined>
  /** What an application has stored, as of the position. */
  usage(application: string): Usage
  /** Throws ERR_INVALID, with the column, for a text that is no query, and for a cursor that is none of ours. */
  /** True when no current object has this Message-ID for certain: then there is nothing to ask for. */
  lacksMessage(id: string): boolean
  query(text: string, options: QueryOptions): Promise<QueryResult>
  /** How query() would go about it, with its estimates. */
  explain(text: string, options: QueryOptions): Promise<Explanation>
  /** How often values occur among the objects that meet a query. */
  facets(text: string, options: FacetOptions): Promise<Facets>
  close(): Promise<void>
}
