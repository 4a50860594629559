import type { Sequence } from '../../pool/index.ts'
import type { Attributes, Protocol } from '../envelope.ts'
import type { Frozen } from '../pipeline.ts'
import type { Policy } from '../policy/policy.ts'
import type { BucketSettings } from '../versions/bucket-settings.ts'

/** Digests of an object's bytes in lower-case hex. */
export interface Digests {
  readonly sha256: string
  readonly crc32c: string
}

/** SHA-256 of the record before, as stored, in the partition's stream and in the object's; '' for the first. */
export interface Previous {
  readonly partition: string
  readonly object: string
}

/** Who appended, so that what is sent twice is stored once: the client numbers what it sends within an epoch. */
export interface Producer {
  readonly id: string
  readonly epoch: number
  readonly sequence: number
}

interface RecordBase {
  readonly sequence: Sequence
  /** Milliseconds since 1970, never less than the record before's. */
  readonly time: number
  readonly partition: string
  readonly application: string
  readonly protocol: Protocol
  readonly peer?: string
  readonly request?: string
  readonly previous: Previous
}

/** How versions were kept in the bucket; absent where they were not: what was current before was let go. */
export type RecordVersioning = 'enabled' | 'suspended'

/** A version of an object: its bytes are this record's payload 0, and its version id is this record's sequence. */
export interface PutRecord extends RecordBase {
  readonly operation: 'put'
  readonly object: string
  readonly bucket: string
  readonly key: string
  readonly size: number
  readonly digests: Digests
  readonly attributes: Attributes
  readonly versioning?: RecordVersioning
  /** The last record of a partial upload that ended with it: its payload was taken over, or let go. */
  readonly prepared?: Sequence
}

/**
 * Without `version` it removes what is current: where versions are kept under it, this record is the delete marker, and
 * its sequence the marker's version id. With `version` that version is gone for good, its payload let go, or that marker.
 */
export interface DeleteRecord extends RecordBase {
  readonly operation: 'delete'
  readonly object: string
  readonly bucket: string
  readonly key: string
  readonly versioning?: RecordVersioning
  readonly version?: Sequence
  /** The version that is the current one from now on, where that was the one removed, or the marker over it. */
  readonly current?: Sequence
  /** Why the server removed it of itself. */
  readonly reason?: string
}

/** Changes attributes of `version`, or of the current one; unset names come first, then set ones. */
export interface AttributesRecord extends RecordBase {
  readonly operation: 'attributes'
  readonly object: string
  readonly bucket: string
  readonly key: string
  readonly set: Attributes
  readonly unset: readonly string[]
  readonly version?: Sequence
  readonly producer?: Producer
}

/** Messages of an application, appended to a stream that it made; they are not looked into. */
export interface AppendRecord extends RecordBase {
  readonly operation: 'append'
  readonly object: string
  readonly bucket: string
  readonly key: string
  /** As they came: JSON, text, or bytes in base64. */
  readonly messages: readonly string[]
  readonly encoding?: 'base64'
  /** Nothing may be appended after it. */
  readonly closes?: boolean
  /** The client's own place of it in an order of its texts' bytes. */
  readonly order?: string
  readonly producer?: Producer
}

/** Binds an object to another name; its stream goes on. */
export interface RenameRecord extends RecordBase {
  readonly operation: 'rename'
  readonly object: string
  readonly bucket: string
  readonly key: string
  readonly from: { readonly bucket: string; readonly key: string }
}

/** A bucket is made, or its settings are these from now on; without any they are those of a new bucket. */
export interface BucketRecord extends RecordBase {
  readonly operation: 'bucket'
  readonly bucket: string
  readonly settings?: BucketSettings
}

/**
 * What came of an upload so far: the bytes are this record's payload 0. Until another `prepare` of the same application
 * and name, its put or an `abandon` it is the application's partial upload under the name.
 */
export interface PrepareRecord extends RecordBase {
  readonly operation: 'prepare'
  /** The upload's id: the sequence of its first record, as a 16-digit decimal string. */
  readonly upload: string
  readonly bucket: string
  readonly key: string
  readonly size: number
  /** The version of the object under its name whose bytes it goes on from, which its put is to replace. */
  readonly base?: Sequence
  /** What its stages had found by then. */
  readonly stages: Frozen
}

/** A partial upload was let go, its payload with it. */
export interface AbandonRecord extends RecordBase {
  readonly operation: 'abandon'
  readonly upload: string
  /** The application whose upload it was. */
  readonly owner: string
  readonly bucket: string
  readonly key: string
  /** Its last record. */
  readonly prepared: Sequence
  readonly reason: string
}

/** An application's registration in the reserved stream `application/<id>`; `registration` is null when removed. */
export interface ApplicationRecord extends RecordBase {
  readonly operation: 'application'
  readonly id: string
  readonly registration: ApplicationRegistration | null
}

/** What the server keeps of an application. How the secret is kept is the server's business (docs/FORMAT.md). */
export interface ApplicationRegistration {
  readonly types: readonly string[]
  readonly permissions: readonly string[]
  readonly secret: { readonly kind: 'sealed' | 'argon2id'; readonly value: string }
  readonly policy?: Policy
}

/** Where mail to an address goes, and who may send it there; `registration` is null when the route is removed. */
export interface RouteRecord extends RecordBase {
  readonly operation: 'route'
  /** The addresses that it is for, in lower case: `invoices@example.org`, `invoices+*@example.org`, `*@example.org`. */
  readonly id: string
  readonly registration: RouteRegistration | null
}

/** What becomes of mail that is not proved to come from one of a route's senders. */
export type UnverifiedFate = 'accept' | 'quarantine' | 'reject'

export interface RouteRegistration {
  readonly bucket: string
  /** What keys begin with, before the day: `invoices/`. */
  readonly prefix?: string
  /** What mail acts as, and is held to, whose sender did not log in. */
  readonly application: string
  /** Addresses and ranges of hosts that may deliver without a login, and whose mail is not verified. */
  readonly networks?: readonly string[]
  /** Domains whose mail is taken from any host, once it is verified: `example.com`, `*.example.com`, `*`. */
  readonly senders?: readonly string[]
  /** 'reject' when it is absent. */
  readonly unverified?: UnverifiedFate
  /** Whether attachments become objects of their own; as the door has it when it is absent. */
  readonly parts?: boolean
}

/**
 * What an application is to be told of, and where; `registration` is null when that ends. Another record with the same
 * id changes it: the subscription stays its application's, with its dead letters.
 */
export interface SubscriptionRecord extends RecordBase {
  readonly operation: 'subscription'
  readonly id: string
  readonly registration: SubscriptionRegistration | null
}

export interface SubscriptionRegistration {
  readonly url: string
  /** Of the records that are delivered; '' for all. */
  readonly query: string
  readonly format: string
  /** Begins, or goes on, with the record after this one. */
  readonly after: Sequence
  /** Nothing is delivered until another record says so no more. */
  readonly paused?: true
  readonly secret: SealedSecret
  /** The secrets before it that sign, too. */
  readonly retiring?: readonly RetiringSecret[]
}

export interface SealedSecret {
  readonly kind: 'sealed'
  readonly value: string
}

export interface RetiringSecret {
  readonly secret: SealedSecret
  /** Milliseconds since 1970. */
  readonly until: number
}

/** A record whose delivery was given up. */
export interface DeadLetter {
  readonly sequence: Sequence
  readonly attempts: number
  /** Of the last attempt, in milliseconds since 1970. */
  readonly time: number
  readonly reason: string
}

/** How far a subscription has come. */
export interface DeliveryRecord extends RecordBase {
  readonly operation: 'delivery'
  /** Of the subscription. */
  readonly id: string
  /** Every record up to this one was delivered, is a dead letter, or was not asked for. */
  readonly after: Sequence
  /** Dead letters that are new, or were tried again in vain. */
  readonly dead: readonly DeadLetter[]
  /** Dead letters that are none any more. */
  readonly settled: readonly Sequence[]
}

/** What a signed record holds besides: `signature` is over all of the record but itself (signed-record.ts). */
interface SignedBase extends RecordBase {
  /** The pool whose stream it stands in: what is signed of one is not true of another. */
  readonly pool: string
  /** The id of the key that signed it. */
  readonly signer: string
  /** Ed25519 (RFC 8032), in base64. */
  readonly signature: string
}

/** The key that signs from here on. The key before introduces it by its signature; the first one signs itself. */
export interface KeyRecord extends SignedBase {
  readonly operation: 'key'
  /** SHA-256 of the public key's bytes. */
  readonly id: string
  readonly algorithm: 'ed25519'
  /** Its 32 bytes (RFC 8032 section 5.1.5), in base64. */
  readonly publicKey: string
}

/** The records that a checkpoint covers: those of the store from `first` to `last`. */
export interface Coverage {
  readonly first: Sequence
  readonly last: Sequence
  readonly records: number
  /** Of the record at `last`, which the chain makes one of all records before it. */
  readonly digest: string
  /** Of the Merkle tree over the digests of the records covered (merkle.ts). */
  readonly root: string
}

/** Names a record: by its place, and by its digest. */
export interface RecordReference {
  readonly sequence: Sequence
  readonly digest: string
}

/** A signed checkpoint: what the stream was up to some record, in the server's word. */
export interface CheckpointRecord extends SignedBase {
  readonly operation: 'checkpoint'
  readonly covers: Coverage
  /** The checkpoint before; 0 and '' for the first. */
  readonly before: RecordReference
}

/** One entry of the partition's attribute stream. An object's stream is the entries with its id. */
export type AttributeRecord =
  | PutRecord
  | DeleteRecord
  | AttributesRecord
  | AppendRecord
  | RenameRecord
  | BucketRecord
  | ApplicationRecord
  | RouteRecord
  | SubscriptionRecord
  | DeliveryRecord
  | PrepareRecord
  | AbandonRecord
  | KeyRecord
  | CheckpointRecord
export type SignedRecord = KeyRecord | CheckpointRecord
export type ObjectRecord = PutRecord | DeleteRecord | AttributesRecord | AppendRecord | RenameRecord
