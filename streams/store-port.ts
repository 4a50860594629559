import type { PayloadRange, Sequence } from '../pool/index.ts'
import type { Streams } from './appending/stream-port.ts'
import type { Attributes, Envelope, ObjectName, Origin } from './envelope.ts'
import type { Usage } from './policy/usage.ts'
import type { Verdict } from './quarantine/verdict.ts'
import type { ApplicationRegistration, AttributeRecord, Digests, RouteRegistration } from './records/record.ts'

/** Proof that an object is durable. A door says yes to its client only with one in hand. */
export interface Receipt {
  /** The object's id: the sequence of its first record, as a 16-digit decimal string. */
  readonly object: string
  readonly bucket: string
  readonly key: string
  /** The version's id: the sequence of its put record, as a 16-digit decimal string. */
  readonly version: string
  readonly sequence: Sequence
  readonly size: number
  readonly digests: Digests
}

/** A current object as the catalog shows it. */
export interface ObjectStat extends Receipt {
  /** Milliseconds since 1970 of the put. */
  readonly time: number
  readonly attributes: Attributes
}

/**
 *   OPEN ──write──▶ STAGING ──commit──▶ SEALED ──flush──▶ DURABLE ──project──▶ INDEXED
 *                    │  abort              (from SEALED on the outcome stands; only the reply can be lost)
 */
export interface Upload {
  readonly size: number
  /** Resolves when more may be written. Rejects with ERR_TOO_LARGE or ERR_NO_SPACE; the upload is then aborted. */
  write(chunk: Uint8Array): Promise<void>
  /**
   * Resolves with the receipt once bytes and attributes are durable.
   * `evidence` is what only the end can tell, as attributes.
   */
  commit(evidence?: Attributes): Promise<Receipt>
  abort(reason?: Error): Promise<void>
}

/** Several uploads and changes that become true together or not at all: a mail to two buckets, a bulk delete. */
export interface StoreTransaction {
  /** An upload whose commit() only finishes it; it becomes durable with the transaction. */
  begin(envelope: Envelope): Promise<TransactionUpload>
  remove(origin: Origin, name: ObjectName): Promise<void>
  rename(origin: Origin, from: ObjectName, to: ObjectName): Promise<void>
  annotate(origin: Origin, name: ObjectName, set: Attributes, unset: readonly string[]): Promise<void>
  /** Receipts in the order of begin(). */
  commit(evidence?: Attributes): Promise<readonly Receipt[]>
  abort(reason?: Error): Promise<void>
}

export interface TransactionUpload {
  readonly size: number
  write(chunk: Uint8Array): Promise<void>
  /** What was found out about it by whoever writes it, of what comes out of it, too: attributes of the put. */
  note(finding: Finding): void
}

export interface Finding {
  readonly attributes: Attributes
  /** Why its bytes are to be read by nobody before somebody has released them, from the put on. */
  readonly quarantine?: string
}

export interface ListOptions {
  readonly prefix?: string
  /** List keys after this one (exclusive), in the order of their UTF-8 bytes. */
  readonly after?: string
  /** Folds keys that share a prefix up to this character into one entry. */
  readonly delimiter?: string
  /** 1 to `listLimitMax`. */
  readonly limit?: number
}

export interface Listing {
  readonly objects: readonly ObjectStat[]
  readonly prefixes: readonly string[]
  /** Pass as `after` to go on; absent at the end. */
  readonly next?: string
}

export interface QueryOptions {
  readonly limit?: number
  readonly cursor?: string
  /** An indexed attribute, `-` before it for descending order; without it the plan's order. */
  readonly sort?: string
}

export interface QueryResult {
  /** The sequence that the answer is true at. */
  readonly sequence: Sequence
  readonly objects: readonly ObjectStat[]
  /** Pass to go on; null at the end. */
  readonly cursor: string | null
  /** True when the page ended because it had looked at as much as one page may, however little it found. */
  readonly limited: boolean
}

/** Entries that something leads to; `isExact` when they were counted. */
export interface Counted {
  readonly entries: number
  readonly isExact: boolean
}

/** One way through an index, or through the current objects. */
export interface ExplainedLeg extends Counted {
  /** The part of the query that it follows; null when it follows none. */
  readonly condition: string | null
  /** What is read, in words. */
  readonly reads: string
  readonly ranges: number
  /** True when it reads in proportion to all there is, and not to what it finds. */
  readonly isScan: boolean
  /** Other parts that are asked of their indexes before an entry is looked at. */
  readonly narrowedBy: readonly (Counted & { readonly condition: string; readonly how: 'merge' | 'lookup' })[]
}

/** How a query would be answered. */
/** How far the making of the catalog's index is: what there was of it is cleared, and then it is built. */
export interface IndexProgress {
  readonly phase: 'whole' | 'clearing' | 'building'
  /** Objects that it has, of all that are current. */
  readonly built: number
  readonly objects: number
}

export interface Explanation {
  /** As it was understood. */
  readonly query: string
  readonly sequence: Sequence
  /** Current objects in all. */
  readonly objects: number
  /** How many of them the index has: until it has all, none are found by it. */
  readonly index: IndexProgress
  readonly order: string
  /** How the order comes about: by the plan itself, by sorting what it finds, or by the index of the order. */
  readonly sorting: 'none' | 'gather' | 'follow'
  /** Entries that the plan leads to, estimated. */
  readonly entries: number
  readonly isScan: boolean
  /** Walked one after the other. */
  readonly legs: readonly ExplainedLeg[]
  /** What could have been followed instead. */
  readonly others: readonly ExplainedLeg[]
  /** Entries that one page looks at, at the most. */
  readonly entriesMax: number
}

export interface FacetOptions {
  /** Of attributes. */
  readonly names: readonly string[]
  /** Values told of each, the most frequent first. */
  readonly values?: number
}

/** How often the values of an attribute occur. Of a list each element counts, once for an object. */
export interface Facet {
  readonly name: string
  /** Values there are, told or not. */
  readonly distinct: number
  readonly values: readonly { readonly value: string | number | boolean; readonly count: number }[]
  /** True when it was known; false when the answer was looked at. */
  readonly counted: boolean
  /** False when there was more to look at than one page may: the counts are of what was looked at. */
  readonly complete: boolean
}

export interface Facets {
  /** The sequence that the counts are true at. */
  readonly sequence: Sequence
  readonly facets: readonly Facet[]
}

/** A current object and its verified bytes. `body` may be iterated once. */
export interface Reading {
  readonly stat: ObjectStat
  readonly body: AsyncIterable<Uint8Array>
}

/**
 * The one door to what is stored. Every front-end holds a Store and nothing else of it.
 * Reads see whatever was acknowledged before they began. All methods reject with a StoreError.
 */
export interface Store extends Streams {
  begin(envelope: Envelope): Promise<Upload>
  /** Rejects as begin() would at this moment, and begins nothing: for doors that say no before the bytes come. */
  admits(envelope: Envelope): Promise<void>
  transaction(): StoreTransaction
  /** Bytes that may be stored yet: what the application's quota and the pool leave, whichever is less. */
  available(origin: Origin): Promise<number>
  /** Throws ERR_NOT_FOUND, or ERR_RANGE when `range` starts beyond the end. */
  read(origin: Origin, name: ObjectName, range?: PayloadRange): Promise<Reading>
  stat(origin: Origin, name: ObjectName): Promise<ObjectStat>
  list(origin: Origin, bucket: string, options?: ListOptions): Promise<Listing>
  /** Removes an object; false when there was none. */
  remove(origin: Origin, name: ObjectName): Promise<boolean>
  rename(origin: Origin, from: ObjectName, to: ObjectName): Promise<void>
  /** Moves every key under `from` to `to` in one transaction, at most `renameObjectsMax` of them. */
  renamePrefix(origin: Origin, from: ObjectName, to: ObjectName): Promise<number>
  annotate(origin: Origin, name: ObjectName, set: Attributes, unset?: readonly string[]): Promise<void>
  /** Puts what was found out about versions into their streams, durable when it resolves; one that is gone is left out. */
  judge(verdicts: readonly Verdict[]): Promise<void>
  buckets(origin: Origin): Promise<readonly string[]>
  /** Creates a bucket; false when it exists. Names follow S3's rules. */
  createBucket(origin: Origin, bucket: string): Promise<boolean>
  /** The attribute stream of the object bound to `name`: its records in order. */
  stream(origin: Origin, name: ObjectName): Promise<readonly AttributeRecord[]>
  query(origin: Origin, text: string, options?: QueryOptions): Promise<QueryResult>
  explain(origin: Origin, text: string, options?: QueryOptions): Promise<Explanation>
  facets(origin: Origin, text: string, options: FacetOptions): Promise<Facets>
  /** How much there is of the index: asks for `pool:inspect`. */
  index(origin: Origin): IndexProgress
  /** Has the index made anew, while all else goes on, and tells how far it is; asks for `pool:manage`. */
  reindex(origin: Origin): Promise<IndexProgress>
  /** What an application has stored and is kept, older versions included. */
  usage(application: string): Promise<Usage>
  applications(): Promise<ReadonlyMap<string, ApplicationRegistration>>
  /** Registers or, with null, removes an application; durable when it resolves. */
  register(origin: Origin, id: string, registration: ApplicationRegistration | null): Promise<void>
  /** The routes of mail, by the addresses that they are for. */
  routes(): Promise<ReadonlyMap<string, RouteRegistration>>
  /** Adds, changes or, with null, removes a route; durable when it resolves. */
  route(origin: Origin, id: string, registration: RouteRegistration | null): Promise<void>
}
