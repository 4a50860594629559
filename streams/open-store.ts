import type { Pool } from '../pool/index.ts'
import { Admission } from './admission.ts'
import { StreamWriter } from './appending/stream-writer.ts'
import type { Catalog } from './catalog/catalog-port.ts'
import { type CatchUpProgress, catchUp } from './catalog/catch-up.ts'
import type { Change } from './changes.ts'
import type { CustodyOptions, OpenCustody } from './custody/custody.ts'
import type { Timers } from './delivery/pauses.ts'
import type { DeliveryProgress, NewSubscription } from './delivery/subscription-changes.ts'
import type { SubscriptionState } from './delivery/subscription-state.ts'
import { digest } from './digest.ts'
import type { Envelope, Origin } from './envelope.ts'
import type { IntegrityVerdict } from './integrity.ts'
import { limiter } from './limiter.ts'
import { Housekeeping } from './partials/partial-housekeeping.ts'
import type { Partials } from './partials/partial-port.ts'
import { Unprepared } from './partials/unprepared.ts'
import { objectBytesMaxOf } from './policy/checks.ts'
import { Quotas } from './policy/quotas.ts'
import { recognition } from './recognition.ts'
import type { Scanning } from './scanning/scanning.ts'
import { Sequencer } from './sequencer.ts'
import type { Stage } from './stage.ts'
import { PartitionStore } from './store.ts'
import { inStoreWords } from './store-errors.ts'
import type { IndexProgress, Store } from './store-port.ts'
import { StoreReader } from './store-reader.ts'
import { RecentRecords } from './tail/recent-records.ts'
import { Underway } from './underway.ts'
import { earlyLock } from './versions/early-lock.ts'
import type { Expired } from './versions/expiry.ts'
import type { Versions } from './versions/version-port.ts'
import { VersionReader } from './versions/version-reader.ts'

export interface StoreLimits {
  readonly objectBytesMax: number
  /** Uploads open at once; beyond it ERR_BUSY. */
  readonly uploadsMax: number
  /** Uploads and changes of one transaction. */
  readonly changesMax: number
  /** Objects of one prefix rename; the pool's bound on a transaction's bytes may come first. */
  readonly renameObjectsMax: number
  readonly bucketsMax: number
  /** Records of an object's stream that are read at once. */
  readonly streamRecordsMax: number
  /** Versions that one round of the expiry looks at. */
  readonly expiryLookMax: number
  /** Records kept in memory for all who follow the stream, and their bytes. */
  readonly recentRecordsMax: number
  readonly recentBytesMax: number
  /** Partial uploads of one application, and their bytes; beyond it the oldest go. */
  readonly partialsMax: number
  readonly partialBytesMax: number
  /** An upload that can be resumed is made durable whenever so many bytes have come; twice as many are lost at the most. */
  readonly prepareBytes: number
  /** And whenever something of it has waited for that so long, in milliseconds; a trickle after several such waits. */
  readonly prepareMsMax: number
}

export const STORE_LIMITS: StoreLimits = {
  objectBytesMax: 2 ** 40,
  uploadsMax: 1024,
  changesMax: 1000,
  renameObjectsMax: 10_000,
  bucketsMax: 10_000,
  streamRecordsMax: 10_000,
  expiryLookMax: 1000,
  recentRecordsMax: 8192,
  recentBytesMax: 8 << 20,
  partialsMax: 1000,
  partialBytesMax: 2 ** 36,
  prepareBytes: 4 << 20,
  prepareMsMax: 1000,
}

/** What is derived from an upload stays in memory up to this, and up to so small a share of a transaction. */
const HELD_BYTES_MAX = 1 << 20
const HELD_SHARE = 4

export interface StoreOptions {
  readonly pool: Pool
  readonly catalog: Catalog
  readonly partition: string
  /** The filters of an upload; limiter and digest come before them of themselves. */
  readonly stages: (envelope: Envelope) => readonly Stage[]
  /** Milliseconds since 1970. */
  readonly clock: { now(): number }
  /** Without them an upload is prepared by its bytes alone, and not by time. */
  readonly timers?: Timers
  readonly limits?: Partial<StoreLimits>
  /** Judges what is uploaded; without it nobody does. Its owner closes it. */
  readonly scanning?: Pick<Scanning, 'begin'>
  /**
   * Called now and then while the catalog is brought up to the pool, and once at its end if there was something to do.
   */
  readonly onProgress?: (progress: CatchUpProgress) => void
}

const NO_TIMERS: Timers = { after: () => () => {} }

export interface StoreStatus {
  /** The last durable record of the store. */
  readonly sequence: number
  /** The last record folded into the catalog. */
  readonly catalogSequence: number
  /** Why the catalog shows nothing more; undefined while all is well. */
  readonly catalogFailure: string | undefined
  /** How much of the catalog's index there is: until it is whole, queries look at the objects one by one. */
  readonly index: IndexProgress
  readonly uploadsOpen: number
  readonly buckets: number
  /** What was removed because it had expired, since the store was opened. */
  readonly expired: Expired
}

export interface OpenStore extends Store {
  readonly versions: Versions
  readonly partials: Partials
  readonly status: StoreStatus
  /**
   * Puts a verdict on the bytes of a version, current or older, in the attribute stream of its object. False when the
   * version is gone, or says so already.
   */
  noteIntegrity(origin: Origin, verdict: IntegrityVerdict): Promise<boolean>
  /** As they are noted; deliveries since then are their deliverer's to know. */
  subscriptions(): Promise<readonly SubscriptionState[]>
  /** Makes a subscription or, with null, ends one; durable when it resolves, with the place that it begins after. */
  subscribe(origin: Origin, id: string, asked: NewSubscription | null): Promise<SubscriptionState | undefined>
  noteDelivery(origin: Origin, progress: DeliveryProgress): Promise<void>
  /** Begins to sign what is stored. Whoever opens it closes it before the store. */
  custody(options: CustodyOptions): Promise<OpenCustody>
  /** Removes what has expired, of a bounded number of versions; true when there are more to look at. */
  expire(origin: Origin): Promise<boolean>
  /** Lets partial uploads go that nobody went on with for `keepMs`, a bounded number; true when there are more. */
  expirePartials(origin: Origin, keepMs: number): Promise<boolean>
  /** Refuses what comes, and resolves when commits underway are done. Pool and catalog are their owner's to close. */
  close(): Promise<void>
}

const UNSCANNED: Pick<Scanning, 'begin'> = { begin: () => async () => ({}) }

/**
 * Opens the store of a partition: brings the catalog up to the pool first, or makes it anew when it is not of this
 * pool. What is missing of the catalog's index is made while the store is open.
 */
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  return inStoreWords(async () => {
    const { pool, catalog, timers = NO_TIMERS, onProgress = () => {} } = options
    const limits = { ...STORE_LIMITS, ...options.limits }
    const { bucketsMax, objectBytesMax, uploadsMax, changesMax, renameObjectsMax, streamRecordsMax } = limits
    const tail = await catchUp(pool, catalog, onProgress)
    await catalog.makeIndex()
    const recent = new RecentRecords(limits, tail.sequence)
    const ground = { buckets: await catalog.settings(), partials: await catalog.partials() }
    const sequencer = new Sequencer({ ...options, bucketsMax, recent }, tail, ground)
    const { partials } = sequencer
    const stages = (envelope: Envelope) => [
      limiter(objectBytesMaxOf(envelope.origin, objectBytesMax)),
      digest,
      ...options.stages(envelope),
    ]
    const settled = () => sequencer.settled(pool.position.sequence)
    const recognise = recognition({ catalog, settled, clock: options.clock })
    const admission = new Admission({ stages, uploadsMax, buckets: sequencer.buckets, recognise })
    const reader = new StoreReader({ pool, catalog, sequencer, recent, streamRecordsMax })
    const versionReader = new VersionReader(pool, catalog, settled, streamRecordsMax)
    const refuseLocked = earlyLock({ catalog, buckets: sequencer.buckets, clock: options.clock, settled })
    const quotas = new Quotas({ catalog, buckets: sequencer.buckets, partials, settled })
    const underway = new Underway()
    const writer = new StreamWriter({ catalog, sequencer, underway, quotas })
    const commit = (change: Change) => underway.during(() => sequencer.commit(pool.begin(), [change]))
    const housekeeping = new Housekeeping({ pool, partials, limits, clock: options.clock, commit })
    const { scanning = UNSCANNED } = options
    const unprepared = new Unprepared({ timers, clock: options.clock, prepareMsMax: limits.prepareMsMax })
    const room = { housekeeping, unprepared, prepareBytes: limits.prepareBytes, quotas, scanning }
    const parts = { admission, sequencer, reader, versionReader, recent, writer, underway, refuseLocked, ...room }
    return new PartitionStore({
      pool,
      catalog,
      clock: options.clock,
      ...parts,
      changesMax,
      heldBytesMax: Math.min(HELD_BYTES_MAX, pool.limits.transactionBytesMax / HELD_SHARE),
      renameObjectsMax,
      expiryLookMax: limits.expiryLookMax,
    })
  })
}
