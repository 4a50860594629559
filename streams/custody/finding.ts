import type { Sequence } from '../../pool/index.ts'
import type { AttributeRecord, ObjectRecord } from '../records/record.ts'

/** What a verification may find wrong. Closed: docs/EVIDENCE.md says what each means. */
export type FindingCode =
  | 'RECORD_UNREADABLE'
  | 'RECORD_MALFORMED'
  | 'RECORD_MISPLACED'
  | 'RECORD_TIME'
  | 'PARTITION_CHAIN'
  | 'OBJECT_CHAIN'
  | 'BYTES_UNREADABLE'
  | 'BYTES_MISSING'
  | 'BYTES_SIZE'
  | 'BYTES_DIGEST'
  | 'CHECKPOINT_POOL'
  | 'CHECKPOINT_BEFORE'
  | 'CHECKPOINT_COVERAGE'
  | 'CHECKPOINT_DIGEST'
  | 'CHECKPOINT_ROOT'
  | 'CHECKPOINT_SIGNATURE'
  | 'KEY_ID'
  | 'KEY_POOL'
  | 'KEY_SIGNATURE'
  | 'KEY_UNKNOWN'
  | 'KEY_RETIRED'
  | 'KEY_UNTRUSTED'
  | 'BUNDLE_MALFORMED'
  | 'BUNDLE_PROOF'
  | 'BUNDLE_MANIFEST'

/** One thing that is not as it must be: which record and object it is about, what was expected, and what is there. */
export interface Finding {
  readonly code: FindingCode
  readonly detail: string
  readonly sequence?: Sequence
  /** The last of several records, from `sequence` on. */
  readonly through?: Sequence
  readonly object?: string
  readonly bucket?: string
  readonly key?: string
  readonly version?: string
  readonly expected?: string
  readonly found?: string
}

/** Takes what is found; the search goes on. */
export type Report = (finding: Finding) => void

type Comparison = Pick<Finding, 'expected' | 'found'>

type Subject = Pick<AttributeRecord, 'sequence'> | Pick<ObjectRecord, 'sequence' | 'object' | 'bucket' | 'key'>

/** A finding about a record. */
export function about(record: Subject, code: FindingCode, detail: string, compared: Comparison = {}): Finding {
  const { sequence } = record
  const name = 'object' in record ? { object: record.object, bucket: record.bucket, key: record.key } : {}
  return { code, detail, sequence, ...name, ...compared }
}

/** Undefined when both are the same. */
export function difference(expected: string | number, found: string | number): Comparison | undefined {
  return expected === found ? undefined : { expected: String(expected), found: String(found) }
}
