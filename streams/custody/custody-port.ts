import type { Sequence } from '../../pool/index.ts'
import type { ObjectName, Origin } from '../envelope.ts'
import type { RecordReference } from '../records/record.ts'
import type { Finding } from './finding.ts'
import type { SigningKey } from './signed-record.ts'

/** A key that signs or has signed, as everybody may know it. */
export interface PublicKey {
  /** SHA-256 of the public key. */
  readonly id: string
  readonly algorithm: 'ed25519'
  /** 32 bytes, in base64. */
  readonly publicKey: string
  /** Of its record. */
  readonly sequence: Sequence
  /** Milliseconds since 1970 of its record. */
  readonly time: number
  /** The key that introduced it; its own id for the first. */
  readonly signer: string
  readonly state: 'active' | 'retired'
}

/** The private keys of a server. It keeps what it was given durable before it resolves. */
export interface KeyChest {
  get(id: string): SigningKey | undefined
  /** Makes a key, and keeps it beside those that there are. */
  create(): Promise<SigningKey>
  /** Forgets every key but this one. */
  retain(id: string): Promise<void>
}

/** What is verified. Records, their chains and checkpoints always are, all of them; this says whose bytes are. */
export interface VerifyScope {
  /** Without it those of every object. */
  readonly bucket?: string
  /** Without it those of every object of the bucket. */
  readonly key?: string
}

export interface VerifyRequest extends VerifyScope {
  /** Ids of keys that are pinned: each checkpoint must be signed by one, or by one that it has introduced. */
  readonly trust?: readonly string[]
}

export interface VerifyProgress {
  readonly type: 'progress'
  readonly records: number
  readonly recordsTotal: number
  readonly bytes: number
}

export interface VerifySummary {
  readonly type: 'summary'
  readonly sound: boolean
  readonly findings: number
  readonly pool: string
  readonly records: number
  readonly objects: number
  /** Payloads whose bytes were read, and how many these are. */
  readonly payloads: number
  readonly bytes: number
  /** Payloads of versions that were replaced or removed, whose bytes are gone. */
  readonly released: number
  readonly checkpoints: number
  /** The last checkpoint: whoever keeps it elsewhere can tell later that nothing before it was taken back. */
  readonly checkpoint: RecordReference | null
  /** Records that no checkpoint covers yet: of them the chain alone speaks. */
  readonly unsigned: number
  /** The keys that vouch for it, and for how many checkpoints each. */
  readonly keys: readonly { readonly id: string; readonly checkpoints: number }[]
}

export type VerifyEvent = ({ readonly type: 'finding' } & Finding) | VerifyProgress | VerifySummary

/** By their ids, or all that are kept; none by name is the current one. */
export type EvidenceVersions = 'all' | readonly string[]

/**
 * Proof of what is stored: keys, verification, and evidence that others can check. All methods reject with a
 * StoreError.
 */
export interface Custody {
  /** Public: they are needed by whoever checks evidence. */
  keys(): Promise<readonly PublicKey[]>
  /** Has a new key introduced by the one that signs now, which is forgotten. Needs `application:manage`. */
  rotate(origin: Origin): Promise<PublicKey>
  /** Goes on to the end, whatever is found; a summary comes last. ERR_BUSY while another one runs. Needs `object:read`. */
  verify(origin: Origin, request: VerifyRequest): Promise<AsyncIterable<VerifyEvent>>
  /** The evidence bundle of versions of an object (docs/EVIDENCE.md). Needs `object:read`. */
  evidence(origin: Origin, name: ObjectName, versions?: EvidenceVersions): Promise<AsyncIterable<Uint8Array>>
}
