import type { Sequence } from '../pool/index.ts'
import type { Attributes, Protocol } from './envelope.ts'

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

/** A version of an object: its bytes are this record's payload 0, and its version id is this record's sequence. */
export interface PutRecord extends RecordBase {
  readonly operation: 'put'
  readonly object: string
  readonly bucket: string
  readonly key: string
  readonly size: number
  readonly digests: Digests
  readonly attributes: Attributes
}

export interface DeleteRecord extends RecordBase {
  readonly operation: 'delete'
  readonly object: string
  readonly bucket: string
  readonly key: string
}

/** Changes attributes of the current version; unset names come first, then set ones. */
export interface AttributesRecord extends RecordBase {
  readonly operation: 'attributes'
  readonly object: string
  readonly bucket: string
  readonly key: string
  readonly set: Attributes
  readonly unset: readonly string[]
}

/** Binds an object to another name; its stream goes on. */
export interface RenameRecord extends RecordBase {
  readonly operation: 'rename'
  readonly object: string
  readonly bucket: string
  readonly key: string
  readonly from: { readonly bucket: string; readonly key: string }
}

export interface BucketRecord extends RecordBase {
  readonly operation: 'bucket'
  readonly bucket: string
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
}

/** One entry of the partition's attribute stream. An object's stream is the entries with its id. */
export type AttributeRecord =
  | PutRecord
  | DeleteRecord
  | AttributesRecord
  | RenameRecord
  | BucketRecord
  | ApplicationRecord
export type ObjectRecord = PutRecord | DeleteRecord | AttributesRecord | RenameRecord
