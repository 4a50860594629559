import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { StoreError } from '../errors.ts'
import { isScanPolicy } from '../scanning/scan-policy.ts'
import type { AttributeRecord } from './record.ts'

/*
 * A record as bytes. They are what the pool stores, and what the chains of digests are made of.
 *
 *   offset  size  what
 *   0       1     version of the format, 1
 *   1       rest  the record in canonical JSON (RFC 8785), UTF-8: no white space, the members of each object in the
 *                 order of their names' UTF-16 code units, numbers and strings as ECMAScript writes them
 *
 * A record has thus one encoding only, and whoever holds a record can compute its digest again in any language.
 */
export const RECORD_FORMAT_VERSION = 1
const VERSION_CHARACTER = String.fromCharCode(RECORD_FORMAT_VERSION)

export function encodeRecord(record: AttributeRecord): Buffer {
  return Buffer.from(VERSION_CHARACTER + canonicalJson(record))
}

/** RFC 8785. */
export function canonicalJson(value: object): string {
  return JSON.stringify(canonical(value))
}

/** Throws ERR_CORRUPT for bytes that are no record of a version known here. */
export function decodeRecord(bytes: Uint8Array): AttributeRecord {
  const version = bytes[0]
  if (version !== RECORD_FORMAT_VERSION) throw corrupt(`its format's version is ${version ?? 'missing'}`)
  const record = parse(Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.byteLength - 1).toString())
  const fault = faultOf(record)
  if (fault !== undefined) throw corrupt(fault)
  return record as unknown as AttributeRecord
}

/** The SHA-256 of an encoded record, in lower-case hex. */
export function digestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}

/**
 * The value with members in canonical order, which JSON.stringify keeps: no name here is an integer, and only those
 * does JavaScript put before the others.
 */
function canonical(value: unknown): unknown {
  if (typeof value === 'number') assert(Number.isFinite(value), `JSON has no ${value}`)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(canonical)
  const members: { [name: string]: unknown } = {}
  for (const name of Object.keys(value).sort()) members[name] = canonical((value as Members)[name])
  return members
}

type Members = { readonly [name: string]: unknown }
type Check = (value: unknown) => boolean
type Shape = { readonly [member: string]: Check }

const isText: Check = (value) => typeof value === 'string'
const isInteger: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isMembers: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const every =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const isTexts = every(isText)
const isScalar: Check = (value) => isText(value) || typeof value === 'number' || typeof value === 'boolean'
const isAttributes: Check = (value) =>
  isMembers(value) && Object.values(value as Members).every((member) => isScalar(member) || isTexts(member))
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const shaped =
  (shape: Shape): Check =>
  (value) =>
    isMembers(value) && Object.entries(shape).every(([member, check]) => check((value as Members)[member]))

const isVersioning: Check = (value) => value === 'enabled' || value === 'suspended'

const NAME: Shape = { bucket: isText, key: isText }
const OBJECT: Shape = { object: isText, ...NAME }
const PRODUCER = shaped({ id: isText, epoch: isInteger, sequence: isInteger })
const POLICY = shaped({
  objectBytesMax: optional(isInteger),
  names: optional(isTexts),
  contentTypes: optional(isTexts),
  quotaBytes: optional(isInteger),
  quotaObjects: optional(isInteger),
  networks: optional(isTexts),
  home: optional(isText),
  connectionsMax: optional(isInteger),
  bytesPerSecond: optional(isInteger),
  controlLost: optional((value) => value === 'keep' || value === 'quarantine' || value === 'drop'),
  scan: optional(isScanPolicy),
})
const REGISTRATION = shaped({
  types: isTexts,
  permissions: isTexts,
  secret: shaped({ kind: isText, value: isText }),
  policy: optional(POLICY),
})

const ROUTE = shaped({
  bucket: isText,
  prefix: optional(isText),
  application: isText,
  networks: optional(isTexts),
  senders: optional(isTexts),
  unverified: optional((value) => value === 'accept' || value === 'quarantine' || value === 'reject'),
  parts: optional((value) => typeof value === 'boolean'),
})

const SETTINGS = shaped({
  versioning: (value) => value === 'off' || isVersioning(value),
  retention: optional(shaped({ days: isInteger })),
  expiry: optional(shaped({ currentDays: optional(isInteger), noncurrentDays: optional(isInteger) })),
})

const SEALED = shaped({ kind: (value) => value === 'sealed', value: isText })
const SUBSCRIPTION = shaped({
  url: isText,
  query: isText,
  format: isText,
  after: isInteger,
  paused: optional((value) => value === true),
  secret: SEALED,
  retiring: optional(every(shaped({ secret: SEALED, until: isInteger }))),
})
const isDeadLetter = shaped({ sequence: isInteger, attempts: isInteger, time: isInteger, reason: isText })

const BASE: Shape = {
  sequence: isInteger,
  time: isInteger,
  partition: isText,
  application: isText,
  protocol: isText,
  peer: optional(isText),
  request: optional(isText),
  previous: shaped({ partition: isText, object: isText }),
}
const SIGNED: Shape = { ...BASE, pool: isText, signer: isText, signature: isText }
const REFERENCE = shaped({ sequence: isInteger, digest: isText })
const COVERAGE = shaped({ first: isInteger, last: isInteger, records: isInteger, digest: isText, root: isText })

const SHAPES: { readonly [Operation in AttributeRecord['operation']]: Shape } = {
  put: {
    ...BASE,
    ...OBJECT,
    size: isInteger,
    digests: shaped({ sha256: isText, crc32c: isText }),
    attributes: isAttributes,
    versioning: optional(isVersioning),
    prepared: optional(isInteger),
  },
  delete: {
    ...BASE,
    ...OBJECT,
    versioning: optional(isVersioning),
    version: optional(isInteger),
    current: optional(isInteger),
    reason: optional(isText),
  },
  attributes: {
    ...BASE,
    ...OBJECT,
    set: isAttributes,
    unset: isTexts,
    version: optional(isInteger),
    producer: optional(PRODUCER),
  },
  append: {
    ...BASE,
    ...OBJECT,
    messages: isTexts,
    encoding: optional((value) => value === 'base64'),
    closes: optional((value) => typeof value === 'boolean'),
    order: optional(isText),
    producer: optional(PRODUCER),
  },
  rename: { ...BASE, ...OBJECT, from: shaped(NAME) },
  bucket: { ...BASE, bucket: isText, settings: optional(SETTINGS) },
  application: { ...BASE, id: isText, registration: (value) => value === null || REGISTRATION(value) },
  route: { ...BASE, id: isText, registration: (value) => value === null || ROUTE(value) },
  subscription: { ...BASE, id: isText, registration: (value) => value === null || SUBSCRIPTION(value) },
  delivery: { ...BASE, id: isText, after: isInteger, dead: every(isDeadLetter), settled: every(isInteger) },
  prepare: { ...BASE, ...NAME, upload: isText, size: isInteger, base: optional(isInteger), stages: isMembers },
  abandon: { ...BASE, ...NAME, upload: isText, owner: isText, prepared: isInteger, reason: isText },
  key: { ...SIGNED, id: isText, algorithm: (value) => value === 'ed25519', publicKey: isText },
  checkpoint: { ...SIGNED, covers: COVERAGE, before: REFERENCE },
}

const SHAPE_ENTRIES = new Map(Object.entries(SHAPES).map(([operation, shape]) => [operation, Object.entries(shape)]))

function parse(json: string): Members {
  try {
    const value: unknown = JSON.parse(json)
    if (isMembers(value)) return value as Members
  } catch {
    // Told below, without the text.
  }
  throw corrupt('it is no JSON object')
}

function faultOf(record: Members): string | undefined {
  const shape = SHAPE_ENTRIES.get(String(record.operation))
  if (shape === undefined) return 'its operation is not known'
  const fault = shape.find(([member, check]) => !check(record[member]))
  return fault && `its member ${fault[0]} is missing or of another type`
}

function corrupt(reason: string): StoreError {
  return new StoreError('ERR_CORRUPT', `a record cannot be read: ${reason}`)
}
