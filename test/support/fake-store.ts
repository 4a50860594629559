import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { crc32c } from '@node-rs/crc32'
import {
  type Append,
  type AppendOutcome,
  type ApplicationRegistration,
  type AttributeChange,
  type AttributeRecord,
  type Attributes,
  type AttributeValue,
  type CreateOutcome,
  type Envelope,
  type Explanation,
  type FacetOptions,
  type Facets,
  type Finding,
  type IndexProgress,
  type Listing,
  type ListOptions,
  type ObjectName,
  type ObjectStat,
  type Origin,
  type PayloadRange,
  type Permission,
  type PutRecord,
  type QueryOptions,
  type QueryResult,
  type Reading,
  type Receipt,
  type RouteRegistration,
  type ShownRecord,
  type Store,
  StoreError,
  type StoreTransaction,
  type StreamHead,
  type StreamRequest,
  type TailOptions,
  type TailPage,
  type TransactionUpload,
  type Upload,
  type Usage,
  type Verdict,
} from '../../streams/index.ts'

export interface FakeStoreOptions {
  readonly objectBytesMax?: number
  readonly buckets?: readonly string[]
  /** Length of the chunks that read() yields. */
  readonly chunkBytes?: number
  readonly now?: () => number
  /** What the stages would find: attributes beyond the declared ones. */
  readonly describe?: (envelope: Envelope, bytes: Uint8Array) => Attributes
}

/** The moments at which a test may make the store fail or wait; the store emits each by its name, too. */
export type Moment =
  | 'judge'
  | 'begin'
  | 'write'
  | 'commit'
  | 'abort'
  | 'read'
  | 'chunk'
  | 'stat'
  | 'list'
  | 'remove'
  | 'query'

interface Stored {
  readonly stat: ObjectStat
  readonly bytes: Uint8Array
}

const keyBytesMax = 1024
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

/** A whole Store in memory, in sequence order and without durability: for the tests of doors. */
export class FakeStore implements Store {
  readonly records: AttributeRecord[] = []
  /** Envelopes of every upload begun, in order. */
  readonly begun: Envelope[] = []
  /** Why uploads were aborted, in order. */
  readonly aborted: (Error | undefined)[] = []
  readonly events = new EventEmitter()
  readonly #objectBytesMax: number
  readonly #chunkBytes: number
  readonly #now: () => number
  readonly #describe: (envelope: Envelope, bytes: Uint8Array) => Attributes
  readonly #buckets = new Map<string, Map<string, Stored>>()
  readonly #applications = new Map<string, ApplicationRegistration>()
  readonly #routes = new Map<string, RouteRegistration>()
  readonly #failures = new Map<Moment, Error[]>()
  readonly #gates = new Map<Moment, Promise<void>>()

  constructor(options: FakeStoreOptions = {}) {
    this.#objectBytesMax = options.objectBytesMax ?? 1 << 30
    this.#chunkBytes = options.chunkBytes ?? 64 * 1024
    this.#now = options.now ?? Date.now
    this.#describe = options.describe ?? declaredType
    for (const bucket of options.buckets ?? ['inbox']) this.#buckets.set(bucket, new Map())
  }

  /** Makes the next `times` of `moment` reject with `error`. */
  fail(moment: Moment, error: Error, times = 1): void {
    this.#failures.set(moment, new Array<Error>(times).fill(error))
  }

  /** Makes every `moment` from now on wait until the function returned is called. */
  hold(moment: Moment): () => void {
    let open = (): void => {}
    this.#gates.set(
      moment,
      new Promise((resolve) => {
        open = resolve
      }),
    )
    return () => {
      this.#gates.delete(moment)
      open()
    }
  }

  /** Comes to `moment`: says so, waits while it is held, and fails when it was told to. */
  async reach(moment: Moment): Promise<void> {
    this.events.emit(moment)
    await this.#gates.get(moment)
    const error = this.#failures.get(moment)?.shift()
    if (error) throw error
  }

  /** The bytes under a name, and undefined where nothing is. */
  bytesOf(bucket: string, key: string): Uint8Array | undefined {
    return this.#buckets.get(bucket)?.get(key)?.bytes
  }

  /** How many objects there are, in all buckets. */
  get size(): number {
    return [...this.#buckets.values()].reduce((sum, objects) => sum + objects.size, 0)
  }

  async admits(envelope: Envelope): Promise<void> {
    const upload = await this.begin(envelope)
    await upload.abort()
  }

  async begin(envelope: Envelope): Promise<Upload> {
    const incoming = await this.admit(envelope)
    return {
      get size() {
        return incoming.size
      },
      write: (chunk) => incoming.write(chunk),
      commit: async (evidence = {}) => {
        incoming.close()
        try {
          incoming.verify()
          await this.reach('commit')
        } catch (error) {
          this.aborted.push(error as Error)
          throw error
        }
        return this.put(incoming, evidence)
      },
      abort: (reason) => this.abandon([incoming], reason),
    }
  }

  /** What a test says is left. */
  left = 1 << 30

  async available(origin: Origin): Promise<number> {
    permit(origin, 'object:write')
    return this.left
  }

  transaction(): StoreTransaction {
    return new FakeTransaction(this)
  }

  async read(origin: Origin, name: ObjectName, range?: PayloadRange): Promise<Reading> {
    await this.reach('read')
    const { stat, bytes } = this.#stored(origin, name)
    const { offset, length } = range ?? { offset: 0, length: bytes.length }
    if (range && offset >= bytes.length) throw new StoreError('ERR_RANGE', `the object has ${bytes.length} bytes`)
    return { stat, body: this.#chunks(bytes.subarray(offset, offset + length)) }
  }

  async *#chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let offset = 0; offset < bytes.length; offset += this.#chunkBytes) {
      await this.reach('chunk')
      yield bytes.subarray(offset, offset + this.#chunkBytes)
    }
  }

  async stat(origin: Origin, name: ObjectName): Promise<ObjectStat> {
    await this.reach('stat')
    return this.#stored(origin, name).stat
  }

  async list(origin: Origin, bucket: string, options: ListOptions = {}): Promise<Listing> {
    await this.reach('list')
    permit(origin, 'object:read')
    const { prefix = '', after, delimiter, limit = 1000 } = options
    const entries = new Map<string, ObjectStat | undefined>()
    for (const [key, { stat }] of this.#objects(bucket)) {
      if (!key.startsWith(prefix)) continue
      const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1
      const entry = end < 0 || !delimiter ? key : key.slice(0, end + delimiter.length)
      if (after === undefined || compareKeys(entry, after) > 0) entries.set(entry, entry === key ? stat : undefined)
    }
    const sorted = [...entries].sort(([one], [other]) => compareKeys(one, other))
    const page = sorted.slice(0, limit)
    const last = page.at(-1)
    return {
      objects: page.flatMap(([, stat]) => (stat ? [stat] : [])),
      prefixes: page.flatMap(([entry, stat]) => (stat ? [] : [entry])),
      ...(last && sorted.length > limit && { next: last[0] }),
    }
  }

  async remove(origin: Origin, name: ObjectName): Promise<boolean> {
    await this.reach('remove')
    permit(origin, 'object:write')
    const stored = this.#objects(name.bucket).get(name.key)
    if (!stored) return false
    this.#objects(name.bucket).delete(name.key)
    this.records.push({ ...this.#base(origin), operation: 'delete', object: stored.stat.object, ...bare(name) })
    return true
  }

  async rename(origin: Origin, from: ObjectName, to: ObjectName): Promise<void> {
    permit(origin, 'object:write')
    checkKey(to.key)
    const target = this.#objects(to.bucket)
    const { stat, bytes } = this.#stored(origin, from)
    if (target.has(to.key)) throw new StoreError('ERR_CONFLICT', `${to.bucket}/${to.key} exists`)
    this.#objects(from.bucket).delete(from.key)
    target.set(to.key, { stat: { ...stat, ...bare(to) }, bytes })
    const { object } = stat
    this.records.push({ ...this.#base(origin), operation: 'rename', object, ...bare(to), from: bare(from) })
  }

  async renamePrefix(origin: Origin, from: ObjectName, to: ObjectName): Promise<number> {
    permit(origin, 'object:write')
    const keys = [...this.#objects(from.bucket).keys()].filter((key) => key.startsWith(from.key))
    for (const key of keys) {
      const moved = { bucket: to.bucket, key: to.key + key.slice(from.key.length) }
      await this.rename(origin, { bucket: from.bucket, key }, moved)
    }
    return keys.length
  }

  async annotate(origin: Origin, name: ObjectName, set: Attributes, unset: readonly string[] = []): Promise<void> {
    permit(origin, 'object:write')
    const { stat, bytes } = this.#stored(origin, name)
    const kept = Object.entries(stat.attributes).filter(([attribute]) => !unset.includes(attribute))
    const attributes = { ...Object.fromEntries(kept), ...set }
    this.#objects(name.bucket).set(name.key, { stat: { ...stat, attributes }, bytes })
    const { object } = stat
    this.records.push({ ...this.#base(origin), operation: 'attributes', object, ...bare(name), set, unset })
  }

  /** A verdict on what is there still under its name; of one that is not kept, without what a retention would say. */
  async judge(verdicts: readonly Verdict[]): Promise<void> {
    await this.reach('judge')
    for (const { origin, name, version, set, disposition, reason = '' } of verdicts) {
      const stored = this.#objects(name.bucket).get(name.key)
      if (stored?.stat.sequence !== version) continue
      const all = disposition === 'keep' ? set : { ...set, 'quarantine.reason': reason }
      const attributes = { ...stored.stat.attributes, ...all }
      this.#objects(name.bucket).set(name.key, { ...stored, stat: { ...stored.stat, attributes } })
      const { object } = stored.stat
      const body = { operation: 'attributes', object, ...bare(name), set: all, unset: [], version } as const
      this.records.push({ ...this.#base(origin), ...body })
      if (disposition === 'drop') this.#objects(name.bucket).delete(name.key)
    }
    this.events.emit('judged')
  }

  async buckets(origin: Origin): Promise<readonly string[]> {
    permit(origin, 'object:read')
    return [...this.#buckets.keys()].sort()
  }

  async createBucket(origin: Origin, bucket: string): Promise<boolean> {
    permit(origin, 'bucket:create')
    if (!bucketName.test(bucket)) throw new StoreError('ERR_INVALID', 'a bucket name has 3 to 63 of a-z, 0-9, - and .')
    if (this.#buckets.has(bucket)) return false
    this.#buckets.set(bucket, new Map())
    this.records.push({ ...this.#base(origin), operation: 'bucket', bucket })
    return true
  }

  async stream(origin: Origin, name: ObjectName): Promise<readonly AttributeRecord[]> {
    const { object } = this.#stored(origin, name).stat
    return this.records.filter((record) => 'object' in record && record.object === object)
  }

  /** What there is; nothing comes after it. */
  async *tail(origin: Origin, { after, name }: TailOptions): AsyncGenerator<TailPage> {
    permit(origin, 'object:read')
    const records = (name ? await this.stream(origin, name) : this.records) as readonly ShownRecord[]
    const next = records.at(-1)?.sequence ?? 0
    yield { records: after === 'now' ? [] : records.filter(({ sequence }) => sequence > after), next, upToDate: true }
  }

  async streamHead(origin: Origin, name: ObjectName): Promise<StreamHead> {
    const records = await this.stream(origin, name)
    const last = records.at(-1)!.sequence
    const contentType = (await this.stat(origin, name)).attributes['stream.content-type']
    const place = { first: records[0]!.sequence, last, next: last, isClosed: false }
    return { ...place, ...(typeof contentType === 'string' && { contentType }) }
  }

  /** Without a word on producers, types and order: appending is tested on the real store. */
  async createStream(origin: Origin, name: ObjectName, { contentType }: StreamRequest): Promise<CreateOutcome> {
    const attributes = { 'stream.content-type': contentType }
    const facts = { type: 'http', method: 'PUT', headers: {} } as const
    const { sequence } = await (await this.begin({ origin, name, facts, expected: {}, attributes })).commit()
    return { kind: 'created', next: sequence, isClosed: false }
  }

  async append(origin: Origin, name: ObjectName, { messages }: Append): Promise<AppendOutcome> {
    const { object } = await this.stat(origin, name)
    this.records.push({ ...this.#base(origin), operation: 'append', object, ...bare(name), messages })
    return { kind: 'appended', next: this.records.length, isClosed: false }
  }

  async appendChanges(origin: Origin, name: ObjectName, changes: readonly AttributeChange[]): Promise<AppendOutcome> {
    for (const { set, unset } of changes) await this.annotate(origin, name, set, unset)
    return { kind: 'appended', next: this.records.length, isClosed: false }
  }

  /** The grammar of the first release, without order: `name:value`, `name:start*`, `=`, comparisons, AND. */
  async query(origin: Origin, text: string, options: QueryOptions = {}): Promise<QueryResult> {
    await this.reach('query')
    permit(origin, 'object:read')
    const terms = text.split(' AND ').map(parseTerm)
    const start = options.cursor === undefined ? 0 : parseCursor(options.cursor)
    const all = [...this.#buckets.values()].flatMap((objects) => [...objects.values()].map(({ stat }) => stat))
    const found = all
      .filter((stat) => stat.sequence > start && terms.every((matches) => matches(stat.attributes)))
      .sort((one, other) => one.sequence - other.sequence)
    const objects = found.slice(0, options.limit ?? 100)
    const cursor = objects.length < found.length ? String(objects.at(-1)?.sequence) : null
    return { sequence: this.records.length, objects, cursor, limited: false }
  }

  async facets(origin: Origin, _query: string, { names }: FacetOptions): Promise<Facets> {
    permit(origin, 'object:read')
    const values = [{ value: 'y', count: 1 }]
    const facets = names.map((name) => ({ name, distinct: 1, values, counted: true, complete: true }))
    return { sequence: this.records.length, facets }
  }

  async explain(origin: Origin, query: string): Promise<Explanation> {
    permit(origin, 'object:read')
    const plan = { order: 'none', sorting: 'none', entries: 1, isScan: true, legs: [], others: [] } as const
    const index = { phase: 'whole', built: 1, objects: 1 } as const
    return { query, sequence: this.records.length, objects: 1, index, ...plan, entriesMax: 1 }
  }

  index(origin: Origin): IndexProgress {
    permit(origin, 'pool:inspect')
    return { phase: 'whole', built: 1, objects: 1 }
  }

  async reindex(origin: Origin): Promise<IndexProgress> {
    permit(origin, 'pool:manage')
    return { phase: 'clearing', built: 0, objects: 1 }
  }

  async usage(): Promise<Usage> {
    return { bytes: 0, objects: 0 }
  }

  async applications(): Promise<ReadonlyMap<string, ApplicationRegistration>> {
    return this.#applications
  }

  async register(origin: Origin, id: string, registration: ApplicationRegistration | null): Promise<void> {
    if (registration) this.#applications.set(id, registration)
    else this.#applications.delete(id)
    this.records.push({ ...this.#base(origin), operation: 'application', id, registration })
  }

  async routes(): Promise<ReadonlyMap<string, RouteRegistration>> {
    return this.#routes
  }

  async route(origin: Origin, id: string, registration: RouteRegistration | null): Promise<void> {
    if (registration) this.#routes.set(id, registration)
    else this.#routes.delete(id)
    this.records.push({ ...this.#base(origin), operation: 'route', id, registration })
  }

  /** Checks what begin() must know before the first byte. */
  async admit(envelope: Envelope): Promise<Incoming> {
    permit(envelope.origin, 'object:write')
    checkKey(envelope.name.key)
    this.#objects(envelope.name.bucket)
    const { size } = envelope.expected
    if (size !== undefined && size > this.#objectBytesMax) throw tooLarge(this.#objectBytesMax)
    await this.reach('begin')
    this.begun.push(envelope)
    return new Incoming(this, envelope, this.#objectBytesMax)
  }

  put(incoming: Incoming, evidence: Attributes): Receipt {
    const { envelope } = incoming
    const bytes = incoming.bytes()
    const before = this.#objects(envelope.name.bucket).get(envelope.name.key)
    const base = this.#base(envelope.origin)
    const version = sequenceId(base.sequence)
    const receipt: Receipt = {
      object: before?.stat.object ?? version,
      ...bare(envelope.name),
      version,
      sequence: base.sequence,
      size: bytes.length,
      digests: { sha256: sha256(bytes), crc32c: crc32c(bytes).toString(16).padStart(8, '0') },
    }
    const attributes = { ...envelope.attributes, ...this.#describe(envelope, bytes), ...evidence, ...incoming.noted }
    this.#objects(receipt.bucket).set(receipt.key, { stat: { ...receipt, time: base.time, attributes }, bytes })
    const { version: _, ...rest } = receipt
    this.records.push({ ...base, ...rest, operation: 'put', attributes } satisfies PutRecord)
    return receipt
  }

  async abandon(uploads: readonly Incoming[], reason?: Error): Promise<void> {
    const open = uploads.filter((incoming) => incoming.close())
    this.aborted.push(...open.map(() => reason))
    if (open.length > 0) await this.reach('abort')
  }

  #base(origin: Origin): Omit<AttributeRecord & { operation: 'bucket' }, 'operation' | 'bucket'> {
    const before = this.records.at(-1)
    return {
      sequence: this.records.length + 1,
      time: Math.max(before?.time ?? 0, this.#now()),
      partition: origin.principal.partition,
      application: origin.principal.application,
      protocol: origin.protocol,
      ...(origin.peer !== undefined && { peer: origin.peer }),
      ...(origin.request !== undefined && { request: origin.request }),
      previous: { partition: before ? sha256(Buffer.from(JSON.stringify(before))) : '', object: '' },
    }
  }

  #objects(bucket: string): Map<string, Stored> {
    const objects = this.#buckets.get(bucket)
    if (!objects) throw new StoreError('ERR_NOT_FOUND', `there is no bucket ${bucket}`)
    return objects
  }

  #stored(origin: Origin, { bucket, key }: ObjectName): Stored {
    permit(origin, 'object:read')
    const stored = this.#objects(bucket).get(key)
    if (!stored) throw new StoreError('ERR_NOT_FOUND', `there is no object ${bucket}/${key}`)
    return stored
  }
}

/** Bytes on their way into a FakeStore. */
class Incoming implements TransactionUpload {
  readonly envelope: Envelope
  readonly #store: FakeStore
  readonly #bytesMax: number
  readonly #chunks: Uint8Array[] = []
  noted: Attributes = {}
  #size = 0
  #open = true

  constructor(store: FakeStore, envelope: Envelope, bytesMax: number) {
    this.#store = store
    this.envelope = envelope
    this.#bytesMax = bytesMax
  }

  get size(): number {
    return this.#size
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (!this.#open) throw new StoreError('ERR_INTERNAL', 'the upload is closed')
    this.#size += chunk.length
    this.#chunks.push(Uint8Array.from(chunk))
    try {
      await this.#store.reach('write')
      if (this.#size > this.#bytesMax) throw tooLarge(this.#bytesMax)
    } catch (error) {
      await this.#store.abandon([this], error as Error)
      throw error
    }
  }

  note({ attributes, quarantine }: Finding): void {
    this.noted = { ...attributes, ...(quarantine !== undefined && { 'quarantine.reason': quarantine }) }
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }

  /** False when it was closed before. */
  close(): boolean {
    const open = this.#open
    this.#open = false
    return open
  }

  verify(): void {
    const { size, sha256: declared, md5, crc32c: sum } = this.envelope.expected
    const bytes = this.bytes()
    if (size !== undefined && size !== bytes.length)
      throw new StoreError('ERR_LENGTH_MISMATCH', `${size} bytes were declared, ${bytes.length} came`)
    const same =
      (declared === undefined || declared === sha256(bytes)) &&
      (md5 === undefined || md5 === createHash('md5').update(bytes).digest('hex')) &&
      (sum === undefined || sum === crc32c(bytes).toString(16).padStart(8, '0'))
    if (!same) throw new StoreError('ERR_DIGEST_MISMATCH', 'the bytes differ from the digest that was declared')
  }
}

class FakeTransaction implements StoreTransaction {
  readonly #store: FakeStore
  readonly #uploads: Incoming[] = []
  readonly #changes: (() => Promise<unknown>)[] = []

  constructor(store: FakeStore) {
    this.#store = store
  }

  async begin(envelope: Envelope): Promise<TransactionUpload> {
    const incoming = await this.#store.admit(envelope)
    this.#uploads.push(incoming)
    return incoming
  }

  async remove(origin: Origin, name: ObjectName): Promise<void> {
    this.#changes.push(() => this.#store.remove(origin, name))
  }

  async rename(origin: Origin, from: ObjectName, to: ObjectName): Promise<void> {
    this.#changes.push(() => this.#store.rename(origin, from, to))
  }

  async annotate(origin: Origin, name: ObjectName, set: Attributes, unset: readonly string[]): Promise<void> {
    this.#changes.push(() => this.#store.annotate(origin, name, set, unset))
  }

  async commit(evidence: Attributes = {}): Promise<readonly Receipt[]> {
    for (const incoming of this.#uploads) incoming.verify()
    await this.#store.reach('commit')
    for (const incoming of this.#uploads) incoming.close()
    for (const change of this.#changes) await change()
    return this.#uploads.map((incoming) => this.#store.put(incoming, evidence))
  }

  async abort(reason?: Error): Promise<void> {
    await this.#store.abandon(this.#uploads, reason)
  }
}

function declaredType({ facts }: Envelope): Attributes {
  const declared = facts.type === 'http' ? facts.headers['content-type'] : undefined
  return declared === undefined ? {} : { 'content.declared-type': declared }
}

function permit(origin: Origin, permission: Permission): void {
  if (origin.principal.permissions.includes(permission)) return
  throw new StoreError('ERR_FORBIDDEN', `${origin.principal.application} lacks ${permission}`)
}

function checkKey(key: string): void {
  const length = Buffer.byteLength(key)
  if (length < 1 || length > keyBytesMax)
    throw new StoreError('ERR_INVALID', `a key has 1 to ${keyBytesMax} bytes, and this one has ${length}`)
}

function tooLarge(bytesMax: number): StoreError {
  return new StoreError('ERR_TOO_LARGE', `an object has at most ${bytesMax} bytes`)
}

type Term = (attributes: Attributes) => boolean

function parseTerm(text: string): Term {
  const [, name, operator, value] = /^([\w.-]+)(:|<=|>=|=|<|>)(.+)$/s.exec(text.trim()) ?? []
  if (!name || !operator || !value) throw new StoreError('ERR_INVALID', `no query term: ${text}`)
  return (attributes) => matchesValue(attributes[name], operator, value)
}

function matchesValue(actual: AttributeValue | undefined, operator: string, value: string): boolean {
  if (actual === undefined) return false
  if (Array.isArray(actual)) return actual.some((element) => matchesValue(element, operator, value))
  const difference = typeof actual === 'number' ? actual - Number(value) : compareKeys(String(actual), value)
  if (operator === ':' && value.endsWith('*')) return String(actual).startsWith(value.slice(0, -1))
  if (operator === ':' || operator === '=') return difference === 0
  if (operator.startsWith('<')) return difference < 0 || (operator === '<=' && difference === 0)
  return difference > 0 || (operator === '>=' && difference === 0)
}

function parseCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new StoreError('ERR_INVALID', 'that cursor is none of ours')
}

function bare({ bucket, key }: ObjectName): ObjectName {
  return { bucket, key }
}

function compareKeys(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

function sequenceId(sequence: number): string {
  return String(sequence).padStart(16, '0')
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
