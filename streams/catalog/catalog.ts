import type { Sequence } from '../../pool/index.ts'
import { parseSubscription, type SubscriptionState } from '../delivery/subscription-state.ts'
import type { ObjectName } from '../envelope.ts'
import type { PartialUpload } from '../partials/partial-port.ts'
import { parsePartial } from '../partials/partial-state.ts'
import type { Usage } from '../policy/usage.ts'
import type { ApplicationRegistration, RouteRegistration } from '../records/record.ts'
import type {
  Explanation,
  FacetOptions,
  Facets,
  IndexProgress,
  Listing,
  ListOptions,
  QueryOptions,
  QueryResult,
} from '../store-port.ts'
import { type BucketSettings, NEW_BUCKET } from '../versions/bucket-settings.ts'
import type { VersionListing, VersionListOptions } from '../versions/version-port.ts'
import { parseEntry } from './catalog-entry.ts'
import { explanationOf } from './catalog-explain.ts'
import { facetsOf } from './catalog-facets.ts'
import { RecentHeads } from './catalog-heads.ts'
import { elementRange, keyIn, lastElement, POSITION_KEY, parentIn, prefixRange, sequenceText } from './catalog-keys.ts'
import {
  type CatalogLevel,
  closeLevel,
  destroyLevel,
  type OpenLevel,
  openLevel,
  rememberDamage,
  type StoredPosition,
  startOf,
  storeErrorOf,
} from './catalog-level.ts'
import { listPage } from './catalog-list.ts'
import { CatalogLookup } from './catalog-lookup.ts'
import type {
  Catalog,
  CatalogPosition,
  DurableRecord,
  HiddenHead,
  ObjectHead,
  ObjectPlace,
  OlderVersion,
} from './catalog-port.ts'
import { type QueryBounds, queryPage } from './catalog-query.ts'
import type { ReadObserver } from './catalog-scan.ts'
import { versionPage } from './catalog-version-list.ts'
import { hiddenUnder, olderVersion, placeOf } from './catalog-versions.ts'
import { CatalogWriter } from './catalog-writer.ts'
import { FACET_COUNTERS_MAX } from './facet-counters.ts'
import { INDEX_ENTRIES_MAX } from './index-maker.ts'
import { BUILDING } from './index-state.ts'
import { MessageIds } from './message-ids.ts'
import { UsageCounters } from './usage-counters.ts'

export interface CatalogOptions {
  /** Holds nothing but the catalog; it is made when it is not there. */
  readonly directory: string
  /** Records queued from which ready() waits. */
  readonly lagMax?: number
  /** Records folded into one batch; the event loop waits about 50 µs for each. */
  readonly batchRecordsMax?: number
  /** Entries that a query looks at for one page. */
  readonly queryScanMax?: number
  /** Keys of indexes that a query reads for one page. */
  readonly queryKeysMax?: number
  /** Entries that a query looks at to sort an answer; for more the index of its order is followed. */
  readonly querySortMax?: number
  /** Keys that a query reads to see how many there are, for one estimate. */
  readonly queryProbeMax?: number
  /** Counters of one attribute's facet; one that has had more is counted by whoever asks. */
  readonly facetCountersMax?: number
  /** Counters of facets kept in memory. */
  readonly facetCountersKeptMax?: number
  /** Entries that a page of the making of the index adds to it, between two batches of records. */
  readonly indexEntriesMax?: number
  /** Milliseconds since 1970: what `now` means in a query. */
  readonly clock?: { now(): number }
  /** Told why the directory was destroyed and made new, at position 0. */
  readonly onDamaged?: (reason: string) => void
  /** Told how far the making of the index is, now and then, and at its end. */
  readonly onIndexed?: (progress: IndexProgress) => void
  readonly onRead?: ReadObserver
}

export const QUERY_PROBE_MAX = 64

const DEFAULTS = {
  lagMax: 8192,
  batchRecordsMax: 256,
  queryScanMax: 10_000,
  queryKeysMax: 200_000,
  querySortMax: 5000,
  queryProbeMax: QUERY_PROBE_MAX,
  facetCountersMax: FACET_COUNTERS_MAX,
  facetCountersKeptMax: 50_000,
  indexEntriesMax: INDEX_ENTRIES_MAX,
  clock: { now: () => Date.now() },
  onDamaged: () => {},
  onIndexed: () => {},
  onRead: () => {},
}

/**
 * Opens the catalog kept in a directory, making it new when its files are damaged.
 * Rejects with ERR_LOCKED while another process has it open.
 */
export async function openCatalog(options: CatalogOptions): Promise<Catalog> {
  const complete = { ...DEFAULTS, ...options }
  const level = await openLevel(complete.directory, complete.onDamaged)
  return new LevelCatalog(complete, level, await UsageCounters.load(level.database))
}

class LevelCatalog implements Catalog {
  readonly #options: Required<CatalogOptions>
  readonly #heads = new RecentHeads()
  readonly #database: CatalogLevel
  readonly #lookup: CatalogLookup
  readonly #usages: UsageCounters
  #damage: Error | undefined
  #messageIds: MessageIds
  #writer: CatalogWriter

  constructor(options: Required<CatalogOptions>, { database, position }: OpenLevel, usages: UsageCounters) {
    this.#options = options
    this.#database = database
    this.#lookup = new CatalogLookup(database, this.#heads)
    this.#usages = usages
    this.#messageIds = new MessageIds(database)
    this.#writer = this.#writerAt(position)
  }

  #writerAt(position: StoredPosition): CatalogWriter {
    const memory = { heads: this.#heads, usages: this.#usages, messageIds: this.#messageIds }
    return new CatalogWriter(this.#database, position, memory, this.#options)
  }

  get position(): CatalogPosition {
    const { pool, epoch, sequence, digest } = this.#writer.position
    return { pool, epoch, sequence, digest }
  }

  get index(): IndexProgress {
    return this.#writer.index
  }

  get failure(): Error | undefined {
    return this.#damage ?? this.#writer.failure
  }

  apply(records: readonly DurableRecord[], epoch: number): void {
    this.#writer.apply(records, epoch)
  }

  ready(): Promise<void> {
    return this.#guard(() => this.#writer.ready())
  }

  settled(sequence: Sequence): Promise<void> {
    return this.#guard(() => this.#writer.settled(sequence))
  }

  makeIndex(): Promise<void> {
    return this.#guard(() => this.#watched(this.#writer.makeIndex()))
  }

  reindex(): Promise<void> {
    return this.#guard(() => this.#watched(this.#writer.reindex()))
  }

  /** Damage that a later page meets is remembered, too, though nobody waits for it. */
  async #watched(making: Promise<void>): Promise<void> {
    await making
    this.indexed().catch(() => undefined) // It shows in `failure`.
  }

  indexed(): Promise<void> {
    return this.#guard(() => this.#writer.indexed())
  }

  /** If power fails on the way, the files left are none, an empty catalog's, or damaged: position 0 in any case. */
  clear(pool: string): Promise<void> {
    return this.#guard(async () => {
      const start = { ...startOf(pool), index: BUILDING }
      await this.#writer.abandon()
      await this.#database.close()
      await destroyLevel(this.#options.directory)
      await this.#database.open()
      await this.#database.put(POSITION_KEY, JSON.stringify(start), { sync: true })
      this.#heads.clear()
      this.#usages.clear()
      this.#messageIds = new MessageIds(this.#database)
      this.#writer = this.#writerAt(start)
    })
  }

  head({ bucket, key }: ObjectName): Promise<ObjectHead | undefined> {
    return this.#guard(async () => {
      const text = await this.#lookup.get(keyIn('c', bucket, key))
      if (text === undefined) return undefined
      const { stat, last, kept, older, stream, application } = parseEntry(text)
      return { stat, last, kept, older, stream, application }
    })
  }

  list(bucket: string, options: ListOptions): Promise<Listing> {
    return this.#guard(() => listPage(this.#database, bucket, options, this.#options.onRead))
  }

  hasBucket(bucket: string): Promise<boolean> {
    return this.#guard(() => this.#database.has(keyIn('b', bucket)))
  }

  buckets(): Promise<readonly string[]> {
    return this.#guard(async () => {
      const keys = await this.#database.keys(prefixRange('b')).all()
      return keys.map(lastElement)
    })
  }

  settings(): Promise<ReadonlyMap<string, BucketSettings>> {
    return this.#guard(async () => {
      const entries = await this.#database.iterator(prefixRange('b')).all()
      return new Map(entries.map(([key, text]) => [lastElement(key), settingsOf(text)]))
    })
  }

  place(object: string): Promise<ObjectPlace | undefined> {
    return this.#guard(() => placeOf(this.#database, object))
  }

  older(object: string, version?: Sequence): Promise<OlderVersion | undefined> {
    return this.#guard(() => olderVersion(this.#database, object, version))
  }

  hidden(name: ObjectName, limit: number): Promise<readonly HiddenHead[]> {
    return this.#guard(() => hiddenUnder(this.#database, name, limit))
  }

  versions(bucket: string, options: VersionListOptions): Promise<VersionListing> {
    return this.#guard(() => versionPage(this.#database, bucket, options, this.#options.onRead))
  }

  applications(): Promise<ReadonlyMap<string, ApplicationRegistration>> {
    return this.#registrations('a')
  }

  routes(): Promise<ReadonlyMap<string, RouteRegistration>> {
    return this.#registrations('e')
  }

  #registrations<Registration>(space: 'a' | 'e'): Promise<ReadonlyMap<string, Registration>> {
    return this.#guard(async () => {
      const entries = await this.#database.iterator(prefixRange(space)).all()
      return new Map(entries.map(([key, text]) => [lastElement(key), JSON.parse(text) as Registration]))
    })
  }

  subscriptions(): Promise<readonly SubscriptionState[]> {
    return this.#guard(async () => (await this.#database.values(prefixRange('u')).all()).map(parseSubscription))
  }

  partials(): Promise<readonly PartialUpload[]> {
    return this.#guard(async () => (await this.#database.values(prefixRange('x')).all()).map(parsePartial))
  }

  streamOf(object: string, after: Sequence = 0, limit = -1): Promise<readonly Sequence[]> {
    return this.#guard(async () => {
      const range = elementRange(parentIn('s', object), sequenceText(after + 1))
      const keys = await this.#database.keys({ ...range, limit }).all()
      return keys.map((key) => Number(lastElement(key)))
    })
  }

  keyRecords(): Promise<readonly Sequence[]> {
    return this.#guard(async () => {
      const keys = await this.#database.keys(prefixRange('k')).all()
      return keys.map((key) => Number(lastElement(key)))
    })
  }

  checkpointOf(sequence?: Sequence): Promise<Sequence | undefined> {
    const isLast = sequence === undefined
    const range = isLast ? prefixRange('t') : { ...prefixRange('t'), gte: keyIn('t', sequenceText(sequence)) }
    return this.#guard(async () => {
      const [found] = await this.#database.values({ ...range, reverse: isLast, limit: 1 }).all()
      return found === undefined ? undefined : Number(found)
    })
  }

  usage(application: string): Usage {
    return this.#usages.of(application)
  }

  lacksMessage(id: string): boolean {
    const { index, overflowing } = this.#writer.position
    return index.phase === 'whole' && overflowing === 0 && this.#messageIds.lack(id)
  }

  query(text: string, options: QueryOptions): Promise<QueryResult> {
    return this.#guard(() => queryPage(this.#database, text, options, this.#bounds))
  }

  explain(text: string, options: QueryOptions): Promise<Explanation> {
    return this.#guard(() => explanationOf(this.#database, text, options, this.#bounds))
  }

  facets(text: string, options: FacetOptions): Promise<Facets> {
    return this.#guard(() => facetsOf(this.#database, text, options, this.#bounds))
  }

  get #bounds(): QueryBounds {
    const { queryScanMax, queryKeysMax, querySortMax, queryProbeMax, onRead: observe, clock } = this.#options
    const maxima = { scanMax: queryScanMax, keysMax: queryKeysMax, sortMax: querySortMax, probeMax: queryProbeMax }
    return { ...maxima, observe, clock }
  }

  async close(): Promise<void> {
    await this.#writer.close()
    await closeLevel(this.#database, this.#options.directory)
  }

  /** Says errors of `level` in the store's words, and remembers damage, so that the next open mends it. */
  async #guard<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation()
    } catch (cause) {
      const error = storeErrorOf(cause)
      if (error.code !== 'ERR_CORRUPT') throw error
      this.#damage = error
      await rememberDamage(this.#options.directory).catch(() => undefined)
      throw error
    }
  }
}

/** As the fold wrote them. */
function settingsOf(text: string): BucketSettings {
  return text === '' ? NEW_BUCKET : (JSON.parse(text) as BucketSettings)
}
