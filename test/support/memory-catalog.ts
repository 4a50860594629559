import assert from 'node:assert/strict'
import type { Sequence } from '../../pool/index.ts'
import { progressed, subscribed } from '../../streams/delivery/subscription-state.ts'
import {
  type ApplicationRegistration,
  type BucketSettings,
  type Catalog,
  type CatalogPosition,
  type DurableRecord,
  type Explanation,
  type Facets,
  type HiddenHead,
  type Listing,
  type ListOptions,
  type ObjectHead,
  type ObjectName,
  type ObjectPlace,
  type ObjectStat,
  type OlderVersion,
  type PartialUpload,
  type QueryOptions,
  type QueryResult,
  type RouteRegistration,
  StoreError,
  type SubscriptionState,
  type Usage,
  type VersionListing,
  type VersionListOptions,
} from '../../streams/index.ts'
import { partialOf } from '../../streams/partials/partial-state.ts'
import { PartialTable } from '../../streams/partials/partial-table.ts'
import { comparePlaces, MemoryObjects, type VersionPlace } from './memory-objects.ts'

export interface MemoryCatalogOptions {
  readonly lagMax?: number
  /** Waited for before each record is folded: how a test makes the catalog slow, or fail. */
  readonly pace?: () => Promise<void>
}

interface State {
  readonly objects: MemoryObjects
  readonly buckets: Map<string, BucketSettings>
  readonly applications: Map<string, ApplicationRegistration>
  readonly routes: Map<string, RouteRegistration>
  readonly subscriptions: Map<string, SubscriptionState>
  readonly partials: PartialTable
  readonly streams: Map<string, Sequence[]>
  readonly keys: Sequence[]
  readonly checkpoints: { readonly last: Sequence; readonly sequence: Sequence }[]
}

interface Waiter {
  readonly due: () => boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const PAGE_MAX = 1000

/** The catalog's contract in the plainest way: a fold into maps, one record after the other, each in a turn of its own. */
export class MemoryCatalog implements Catalog {
  readonly failure = undefined
  /** Times that clear() was called, and records folded since the last. */
  clears = 0
  folded = 0
  position: CatalogPosition = { pool: '', epoch: 0, sequence: 0, digest: '' }
  readonly index = { phase: 'whole', built: 0, objects: 0 } as const
  readonly #options: Required<MemoryCatalogOptions>
  #state = emptyState()
  #queue: { durable: DurableRecord; epoch: number }[] = []
  #waiters: Waiter[] = []
  #queuedSequence: Sequence = 0
  #folding = false
  #failure: unknown

  constructor(options: MemoryCatalogOptions = {}) {
    this.#options = { lagMax: 8192, pace: async () => {}, ...options }
  }

  apply(records: readonly DurableRecord[], epoch: number): void {
    for (const durable of records) {
      assert(durable.record.sequence > this.#queuedSequence, 'records come in sequence order')
      this.#queuedSequence = durable.record.sequence
      this.#queue.push({ durable, epoch })
    }
    if (!this.#folding) void this.#foldAll()
  }

  async #foldAll(): Promise<void> {
    this.#folding = true
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        await this.#options.pace()
        const { durable, epoch } = next
        fold(this.#state, durable)
        this.position = { ...this.position, epoch, sequence: durable.record.sequence, digest: durable.digest }
        this.folded += 1
        this.#wake()
      }
    } catch (error) {
      this.#failure = error
      for (const { reject } of this.#waiters.splice(0)) reject(error)
    }
    this.#folding = false
  }

  ready(): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure)
    return this.#wait(() => this.#queue.length < this.#options.lagMax)
  }

  settled(sequence: Sequence): Promise<void> {
    return this.#wait(() => this.position.sequence >= sequence)
  }

  #wait(due: () => boolean): Promise<void> {
    if (due()) return Promise.resolve()
    if (this.#failure) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => this.#waiters.push({ due, resolve, reject }))
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) {
      if (waiter.due()) waiter.resolve()
      else this.#waiters.push(waiter)
    }
  }

  /** There is none, and nothing to make. */
  async makeIndex(): Promise<void> {}
  async reindex(): Promise<void> {}
  async indexed(): Promise<void> {}

  async clear(pool: string): Promise<void> {
    this.clears += 1
    this.folded = 0
    this.#queuedSequence = 0
    this.#state = emptyState()
    this.position = { pool, epoch: 0, sequence: 0, digest: '' }
  }

  async head({ bucket, key }: ObjectName): Promise<ObjectHead | undefined> {
    return this.#state.objects.head({ bucket, key })
  }

  async list(bucket: string, options: ListOptions): Promise<Listing> {
    const { prefix = '', after, delimiter, limit = 100 } = options
    if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX) throw new StoreError('ERR_INVALID', 'no such limit')
    const entries = new Map<string, ObjectStat | undefined>()
    for (const stat of this.#stats()) {
      if (stat.bucket !== bucket || !stat.key.startsWith(prefix)) continue
      const end = delimiter ? stat.key.indexOf(delimiter, prefix.length) : -1
      const entry = end < 0 || !delimiter ? stat.key : stat.key.slice(0, end + delimiter.length)
      entries.set(entry, entry === stat.key ? stat : undefined)
    }
    const sorted = [...entries].filter(([entry]) => after === undefined || compare(entry, after) > 0)
    sorted.sort(([one], [other]) => compare(one, other))
    const page = sorted.slice(0, limit)
    return {
      objects: page.flatMap(([, stat]) => stat ?? []),
      prefixes: page.flatMap(([entry, stat]) => (stat ? [] : entry)),
      ...(sorted.length > limit && { next: page.at(-1)![0] }),
    }
  }

  async hasBucket(bucket: string): Promise<boolean> {
    return this.#state.buckets.has(bucket)
  }

  async buckets(): Promise<readonly string[]> {
    return [...this.#state.buckets.keys()].sort()
  }

  async settings(): Promise<ReadonlyMap<string, BucketSettings>> {
    return new Map(this.#state.buckets)
  }

  async place(object: string): Promise<ObjectPlace | undefined> {
    return this.#state.objects.place(object)
  }

  async older(object: string, version?: Sequence): Promise<OlderVersion | undefined> {
    return this.#state.objects.older(object, version)
  }

  async hidden(name: ObjectName, limit: number): Promise<readonly HiddenHead[]> {
    return this.#state.objects.hidden(name).slice(0, limit)
  }

  async versions(bucket: string, options: VersionListOptions): Promise<VersionListing> {
    const { prefix = '', cursor, limit = 100 } = options
    const all = this.#state.objects.versions(bucket).filter(({ row }) => row.key.startsWith(prefix))
    const after = cursor === undefined ? undefined : parsePlace(cursor)
    const left = all.filter(({ place }) => after === undefined || comparePlaces(place, after) > 0)
    const page = left.slice(0, limit)
    const next =
      left.length > limit ? { next: Buffer.from(JSON.stringify(page.at(-1)!.place)).toString('base64url') } : {}
    return { versions: page.map(({ row }) => row), ...next }
  }

  async applications(): Promise<ReadonlyMap<string, ApplicationRegistration>> {
    return new Map(this.#state.applications)
  }

  async routes(): Promise<ReadonlyMap<string, RouteRegistration>> {
    return new Map(this.#state.routes)
  }

  async subscriptions(): Promise<readonly SubscriptionState[]> {
    return [...this.#state.subscriptions.values()]
  }

  async partials(): Promise<readonly PartialUpload[]> {
    return this.#state.partials.all()
  }

  async streamOf(object: string, after: Sequence = 0, limit?: number): Promise<readonly Sequence[]> {
    const sequences = this.#state.streams.get(object) ?? []
    return sequences.filter((sequence) => sequence > after).slice(0, limit)
  }

  async keyRecords(): Promise<readonly Sequence[]> {
    return [...this.#state.keys]
  }

  async checkpointOf(sequence?: Sequence): Promise<Sequence | undefined> {
    const { checkpoints } = this.#state
    const found = sequence === undefined ? checkpoints.at(-1) : checkpoints.find(({ last }) => last >= sequence)
    return found?.sequence
  }

  usage(application: string): Usage {
    return this.#state.objects.usage(application)
  }

  /** `name:value` terms joined by AND, of attributes; no more of the language. */
  lacksMessage(): boolean {
    return false
  }

  async query(text: string, { limit = 100, cursor }: QueryOptions): Promise<QueryResult> {
    const terms = text.split(' AND ').map((term) => /^([\w.-]+):(.+)$/.exec(term))
    if (terms.some((term) => !term)) throw new StoreError('ERR_INVALID', 'column 1: that is no query')
    const matches = ({ attributes }: ObjectStat) => terms.every((term) => String(attributes[term![1]!]) === term![2])
    const found = this.#stats().filter(matches)
    const start = Number(cursor ?? 0)
    const end = start + limit
    return {
      sequence: this.position.sequence,
      objects: found.slice(start, end),
      cursor: end < found.length ? `${end}` : null,
      limited: false,
    }
  }

  async facets(): Promise<Facets> {
    return { sequence: this.position.sequence, facets: [] }
  }

  async explain(query: string): Promise<Explanation> {
    const { sequence } = this.position
    const objects = this.#stats().length
    const plan = { order: 'none', sorting: 'none', entries: objects, isScan: true, legs: [], others: [] } as const
    return { query, sequence, objects, index: this.index, ...plan, entriesMax: objects }
  }

  async close(): Promise<void> {
    this.#failure ??= new StoreError('ERR_HALTED', 'the catalog is closed')
  }

  #stats(): readonly ObjectStat[] {
    return this.#state.objects.heads().map(({ stat }) => stat)
  }
}

function emptyState(): State {
  const registries = { applications: new Map(), routes: new Map(), subscriptions: new Map() }
  const maps = { buckets: new Map(), ...registries, streams: new Map() }
  return { objects: new MemoryObjects(), ...maps, partials: new PartialTable(), keys: [], checkpoints: [] }
}

function fold(state: State, { record, digest }: DurableRecord): void {
  if (record.operation === 'bucket') state.buckets.set(record.bucket, record.settings ?? { versioning: 'off' })
  else if (record.operation === 'application') {
    if (record.registration) state.applications.set(record.id, record.registration)
    else state.applications.delete(record.id)
  } else if (record.operation === 'route') {
    if (record.registration) state.routes.set(record.id, record.registration)
    else state.routes.delete(record.id)
  } else if (record.operation === 'subscription') {
    const subscription = subscribed(record, state.subscriptions.get(record.id))
    if (subscription) state.subscriptions.set(record.id, subscription)
    else state.subscriptions.delete(record.id)
  } else if (record.operation === 'delivery') {
    const subscription = state.subscriptions.get(record.id)
    if (subscription) state.subscriptions.set(record.id, progressed(subscription, record))
  } else if (record.operation === 'prepare') state.partials.set(record, partialOf(record))
  else if (record.operation === 'abandon') state.partials.set({ ...record, application: record.owner }, undefined)
  else if (record.operation === 'key') state.keys.push(record.sequence)
  else if (record.operation === 'checkpoint')
    state.checkpoints.push({ last: record.covers.last, sequence: record.sequence })
  else {
    const { object, sequence } = record
    if (record.operation === 'put' && record.prepared !== undefined) state.partials.set(record, undefined)
    state.streams.set(object, [...(state.streams.get(object) ?? []), sequence])
    state.objects.fold(record, digest)
  }
}

function compare(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

function parsePlace(text: string): VersionPlace {
  const json = Buffer.from(text, 'base64url').toString()
  if (json.startsWith('[')) return JSON.parse(json) as VersionPlace
  throw new StoreError('ERR_INVALID', 'no such cursor')
}
