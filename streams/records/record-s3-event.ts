import { sequenceText } from '../catalog/catalog-keys.ts'
import type { ObjectName } from '../envelope.ts'
import type { DeleteRecord } from './record.ts'
import type { ShownRecord } from './shown-record.ts'

/** What S3 calls what was done (Amazon S3 User Guide, "Event message structure"), and the object concerned. */
interface Happening {
  readonly eventName: string
  readonly name: ObjectName
}

/**
 * A record as S3's bucket notifications tell of it, in version 2.1 of their structure. S3 tells of objects only, so
 * that a record of something else is none; and it knows no rename, which is a copy and a removal.
 *
 * `eventSource` is S3's own, because programs made for these messages pass over any other.
 */
export function s3Events(record: ShownRecord): readonly object[] {
  return happenings(record).map(({ eventName, name }) => ({
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    awsRegion: record.partition,
    eventTime: new Date(record.time).toISOString(),
    eventName,
    userIdentity: { principalId: record.application },
    requestParameters: { sourceIPAddress: addressOf(record.peer) },
    responseElements: { 'x-amz-request-id': record.request ?? '' },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId: 'cenote',
      bucket: bucketOf(name.bucket, record.partition),
      object: { key: keyText(name.key), ...versionOf(record), sequencer: sequencerOf(record.sequence) },
    },
  }))
}

function happenings(record: ShownRecord): readonly Happening[] {
  switch (record.operation) {
    case 'put':
      return [{ eventName: 'ObjectCreated:Put', name: record }]
    case 'delete':
      return [{ eventName: removalOf(record), name: record }]
    case 'attributes':
      return [{ eventName: 'ObjectTagging:Put', name: record }]
    case 'rename':
      return [
        { eventName: 'ObjectCreated:Copy', name: record },
        { eventName: 'ObjectRemoved:Delete', name: record.from },
      ]
    default:
      return []
  }
}

/** What expires is S3's lifecycle's. Where versions are kept, what is removed without a version goes under a marker. */
function removalOf({ version, versioning, reason }: DeleteRecord): string {
  const isMarker = version === undefined && versioning !== undefined
  return `${reason === undefined ? 'ObjectRemoved' : 'LifecycleExpiration'}:${isMarker ? 'DeleteMarkerCreated' : 'Delete'}`
}

function bucketOf(name: string, partition: string): object {
  return { name, ownerIdentity: { principalId: partition }, arn: `arn:aws:s3:::${name}` }
}

function versionOf(record: ShownRecord): object {
  if (record.operation === 'put')
    return { size: record.size, eTag: record.digests.sha256, versionId: sequenceText(record.sequence) }
  if (record.operation !== 'delete' || (record.version ?? record.versioning) === undefined) return {}
  return { versionId: sequenceText(record.version ?? record.sequence) }
}

/** Without the port, and without the brackets of an IPv6 address. */
function addressOf(peer = ''): string {
  return peer.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
}

/** As a form is encoded, with a plus for a space; and as S3 leaves a slash as it is. */
function keyText(key: string): string {
  return new URLSearchParams({ key }).toString().slice('key='.length).replaceAll('%2F', '/')
}

/** Hexadecimal, and of one length, so that the order of the texts is that of the records. */
function sequencerOf(sequence: number): string {
  return sequence.toString(16).toUpperCase().padStart(16, '0')
}
