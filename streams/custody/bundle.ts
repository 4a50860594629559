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
 *   payloads/<sequence>                    the bytes of each version that it is about, in order
 *
 * A record is in it as the pool has it, byte by byte. JSON is canonical (RFC 8785).
 */
export const BUNDLE_FORMAT = 'cenote evidence bundle 2'
/** Versions of one bundle. */
export const BUNDLE_VERSIONS_MAX = 256
export const MANIFEST_BYTES_MAX = 64 * 1024
export const RECORD_BYTES_MAX = 4 << 20
export const PROOF_BYTES_MAX = 4 * 1024

export const MANIFEST_NAME = 'manifest.json'
/** The folders, and how the files in each end. */
const ENDINGS = { keys: '.record', checkpoints: '.record', records: '.record', proofs: '.json', payloads: '' } as const
export type Folder = keyof typeof ENDINGS

export const fileName = (folder: Folder, sequence: Sequence): string =>
  `${folder}/${sequenceText(sequence)}${ENDINGS[folder]}`

/** What a file's name says; undefined for one that no bundle has. */
export function placeOf(name: string): { readonly folder: Folder; readonly sequence: Sequence } | undefined {
  const [folder = '', rest = ''] = name.split('/')
  const sequence = Number.parseInt(rest, 10)
  const isPlace = Object.hasOwn(ENDINGS, folder) && Number.isSafeInteger(sequence)
  return isPlace && name === fileName(folder as Folder, sequence) ? { folder: folder as Folder, sequence } : undefined
}

/** A version of which the bundle has the bytes. */
export interface ManifestVersion {
  readonly version: string
  readonly size: number
  readonly sha256: string
}

/** What the bundle is about. Nobody signs it: it follows from the rest, and whoever checks it compares. */
export interface Manifest {
  readonly format: string
  readonly pool: string
  readonly partition: string
  readonly object: string
  readonly bucket: string
  readonly key: string
  /** In the order of their puts. */
  readonly versions: readonly ManifestVersion[]
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

export interface ManifestParts extends Pick<Manifest, 'pool' | 'bucket' | 'key' | 'keys' | 'records'> {
  readonly puts: readonly PutRecord[]
}

export function manifestOf({ puts, ...parts }: ManifestParts): Manifest {
  const { partition = '', object = '' } = puts[0] ?? {}
  return { format: BUNDLE_FORMAT, partition, object, versions: puts.map(versionOf), ...parts }
}

function versionOf({ sequence, size, digests }: PutRecord): ManifestVersion {
  return { version: sequenceText(sequence), size, sha256: digests.sha256 }
}
