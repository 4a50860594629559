import { cloudEvent } from './record-cloudevent.ts'
import { s3Events } from './record-s3-event.ts'
import { xmlDocument } from './record-xml.ts'
import type { ShownRecord } from './shown-record.ts'

/** What a format has to know beyond the record. */
export interface FormatContext {
  /** Names the partition's stream among all in the world: a URI reference. */
  readonly source: string
}

export type Text = string

/** Records as text, for applications. */
export interface RecordFormat {
  /** Of one record, and of many. */
  readonly mediaType: string
  readonly batchMediaType: string
  one(record: ShownRecord, context: FormatContext): Text
  batch(records: readonly ShownRecord[], context: FormatContext): Text
  /** Whether it has anything to say of a record; every record if it is not there. */
  tellsOf?(record: ShownRecord): boolean
}

export type RecordFormatName = 'json' | 'ndjson' | 'cloudevents' | 's3' | 'xml'

const line = (record: ShownRecord): Text => `${JSON.stringify(record)}\n`

/** Every format there is. All of them are pure: the same record has the same text. */
export const RECORD_FORMATS: { readonly [Name in RecordFormatName]: RecordFormat } = {
  json: {
    mediaType: 'application/json',
    batchMediaType: 'application/json',
    one: (record) => JSON.stringify(record),
    batch: (records) => JSON.stringify(records),
  },
  ndjson: {
    mediaType: 'application/x-ndjson',
    batchMediaType: 'application/x-ndjson',
    one: line,
    batch: (records) => records.map(line).join(''),
  },
  cloudevents: {
    mediaType: 'application/cloudevents+json',
    batchMediaType: 'application/cloudevents-batch+json',
    one: (record, context) => JSON.stringify(cloudEvent(record, context)),
    batch: (records, context) => JSON.stringify(records.map((record) => cloudEvent(record, context))),
  },
  s3: {
    mediaType: 'application/json',
    batchMediaType: 'application/json',
    one: (record) => JSON.stringify({ Records: s3Events(record) }),
    batch: (records) => JSON.stringify({ Records: records.flatMap(s3Events) }),
    tellsOf: (record) => s3Events(record).length > 0,
  },
  xml: {
    mediaType: 'application/xml',
    batchMediaType: 'application/xml',
    one: (record) => xmlDocument([record]),
    batch: (records) => xmlDocument(records),
  },
}

export function isRecordFormat(name: string): name is RecordFormatName {
  return Object.hasOwn(RECORD_FORMATS, name)
}
