import type { Sequence } from '../../pool/index.ts'
import { sequenceText } from '../catalog/catalog-keys.ts'
import type { PutRecord } from '../records/record.ts'

/*
 * What an evidence bundle holds, in this order (docs/EVIDENCE.md):
 *
 *   manifest.json
 *   keys/<sequence>.record                 each key's record, in order
 *   checkpoints/<sequence>.record          and for each checkpoint, in order,
 *     records/<sequence>.record            the records of the object that it covers, in order,
 *     proofs/<sequence>.json               each with its inclusion proof
 *   payload                                the bytes of the version
 *
 * A record is in it as the pool has it, byte by byte. JSON is canonical (RFC 8785).
 */
export const BUNDLE_FORMAT = 'cenote evidence bundle 1'
export const MANIFEST_BYTES_MAX = 16 * 1024
export const RECORD_BYTES_MAX = 4 << 20
export const PROOF_BYTES_MAX = 4 * 1024

export const MANIFEST_NAME = 'manifest.json'
export const PAYLOAD_NAME = 'payload'
export const FOLDERS = ['keys', 'checkpoints', 'records', 'proofs'] as const
export type Folder = (typeof FOLDERS)[number]

export const fileName = (folder: Folder, sequence: Sequence): string =>
  `${folder}/${sequenceText(sequence)}.${folder === 'proofs' ? 'json' : 'record'}`

/** What the bundle is about. Nobody signs it: it follows from the rest, and whoever checks it compares. */
export interface Manifest {
  readonly format: string
  readonly pool: string
  readonly partition: string
  readonly object: string
  readonly bucket: string
  readonly key: string
  readonly version: string
  readonly size: number
  readonly sha256: string
  readonly keys: number
  readonly records: number
}

/** Where a record is in the tree of the checkpoint that covers it. */
export interface Proof {
  readonly checkpoint: Sequence
  readonly leaf: number
  readonly leaves: number
  readonly path: readonly string[]
}

export type ManifestParts = Pick<Manifest, 'pool' | 'bucket' | 'key' | 'keys' | 'records'> & { readonly put: PutRecord }

export function manifestOf({ put, ...parts }: ManifestParts): Manifest {
  const { partition, object, sequence, size, digests } = put
  const version = sequenceText(sequence)
  return { format: BUNDLE_FORMAT, partition, object, version, size, sha256: digests.sha256, ...parts }
}
