import { MerkleTree } from '../../streams/custody/merkle.ts'
import { signed, type UnsignedRecord } from '../../streams/custody/signed-record.ts'
import { type AttributeRecord, digestOf, encodeRecord } from '../../streams/index.ts'
import { keyNamed } from '../support/signing.ts'

type Draft<Record = AttributeRecord> = Record extends unknown
  ? Omit<Record, 'sequence' | 'time' | 'partition' | 'previous' | 'signature'>
  : never

const byBootstrap = { application: 'root', protocol: 'http' } as const
const byScanner = { application: 'scanner', protocol: 'ftp', peer: '192.0.2.7:51884', request: 'f-1' } as const
const scan = { object: '0000000000000003', bucket: 'inbox', key: 'grüße/scan.pdf' }
const report = { object: '0000000000000009', bucket: 'inbox', key: 'report' }
const log = { object: '0000000000000014', bucket: 'inbox', key: 'log' }
const film = { bucket: 'inbox', key: 'film' }
/** Of `abc`, as the stages of an upload over FTP have it. */
const STAGES = { limiter: 3, ftp: null, content: 'YWJj' }
const renamed = { ...scan, key: 'done/scan.pdf' }

/** One of each operation, a registration removed, and what a bucket that keeps versions adds. */
const DRAFTS: readonly Draft[] = [
  { operation: 'bucket', bucket: 'inbox', ...byBootstrap },
  {
    operation: 'application',
    id: 'scanner',
    registration: {
      types: ['ftp'],
      permissions: ['object:write'],
      secret: { kind: 'argon2id', value: '$argon2id$…' },
      policy: { names: ['*.pdf'], quotaBytes: 1024, controlLost: 'drop' },
    },
    ...byBootstrap,
  },
  {
    operation: 'put',
    ...scan,
    size: 3,
    digests: { sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', crc32c: '364b3fb7' },
    attributes: { 'object.size': 3, 'ftp.secure': false, 'content.type': 'text/plain', 'user.tags': ['b', 'a'] },
    ...byScanner,
  },
  { operation: 'attributes', ...scan, set: { 'user.weight': 1.5 }, unset: ['user.tags'], ...byScanner },
  { operation: 'rename', ...renamed, from: { bucket: 'inbox', key: scan.key }, ...byScanner },
  { operation: 'delete', ...renamed, ...byScanner },
  { operation: 'application', id: 'scanner', registration: null, ...byBootstrap },
  {
    operation: 'bucket',
    bucket: 'inbox',
    settings: { versioning: 'enabled', retention: { days: 30 }, expiry: { currentDays: 365, noncurrentDays: 90 } },
    ...byBootstrap,
  },
  {
    operation: 'put',
    ...report,
    size: 0,
    digests: { sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', crc32c: '00000000' },
    attributes: { 'object.size': 0, 'retention.until': '2023-12-14T22:13:20.008Z' },
    versioning: 'enabled',
    ...byScanner,
  },
  { operation: 'attributes', ...report, version: 9, set: { 'retention.hold': true }, unset: [], ...byBootstrap },
  { operation: 'delete', ...report, versioning: 'enabled', ...byScanner },
  { operation: 'delete', ...report, version: 11, current: 9, ...byBootstrap },
  {
    operation: 'delete',
    ...report,
    version: 9,
    reason: 'expired: 90 days after it was replaced or removed',
    ...byBootstrap,
  },
  {
    operation: 'subscription',
    id: 'SBAAAAAAAAAAAAAAAA',
    registration: {
      url: 'https://example.org/hooks?a=1&b=2',
      query: 'content.type:image/*',
      format: 'cloudevents',
      after: 14,
      secret: { kind: 'sealed', value: 'argon2id-it-is-not' },
    },
    ...byBootstrap,
  },
  {
    operation: 'delivery',
    id: 'SBAAAAAAAAAAAAAAAA',
    after: 15,
    dead: [{ sequence: 12, attempts: 20, time: 1_700_000_000_011, reason: 'it answered 500' }],
    settled: [9],
    application: 'cenote',
    protocol: 'http',
  },
  {
    operation: 'subscription',
    id: 'SBAAAAAAAAAAAAAAAA',
    registration: {
      url: 'https://example.org/hooks',
      query: '',
      format: 'json',
      after: 15,
      paused: true,
      secret: { kind: 'sealed', value: 'the-second' },
      retiring: [{ secret: { kind: 'sealed', value: 'the-first' }, until: 1_700_086_400_000 }],
    },
    ...byBootstrap,
  },
  { operation: 'subscription', id: 'SBAAAAAAAAAAAAAAAA', registration: null, ...byBootstrap },
  {
    operation: 'append',
    ...log,
    messages: ['{"n": 1}', '2'],
    order: 'b',
    producer: { id: 'sensor', epoch: 0, sequence: 0 },
    ...byBootstrap,
  },
  { operation: 'append', ...log, messages: ['/w=='], encoding: 'base64', closes: true, ...byBootstrap },
  {
    operation: 'attributes',
    ...log,
    set: { 'user.level': 3 },
    unset: [],
    producer: { id: 'sensor', epoch: 1, sequence: 7 },
    ...byBootstrap,
  },
  { operation: 'prepare', upload: '0000000000000021', ...film, size: 3, stages: STAGES, ...byScanner },
  {
    operation: 'put',
    object: '0000000000000022',
    ...film,
    size: 3,
    digests: { sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', crc32c: '364b3fb7' },
    attributes: { 'object.size': 3 },
    prepared: 21,
    ...byScanner,
  },
  { operation: 'prepare', upload: '0000000000000023', ...film, size: 0, stages: {}, ...byScanner },
  {
    operation: 'abandon',
    upload: '0000000000000023',
    owner: 'scanner',
    ...film,
    prepared: 23,
    reason: 'dropped on request',
    ...byBootstrap,
  },
  { operation: 'prepare', upload: '0000000000000025', ...film, size: 5, base: 22, stages: {}, ...byScanner },
  {
    operation: 'route',
    id: 'invoices+*@example.org',
    registration: {
      bucket: 'inbox',
      prefix: 'invoices/',
      application: 'scanner',
      networks: ['192.0.2.0/24'],
      senders: ['*.example.com'],
      unverified: 'quarantine',
      parts: true,
    },
    ...byBootstrap,
  },
]

const [first, second] = [keyNamed('first'), keyNamed('second')]
const POOL = '5bb54090-0a82-0b80-7eaa-0b9edf522a14'
const byServer = { application: 'cenote', protocol: 'http', pool: POOL, signer: first.id } as const

/** A key that signs itself, a checkpoint of all there is by then, and a key that it introduces. */
const SIGNED: readonly ((before: readonly AttributeRecord[]) => Draft)[] = [
  () => ({ operation: 'key', algorithm: 'ed25519', id: first.id, publicKey: first.publicKey, ...byServer }),
  (before) => {
    const digests = before.map((record) => digestOf(encodeRecord(record)))
    const { root } = new MerkleTree(digests)
    const covers = { first: 1, last: before.length, records: before.length, digest: digests.at(-1)!, root }
    return { operation: 'checkpoint', covers, before: { sequence: 0, digest: '' }, ...byServer }
  },
  () => ({ operation: 'key', algorithm: 'ed25519', id: second.id, publicKey: second.publicKey, ...byServer }),
]

/** The records of one stream, chained. */
export const RECORDS: readonly AttributeRecord[] = chained([...DRAFTS.map((draft) => () => draft), ...SIGNED])

function chained(drafts: readonly ((before: readonly AttributeRecord[]) => Draft)[]): AttributeRecord[] {
  let partition = ''
  const objects = new Map<string, string>()
  const records: AttributeRecord[] = []
  for (const draftOf of drafts) {
    const draft = draftOf(records)
    const object = 'object' in draft ? draft.object : ''
    const previous = { partition, object: objects.get(object) ?? '' }
    const at = records.length
    const record = { ...draft, sequence: at + 1, time: 1_700_000_000_000 + at, partition: 'main', previous }
    const isSigned = record.operation === 'key' || record.operation === 'checkpoint'
    records.push(isSigned ? signed(record as UnsignedRecord, first) : (record as AttributeRecord))
    partition = digestOf(encodeRecord(records[at]!))
    if (object !== '') objects.set(object, partition)
  }
  return records
}
