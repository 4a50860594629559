import { sequenceText } from '../catalog/catalog-keys.ts'
import type { FormatContext } from './record-format.ts'
import type { ShownRecord } from './shown-record.ts'

/** A record as a CloudEvent 1.0, with the extensions `sequence` and `partitionkey` of the CloudEvents documents. */
export interface CloudEvent {
  readonly specversion: '1.0'
  /** With `source` it names the event: whoever gets it twice can tell. */
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject?: string
  readonly time: string
  /** Texts have the order of the records. */
  readonly sequence: string
  /** Events of one object have one key, so that what keeps them in order by key keeps them in order. */
  readonly partitionkey: string
  readonly datacontenttype: 'application/json'
  readonly data: ShownRecord
}

/** What a String of CloudEvents (version 1.0.2, section 3.1) does not hold. */
const DISALLOWED = /[\p{Cc}\p{Noncharacter_Code_Point}]/gu

export function cloudEvent(record: ShownRecord, { source }: FormatContext): CloudEvent {
  const sequence = sequenceText(record.sequence)
  const subject = subjectOf(record)
  return {
    specversion: '1.0',
    id: sequence,
    source,
    type: `cenote.record.${record.operation}`,
    ...(subject !== undefined && { subject: subject.replaceAll(DISALLOWED, encodeURIComponent) }),
    time: new Date(record.time).toISOString(),
    sequence,
    partitionkey: 'object' in record ? record.object : record.operation,
    datacontenttype: 'application/json',
    data: record,
  }
}

function subjectOf(record: ShownRecord): string | undefined {
  if ('key' in record) return `${record.bucket}/${record.key}`
  if ('bucket' in record) return record.bucket
  return 'id' in record ? record.id : undefined
}
