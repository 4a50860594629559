import { Type } from 'typebox'
import { REMOVALS_MAX } from '../../streams/index.ts'

/* The JSON of the API, once: it validates what comes in and is what /openapi.json tells of what goes out. */

const description = (text: string) => ({ description: text })
const closed = { additionalProperties: false }
const sequence = Type.Integer({ minimum: 0 })
const recordId = Type.String({ pattern: '^\\d{16}$', ...description('The sequence of a record, in 16 digits.') })
const digests = Type.Object({
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  crc32c: Type.String({ pattern: '^[0-9a-f]{8}$' }),
})
const attributeValue = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String())])
const attributes = Type.Record(Type.String(), attributeValue)
const userAttributeName = '^user\\.[^\\s]{1,250}$'
const name = Type.Object({ bucket: Type.String(), key: Type.String() }, closed)
/** No Type.Integer: of a query's 1.5 that would make 1. */
const count = (maximum: number) => Type.Number({ minimum: 1, maximum, multipleOf: 1, default: maximum })

export const limitMax = 1000
const facetValuesMax = 1000

const receipt = {
  object: recordId,
  bucket: Type.String(),
  key: Type.String(),
  version: recordId,
  sequence,
  size: Type.Integer({ minimum: 0 }),
  digests,
}
const objectStat = Type.Object({
  ...receipt,
  time: Type.Integer(description('Milliseconds since 1970 of the upload.')),
  attributes,
})

export const Receipt = Type.Object(receipt, description('Proof that the object is durable.'))

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(description('Why, for programs.')),
  },
  description('RFC 9457'),
)

export const ObjectParams = Type.Object({
  bucket: Type.String(),
  key: Type.String(description('Opaque; percent-decoded once. `/`, `..` and `//` are just characters of it.')),
})
export const BucketParams = Type.Object({ bucket: Type.String() })
export const IdParams = Type.Object({ id: Type.String() })
export const PoolParams = Type.Object({ pool: Type.String() })

export const ListQuery = Type.Object(
  {
    prefix: Type.Optional(Type.String()),
    after: Type.Optional(Type.String(description('List keys after this one, in the order of their bytes.'))),
    delimiter: Type.Optional(Type.String({ minLength: 1, ...description('Folds keys up to it into one prefix.') })),
    limit: Type.Optional(count(limitMax)),
  },
  closed,
)
export const Listing = Type.Object({
  bucket: Type.String(),
  objects: Type.Array(objectStat),
  prefixes: Type.Array(Type.String()),
  next: Type.Optional(Type.String(description('Pass as `after` to go on; absent at the end.'))),
})
export const Buckets = Type.Object({ buckets: Type.Array(Type.String()) })
export const Bucket = Type.Object({ bucket: Type.String() })

const days = Type.Integer({ minimum: 1, maximum: 36_500 })
const retentionDays = Type.Object({ days }, closed)
const expiry = Type.Object(
  {
    currentDays: Type.Optional(Type.Integer({ ...days, ...description('From the put of the current version.') })),
    noncurrentDays: Type.Optional(
      Type.Integer({ ...days, ...description('From when a version was replaced or removed.') }),
    ),
  },
  closed,
)
const versioning = Type.Union([Type.Literal('off'), Type.Literal('enabled'), Type.Literal('suspended')])
export const BucketSettings = Type.Object({
  bucket: Type.String(),
  versioning,
  retention: Type.Optional(retentionDays),
  expiry: Type.Optional(expiry),
})
export const BucketChange = Type.Object(
  {
    versioning: Type.Optional(versioning),
    retention: Type.Optional(Type.Union([retentionDays, Type.Null()], description('null: none by default.'))),
    expiry: Type.Optional(Type.Union([expiry, Type.Null()], description('null: nothing expires.'))),
  },
  { ...closed, minProperties: 1 },
)
const versionId = Type.String(description('A version by its id, 16 digits; the current one by default.'))
export const VersionQuery = Type.Object({ version: Type.Optional(versionId) })
export const MomentQuery = Type.Object({
  at: Type.Optional(
    Type.String(description('A sequence, or a time in ISO 8601: what the object was then, and not its records.')),
  ),
})
export const VersionsQuery = Type.Object(
  {
    prefix: Type.Optional(Type.String()),
    cursor: Type.Optional(Type.String(description('The `next` of the page before.'))),
    limit: Type.Optional(count(limitMax)),
  },
  closed,
)
export const VersionsToRemove = Type.Object(
  {
    versions: Type.Array(Type.Object({ key: Type.String(), version: Type.Optional(versionId) }, closed), {
      minItems: 1,
      maxItems: REMOVALS_MAX,
      ...description('Without a version what is current, as by DELETE.'),
    }),
  },
  closed,
)
export const Removals = Type.Object({
  bucket: Type.String(),
  removals: Type.Array(
    Type.Object({
      key: Type.String(),
      version: Type.Optional(versionId),
      outcome: Type.Union([Type.Literal('removed'), Type.Literal('missing'), Type.Literal('refused')]),
      code: Type.Optional(Type.String(description('Why it was refused.'))),
      detail: Type.Optional(Type.String()),
    }),
    description('What became of each, in the order in which they were named.'),
  ),
})
const milliseconds = Type.Integer(description('Milliseconds since 1970.'))
export const VersionListing = Type.Object({
  bucket: Type.String(),
  versions: Type.Array(
    Type.Object({
      state: Type.Union([Type.Literal('current'), Type.Literal('noncurrent'), Type.Literal('marker')]),
      object: recordId,
      bucket: Type.String(),
      key: Type.String(),
      version: recordId,
      sequence,
      time: milliseconds,
      since: Type.Optional(
        Type.Integer(description('When it was replaced or removed, in milliseconds since 1970; of one not current.')),
      ),
      hides: Type.Optional(Type.Integer(description('Versions under it; of a delete marker.'))),
      size: Type.Optional(Type.Integer({ minimum: 0 })),
      digests: Type.Optional(digests),
      attributes: Type.Optional(attributes),
    }),
  ),
  next: Type.Optional(Type.String(description('Pass as `cursor` to go on; absent at the end.'))),
})
export const Retention = Type.Object(
  {
    version: Type.Optional(versionId),
    until: Type.Optional(
      Type.String(description('Retained until then, in ISO 8601: later than before. Needs object:retain.')),
    ),
    hold: Type.Optional(Type.Boolean(description('Under legal hold, or no more. Needs object:hold.'))),
  },
  { ...closed, minProperties: 1 },
)

export const QuarantineQuery = Type.Object(
  {
    limit: Type.Optional(count(limitMax)),
    cursor: Type.Optional(Type.String(description('The `cursor` of the page before.'))),
  },
  closed,
)
export const QuarantineListing = Type.Object({
  objects: Type.Array(objectStat),
  cursor: Type.Union([Type.String(), Type.Null()], description('Pass it to go on; null at the end.')),
})
export const QuarantineAction = Type.Object(
  {
    version: Type.Optional(versionId),
    action: Type.Union(
      [Type.Literal('release'), Type.Literal('drop')],
      description('`release`: it is read by whoever may read. `drop`: it is removed for good.'),
    ),
  },
  closed,
)

export const PartialsQuery = Type.Object({ limit: Type.Optional(count(limitMax)) }, closed)
export const PartialListing = Type.Object({
  partials: Type.Array(
    Type.Object({
      application: Type.String(description('Whose upload it is.')),
      bucket: Type.String(),
      key: Type.String(),
      upload: recordId,
      size: Type.Integer(description('Bytes that are durable.')),
      time: milliseconds,
      prepared: sequence,
    }),
    description('The oldest first.'),
  ),
  total: Type.Integer(description('All there are.')),
})
export const PartialQuery = Type.Object(
  { application: Type.Optional(Type.String(description('Whose upload it is; by default the asker.'))) },
  closed,
)

export const Records = Type.Object({
  object: recordId,
  bucket: Type.String(),
  key: Type.String(),
  records: Type.Array(Type.Object({ sequence, time: Type.Integer(), operation: Type.String() })),
})
const PastObject = Type.Object({
  object: recordId,
  bucket: Type.String(),
  key: Type.String(),
  sequence: Type.Integer(description('The last record of its stream that counts.')),
  time: milliseconds,
  version: Type.Union([recordId, Type.Null()], description('The one that was current; null while it was removed.')),
  readable: Type.Boolean(description('Whether the bytes of that version are still kept.')),
  attributes,
})
export const RecordsOrPast = Type.Union([Records, PastObject])
export const Annotation = Type.Object(
  {
    set: Type.Optional(Type.Record(Type.String({ pattern: userAttributeName }), attributeValue, closed)),
    unset: Type.Optional(Type.Array(Type.String({ pattern: userAttributeName }), { maxItems: 256 })),
  },
  { ...closed, minProperties: 1 },
)
export const Rename = Type.Object({ from: name, to: name }, closed)

export const FindQuery = Type.Object(
  {
    q: Type.String(description('Empty for everything; docs/QUERY.md has the language.')),
    sort: Type.Optional(Type.String(description('An indexed attribute; with `-` before it in descending order.'))),
    limit: Type.Optional(
      Type.Number({
        ...{ minimum: 1, maximum: limitMax, multipleOf: 1 },
        ...description(
          `Objects of the page, ${limitMax} by default; of NDJSON, which goes on to the end, of all pages.`,
        ),
      }),
    ),
    cursor: Type.Optional(Type.String()),
    format: Type.Optional(
      Type.Union(
        [Type.Literal('json'), Type.Literal('ndjson'), Type.Literal('csv'), Type.Literal('xml')],
        description('By default as `Accept` says.'),
      ),
    ),
    columns: Type.Optional(Type.String(description('Of CSV: names of attributes, parted by commas.'))),
    explain: Type.Optional(Type.Boolean(description('Tells how the answer would be found, and not the answer.'))),
  },
  closed,
)
export const Found = Type.Object({
  sequence: Type.Integer(description('The answer is true at this sequence.')),
  cursor: Type.Union([Type.String(), Type.Null()], description('Pass to go on; null at the end.')),
  limited: Type.Boolean(description('The page ended because it had looked at as much as one page may.')),
  objects: Type.Array(objectStat),
})
const counted = { entries: Type.Integer(), isExact: Type.Boolean() }
const leg = Type.Object({
  condition: Type.Union([Type.String(), Type.Null()]),
  reads: Type.String(),
  ranges: Type.Integer(),
  isScan: Type.Boolean(description('It reads in proportion to all there is.')),
  ...counted,
  narrowedBy: Type.Array(Type.Object({ condition: Type.String(), how: Type.String(), ...counted })),
})
export const IndexProgress = Type.Object({
  phase: Type.Union([Type.Literal('whole'), Type.Literal('clearing'), Type.Literal('building')]),
  built: Type.Integer(description('Current objects that the index has.')),
  objects: Type.Integer(description('Current objects in all.')),
})
export const Explained = Type.Object({
  query: Type.String(description('As it was understood.')),
  sequence,
  objects: Type.Integer(description('Current objects in all.')),
  index: IndexProgress,
  order: Type.String(),
  sorting: Type.Union([Type.Literal('none'), Type.Literal('gather'), Type.Literal('follow')]),
  entries: Type.Integer(description('Entries that are looked at, estimated.')),
  isScan: Type.Boolean(),
  legs: Type.Array(leg, description('Walked one after the other.')),
  others: Type.Array(leg, description('What could have been followed instead.')),
  entriesMax: Type.Integer(description('Entries that one page looks at, at the most.')),
})
export const Answer = Type.Union([Found, Explained])

export const FacetQuery = Type.Object(
  {
    q: Type.String(description('Empty for everything; docs/QUERY.md has the language.')),
    by: Type.String(description('Names of attributes, parted by commas.')),
    values: Type.Optional(
      Type.Number({
        ...{ minimum: 1, maximum: facetValuesMax, multipleOf: 1 },
        ...description('Values told of each, the most frequent first; 20 by default.'),
      }),
    ),
  },
  closed,
)
export const Facets = Type.Object({
  sequence,
  facets: Type.Array(
    Type.Object({
      name: Type.String(),
      distinct: Type.Integer(description('Values there are, told or not.')),
      values: Type.Array(
        Type.Object({ value: Type.Union([Type.String(), Type.Number(), Type.Boolean()]), count: Type.Integer() }),
      ),
      counted: Type.Boolean(description('The counts were known; otherwise the answer was looked at.')),
      complete: Type.Boolean(description('False when there was more to look at than one page may.')),
    }),
  ),
})

const requestTypes = Type.Array(Type.Union([Type.Literal('http'), Type.Literal('ftp'), Type.Literal('email')]))
const permissions = Type.Array(
  Type.Union([
    Type.Literal('object:read'),
    Type.Literal('object:write'),
    Type.Literal('object:retain'),
    Type.Literal('object:hold'),
    Type.Literal('object:quarantine'),
    Type.Literal('bucket:create'),
    Type.Literal('bucket:manage'),
    Type.Literal('pool:inspect'),
    Type.Literal('pool:manage'),
    Type.Literal('subscription:manage'),
    Type.Literal('application:manage'),
  ]),
)
const disposition = Type.Union([Type.Literal('keep'), Type.Literal('quarantine'), Type.Literal('drop')])
const size = Type.Integer({ minimum: 0 })
const policyMembers = {
  objectBytesMax: Type.Integer({ minimum: 1, ...description('Of one object.') }),
  names: Type.Array(Type.String(), description('Patterns, one of which what is stored meets: `*.pdf`, `inbox/**`.')),
  contentTypes: Type.Array(Type.String(), description('Media types that content may be found to have.')),
  quotaBytes: Type.Integer({ ...size, ...description('Of all that it has stored and is kept.') }),
  quotaObjects: Type.Integer({ ...size, ...description('And their older versions.') }),
  networks: Type.Array(Type.String(), description('Addresses and ranges that it may come from.')),
  home: Type.String(description('Where its FTP sessions begin, and beyond which they see nothing.')),
  connectionsMax: Type.Integer({ minimum: 1, ...description('FTP sessions at once.') }),
  bytesPerSecond: Type.Integer({ minimum: 1024, ...description('Of all its FTP sessions together, both ways.') }),
  controlLost: disposition,
}
const Policy = Type.Partial(Type.Object(policyMembers), description('What is absent bounds nothing.'))
export const PolicyChange = Type.Partial(
  Type.Object({
    objectBytesMax: Type.Union([policyMembers.objectBytesMax, Type.Null()]),
    names: Type.Union([policyMembers.names, Type.Null()]),
    contentTypes: Type.Union([policyMembers.contentTypes, Type.Null()]),
    quotaBytes: Type.Union([policyMembers.quotaBytes, Type.Null()]),
    quotaObjects: Type.Union([policyMembers.quotaObjects, Type.Null()]),
    networks: Type.Union([policyMembers.networks, Type.Null()]),
    home: Type.Union([policyMembers.home, Type.Null()]),
    connectionsMax: Type.Union([policyMembers.connectionsMax, Type.Null()]),
    bytesPerSecond: Type.Union([policyMembers.bytesPerSecond, Type.Null()]),
    controlLost: Type.Union([disposition, Type.Null()]),
  }),
  { ...closed, ...description('null takes a member away; what is absent stays.') },
)
export const NewApplication = Type.Object(
  {
    id: Type.String(),
    types: requestTypes,
    permissions,
    password: Type.Optional(Type.String()),
    policy: Type.Optional(PolicyChange),
  },
  closed,
)
export const ApplicationChange = Type.Object({ policy: PolicyChange }, closed)
export const Admitted = Type.Object({
  key: Type.String(),
  secret: Type.Optional(
    Type.String(description('Generated, and told this once; a password that was chosen is not repeated.')),
  ),
})
const application = {
  id: Type.String(),
  types: Type.Array(Type.String()),
  permissions: Type.Array(Type.String()),
  policy: Type.Optional(Policy),
}
export const ApplicationList = Type.Object({ applications: Type.Array(Type.Object(application)) })
export const ApplicationDetail = Type.Object({
  ...application,
  usage: Type.Object({ bytes: size, objects: size }, description('Stored by it, and kept; older versions included.')),
})

const bytes = Type.Integer({ minimum: 0 })
const member = Type.Object({
  device: Type.Optional(Type.String(description('Its path; absent while it is missing.'))),
  state: Type.Union([Type.Literal('in-sync'), Type.Literal('stale'), Type.Literal('missing')]),
  bytes,
  failure: Type.Optional(Type.String(description('Why it was taken out of use.'))),
  figures: Type.Optional(
    Type.Object({
      kind: Type.String(),
      io: Type.String(),
      flushMicrosecondsP50: Type.Integer(),
      stalls: Type.Integer(),
      isStalled: Type.Boolean(),
    }),
  ),
})
const recovery = Type.Object({
  verdict: Type.String(),
  batchesReplayed: Type.Integer(),
  batchesDropped: Type.Integer(),
  unreadable: Type.Integer(description('Reads at the start that failed, of which another copy was right.')),
})
export const DeviceParams = Type.Object({
  pool: Type.String(),
  index: Type.Number({ minimum: 0, multipleOf: 1, ...description('The place of a member in the layout, from 0.') }),
})
export const NewDevice = Type.Object(
  {
    path: Type.Optional(
      Type.String({
        minLength: 1,
        pattern: '^/',
        ...description(
          'Of the server: a block device, a block file, or where to make one; by default in its pool folder.',
        ),
      }),
    ),
    bytes: Type.Optional(Type.Integer({ minimum: 1, ...description('Of the block file that is made.') })),
    overwrite: Type.Optional(Type.Boolean(description('Takes what holds a pool, which is lost.'))),
  },
  { ...closed, minProperties: 1 },
)
export const PoolFigures = Type.Object({
  state: Type.Union([Type.Literal('open'), Type.Literal('halted'), Type.Literal('closed')]),
  position: Type.Object({ pool: Type.String(), epoch: Type.Integer(), sequence }),
  atomicity: Type.String(),
  layout: Type.String(),
  health: Type.String(description('ok, stalled, degraded or halted')),
  members: Type.Array(member),
  mended: Type.Integer(),
  bytes,
  freeBytes: bytes,
  historyBytes: bytes,
  extentBytes: bytes,
  stagedBytes: bytes,
  promisedBytes: bytes,
  retiredBytes: bytes,
  segments: Type.Integer(),
  commits: Type.Integer(),
  batches: Type.Integer(),
  flushes: Type.Integer(),
  checkpoints: Type.Integer(),
  recovery,
})
export const Atomicity = Type.Object({
  enforced: Type.Boolean(),
  state: Type.String(),
  unitBytes: bytes,
  alignmentBytes: bytes,
  transactionBytesMax: bytes,
  transactionPayloadsMax: Type.Integer(),
  inlineBytesMax: bytes,
  largePath: Type.String(),
  native: Type.Union([
    Type.Null(),
    Type.Object({ unitMin: bytes, unitMax: bytes, boundary: bytes, source: Type.String() }),
  ]),
  durability: Type.String(),
  isolation: Type.String(),
  writeCache: Type.String(),
  flushMicrosecondsP50: Type.Integer(),
  ordering: Type.String(),
  redundancy: Type.Object({
    dataCopies: Type.Integer(),
    journalCopies: Type.Integer(),
    stale: Type.Array(Type.Integer()),
  }),
  checksums: Type.Object({ block: Type.String(), batch: Type.String(), outOfLine: Type.Boolean() }),
  faultModel: Type.Union([Type.String(), Type.Null()]),
  journal: Type.Object({ bytes, sinceCheckpointBytes: bytes }),
  stripeUnitBytes: bytes,
  optimalWriteBytes: bytes,
  accepted: Type.Array(Type.String()),
  refusedOptions: Type.Array(Type.Object({ code: Type.String(), reason: Type.String() })),
  epoch: Type.Integer(),
  lastRecovery: recovery,
})
export const PoolReport = Type.Object({
  records: Type.Integer(),
  payloadBytes: bytes,
  findings: Type.Array(Type.Object({ sequence: Type.Optional(sequence), problem: Type.String() })),
})
export const ScrubRequest = Type.Object(
  { bytesPerSecond: Type.Optional(Type.Integer({ minimum: 1 })), resume: Type.Optional(Type.Boolean()) },
  closed,
)
const scrubFinding = Type.Object({
  subject: Type.String(description('guard, superblock, page, segment, batch, inline, manifest, payload or space')),
  kind: Type.String(description('unreadable, checksum, misdirected, stale or unnamed')),
  member: Type.Optional(Type.Integer()),
  memberOffset: Type.Optional(bytes),
  sequence: Type.Optional(sequence),
  records: Type.Optional(Type.Integer()),
  payload: Type.Optional(Type.Integer()),
  offset: Type.Optional(bytes),
  length: Type.Optional(bytes),
  note: Type.Optional(Type.String()),
})
const scrubCursor = Type.Object({
  stage: Type.Union([Type.Literal('members'), Type.Literal('pages'), Type.Literal('records')]),
  member: Type.Optional(Type.Integer()),
  level: Type.Optional(Type.Integer()),
  index: Type.Optional(Type.Integer()),
  sequence: Type.Optional(Type.Integer()),
  payload: Type.Optional(Type.Integer()),
  offset: Type.Optional(bytes),
})
export const ScrubReport = Type.Object({
  finished: Type.Boolean(),
  cursor: Type.Union([scrubCursor, Type.Null()], description('Where it stopped; null when finished.')),
  records: Type.Integer(),
  bytesVerified: bytes,
  copiesVerified: Type.Integer(),
  repaired: Type.Array(scrubFinding),
  damaged: Type.Array(scrubFinding),
  repairedCount: Type.Integer(),
  damagedCount: Type.Integer(),
})
const scrubProgress = Type.Object({
  cursor: scrubCursor,
  records: Type.Integer(),
  bytesVerified: bytes,
  bytesTotal: Type.Integer(description('An estimate, all copies counted.')),
  repaired: Type.Integer(),
  damaged: Type.Integer(),
})
export const ScrubStatus = Type.Object({
  running: Type.Boolean(),
  progress: Type.Union([scrubProgress, Type.Null()]),
  resumable: Type.Boolean(description('One that was stopped can be gone on with.')),
  finished: Type.Union([Type.String(), Type.Null()], description('When the last one finished.')),
})
const keyId = Type.String({ pattern: '^[0-9a-f]{64}$', ...description('SHA-256 of the public key.') })
const publicKey = Type.Object({
  id: keyId,
  algorithm: Type.Literal('ed25519'),
  publicKey: Type.String(description('Its 32 bytes, in base64.')),
  sequence,
  time: Type.Integer(),
  signer: Type.String(description('The key that introduced it; its own id for the first.')),
  state: Type.Union([Type.Literal('active'), Type.Literal('retired')]),
})
export const PublicKey = publicKey
export const PublicKeys = Type.Object({ keys: Type.Array(publicKey) })
export const VerifyQuery = Type.Object(
  {
    bucket: Type.Optional(Type.String(description('Whose bytes are read; without it those of all.'))),
    key: Type.Optional(Type.String(description('The one object of the bucket whose bytes are read.'))),
    trust: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{64}(,[0-9a-f]{64}){0,31}$',
        ...description('Ids of keys, joined by commas: no others may have signed, but those that they introduced.'),
      }),
    ),
  },
  closed,
)
export const EvidenceQuery = Type.Object(
  {
    versions: Type.Optional(
      Type.String({
        pattern: '^(all|[0-9]{16}(,[0-9]{16}){0,255})$',
        ...description('Ids of versions of the object, joined by commas, or all; the current one without it.'),
      }),
    ),
  },
  closed,
)
export const Status = Type.Object({ status: Type.String() })
export const Readiness = Type.Object({
  status: Type.String(),
  indexPercent: Type.Optional(
    Type.Integer(description('Of the index; there until it is whole: meanwhile queries look at the objects.')),
  ),
})
export const Document = Type.Object({ openapi: Type.String() }, description('OpenAPI 3.1'))
