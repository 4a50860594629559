import { Type } from 'typebox'
import { closed, description, sequence } from './schema-parts.ts'

export const PoolParams = Type.Object({ pool: Type.String() })
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
