import type { PayloadRange, Pool, Transaction } from '../pool/index.ts'
import type { Append, AppendOutcome } from './appending/appending.ts'
import type { CreateOutcome, StreamRequest } from './appending/stream-creation.ts'
import type { StreamHead } from './appending/stream-port.ts'
import type { StreamWriter } from './appending/stream-writer.ts'
import type { AttributeChange } from './attributes.ts'
import type { Catalog, DurableRecord } from './catalog/catalog-port.ts'
import * as changes from './changes.ts'
import { type CustodyOptions, type OpenCustody, openCustody } from './custody/custody.ts'
import {
  type DeliveryProgress,
  type NewSubscription,
  noteDelivery,
  subscribe,
} from './delivery/subscription-changes.ts'
import { type SubscriptionState, subscribed } from './delivery/subscription-state.ts'
import { type Attributes, bytesToCome, type Envelope, type ObjectName, type Origin } from './envelope.ts'
import { StoreError } from './errors.ts'
import type { IntegrityVerdict } from './integrity.ts'
import type { OpenStore, StoreStatus } from './open-store.ts'
import type { Housekeeping } from './partials/partial-housekeeping.ts'
import { PartialStore } from './partials/partial-store.ts'
import type { Unprepared } from './partials/unprepared.ts'
import { permit } from './permission.ts'
import type { Usage } from './policy/usage.ts'
import { Judging } from './quarantine/judging.ts'
import type { Verdict } from './quarantine/verdict.ts'
import type { ApplicationRegistration, AttributeRecord, Producer, RouteRegistration } from './records/record.ts'
import { inStoreWords, toStoreError } from './store-errors.ts'
import type {
  Explanation,
  FacetOptions,
  Facets,
  IndexProgress,
  Listing,
  ListOptions,
  ObjectStat,
  QueryOptions,
  QueryResult,
  Reading,
  StoreTransaction,
  Upload,
} from './store-port.ts'
import type { StoreReader } from './store-reader.ts'
import { SequencedTransaction, SoleUpload, type TransactionParts } from './store-transaction.ts'
import type { RecentRecords } from './tail/recent-records.ts'
import type { TailOptions } from './tail/tail.ts'
import type { TailPage } from './tail/tail-page.ts'
import { Expiry } from './versions/expiry.ts'
import type { VersionReader } from './versions/version-reader.ts'
import { VersionStore } from './versions/version-store.ts'

/** What the store of a partition is made of. */
export interface StoreParts extends TransactionParts {
  readonly pool: Pool
  readonly catalog: Catalog
  readonly reader: StoreReader
  readonly recent: RecentRecords
  readonly versionReader: VersionReader
  readonly clock: { now(): number }
  readonly writer: StreamWriter
  readonly renameObjectsMax: number
  readonly expiryLookMax: number
  readonly housekeeping: Housekeeping
  readonly prepareBytes: number
  readonly unprepared: Unprepared
}

/** The store of a partition: who may do it and whether it can be is checked here, and the work is in the parts. */
export class PartitionStore implements OpenStore {
  readonly versions: VersionStore
  readonly partials: PartialStore
  readonly #parts: StoreParts
  readonly #judging: Judging
  readonly #expiry: Expiry
  #isOpen = true

  constructor(parts: StoreParts) {
    this.#parts = parts
    const { versionReader, clock } = parts
    const commit = (change: changes.Change) => this.#commit(change)
    const commitAll = (all: readonly changes.Change[]) => this.#commitAll(all)
    this.versions = new VersionStore({ reader: versionReader, clock, commit })
    this.#judging = new Judging({ versions: this.versions, clock, changesMax: parts.changesMax, commit: commitAll })
    const beginTransaction = () => this.#beginTransaction()
    this.partials = new PartialStore({
      ...parts,
      partials: parts.sequencer.partials,
      beginTransaction,
      commit,
      stepBytes: parts.prepareBytes,
    })
    const { catalog, expiryLookMax: lookMax } = parts
    this.#expiry = new Expiry({ catalog, clock, commit, lookMax, settled: () => versionReader.settled() })
  }

  async begin(envelope: Envelope): Promise<Upload> {
    const transaction = this.transaction()
    return new SoleUpload(transaction, await transaction.begin(envelope))
  }

  admits(envelope: Envelope): Promise<void> {
    return inStoreWords(async () => {
      const { admission, refuseLocked, quotas, housekeeping } = this.#parts
      admission.ask(envelope)
      await refuseLocked(envelope)
      const allowance = await quotas.allowUpload(envelope)
      const transaction = this.#beginTransaction()
      try {
        await housekeeping.roomFor(envelope.origin, transaction, bytesToCome(envelope))
      } finally {
        if (allowance) await quotas.release(allowance)
        await transaction.abort()
      }
    })
  }

  transaction(): StoreTransaction {
    return new SequencedTransaction(this.#parts, this.#beginTransaction())
  }

  async available(origin: Origin): Promise<number> {
    permit(origin, 'object:write')
    const { pool, quotas, reader } = this.#parts
    await inStoreWords(() => reader.settled())
    const { freeBytes, promisedBytes } = pool.status()
    return Math.min(Math.max(0, freeBytes - promisedBytes - pool.limits.reserveBytes), quotas.left(origin))
  }

  read(origin: Origin, name: ObjectName, range?: PayloadRange): Promise<Reading> {
    return this.#parts.reader.read(origin, name, range)
  }

  stat(origin: Origin, name: ObjectName): Promise<ObjectStat> {
    return this.#parts.reader.stat(origin, name)
  }

  list(origin: Origin, bucket: string, options: ListOptions = {}): Promise<Listing> {
    return this.#parts.reader.list(origin, bucket, options)
  }

  buckets(origin: Origin): Promise<readonly string[]> {
    return this.#parts.reader.buckets(origin)
  }

  stream(origin: Origin, name: ObjectName): Promise<readonly AttributeRecord[]> {
    return this.#parts.reader.stream(origin, name)
  }

  tail(origin: Origin, options: TailOptions): AsyncGenerator<TailPage> {
    return this.#parts.reader.tail(origin, options)
  }

  streamHead(origin: Origin, name: ObjectName): Promise<StreamHead> {
    return this.#parts.reader.streamHead(origin, name)
  }

  async createStream(origin: Origin, name: ObjectName, request: StreamRequest): Promise<CreateOutcome> {
    return this.#parts.writer.create(this.#beginTransaction(), origin, name, request)
  }

  async append(origin: Origin, name: ObjectName, content: Append): Promise<AppendOutcome> {
    return this.#parts.writer.append(this.#beginTransaction(), origin, name, content)
  }

  async appendChanges(
    origin: Origin,
    name: ObjectName,
    attributeChanges: readonly AttributeChange[],
    producer?: Producer,
  ): Promise<AppendOutcome> {
    return this.#parts.writer.appendChanges(this.#beginTransaction(), origin, name, attributeChanges, producer)
  }

  query(origin: Origin, text: string, options: QueryOptions = {}): Promise<QueryResult> {
    return this.#parts.reader.query(origin, text, options)
  }

  explain(origin: Origin, text: string, options: QueryOptions = {}): Promise<Explanation> {
    return this.#parts.reader.explain(origin, text, options)
  }

  facets(origin: Origin, text: string, options: FacetOptions): Promise<Facets> {
    return this.#parts.reader.facets(origin, text, options)
  }

  index(origin: Origin): IndexProgress {
    permit(origin, 'pool:inspect')
    return this.#parts.catalog.index
  }

  reindex(origin: Origin): Promise<IndexProgress> {
    return inStoreWords(async () => {
      permit(origin, 'pool:manage')
      await this.#parts.catalog.reindex()
      return this.#parts.catalog.index
    })
  }

  usage(application: string): Promise<Usage> {
    return inStoreWords(async () => {
      await this.#parts.reader.settled()
      const { catalog, sequencer } = this.#parts
      const { bytes, objects } = catalog.usage(application)
      return { bytes: bytes + sequencer.partials.bytesOf(application), objects }
    })
  }

  applications(): Promise<ReadonlyMap<string, ApplicationRegistration>> {
    return this.#parts.reader.applications()
  }

  routes(): Promise<ReadonlyMap<string, RouteRegistration>> {
    return this.#parts.reader.routes()
  }

  async remove(origin: Origin, name: ObjectName): Promise<boolean> {
    return (await this.#commit(changes.remove(origin, name))).length > 0
  }

  async rename(origin: Origin, from: ObjectName, to: ObjectName): Promise<void> {
    await this.#commit(changes.rename(origin, from, to))
  }

  async renamePrefix(origin: Origin, from: ObjectName, to: ObjectName): Promise<number> {
    permit(origin, 'object:write')
    if (from.bucket === to.bucket && (from.key.startsWith(to.key) || to.key.startsWith(from.key)))
      throw new StoreError('ERR_INVALID', 'of two prefixes, one must not lie within the other')
    const keys = await this.#parts.reader.keysUnder(from, this.#parts.renameObjectsMax)
    const moves = keys.map((key) => ({
      from: { bucket: from.bucket, key },
      to: { bucket: to.bucket, key: to.key + key.slice(from.key.length) },
    }))
    const records = await this.#commit(changes.renameAll(origin, to.bucket, moves))
    return records.filter(({ record }) => record.operation === 'rename').length
  }

  async annotate(origin: Origin, name: ObjectName, set: Attributes, unset: readonly string[] = []): Promise<void> {
    await this.#commit(changes.annotate(origin, name, set, unset))
  }

  judge(verdicts: readonly Verdict[]): Promise<void> {
    return inStoreWords(() => this.#judging.judge(verdicts))
  }

  async createBucket(origin: Origin, bucket: string): Promise<boolean> {
    return (await this.#commit(changes.createBucket(origin, bucket))).length > 0
  }

  async register(origin: Origin, id: string, registration: ApplicationRegistration | null): Promise<void> {
    await this.#commit(changes.register(origin, id, registration))
  }

  async route(origin: Origin, id: string, registration: RouteRegistration | null): Promise<void> {
    await this.#commit(changes.route(origin, id, registration))
  }

  subscriptions(): Promise<readonly SubscriptionState[]> {
    return this.#parts.reader.subscriptions()
  }

  async subscribe(origin: Origin, id: string, asked: NewSubscription | null): Promise<SubscriptionState | undefined> {
    const [durable] = await this.#commit(subscribe(origin, id, asked))
    return durable?.record.operation === 'subscription' ? subscribed(durable.record) : undefined
  }

  async noteDelivery(origin: Origin, progress: DeliveryProgress): Promise<void> {
    await this.#commit(noteDelivery(origin, progress))
  }

  noteIntegrity(origin: Origin, verdict: IntegrityVerdict): Promise<boolean> {
    return this.versions.noteIntegrity(origin, verdict)
  }

  custody(options: CustodyOptions): Promise<OpenCustody> {
    return openCustody(this.#parts, options)
  }

  expire(origin: Origin): Promise<boolean> {
    return inStoreWords(() => this.#expiry.round(origin))
  }

  expirePartials(origin: Origin, keepMs: number): Promise<boolean> {
    return inStoreWords(() => this.#parts.housekeeping.expire(origin, keepMs))
  }

  get status(): StoreStatus {
    const { catalog, admission, sequencer } = this.#parts
    return {
      sequence: sequencer.applied,
      catalogSequence: catalog.position.sequence,
      catalogFailure: catalog.failure?.message,
      index: catalog.index,
      uploadsOpen: admission.open,
      buckets: sequencer.buckets.size,
      expired: this.#expiry.expired,
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#parts.recent.close()
    this.#parts.unprepared.close()
    await this.#parts.underway.idle()
  }

  #commit(change: changes.Change): Promise<readonly DurableRecord[]> {
    return this.#commitAll([change])
  }

  #commitAll(all: readonly changes.Change[]): Promise<readonly DurableRecord[]> {
    const { sequencer, underway } = this.#parts
    return inStoreWords(() => underway.during(() => sequencer.commit(this.#beginTransaction(), all)))
  }

  #beginTransaction(): Transaction {
    if (!this.#isOpen) throw new StoreError('ERR_HALTED', 'the store is closed')
    try {
      return this.#parts.pool.begin()
    } catch (error) {
      throw toStoreError(error)
    }
  }
}
