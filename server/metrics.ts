import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { PoolStatus, StoreStatus } from '../streams/index.ts'
import { addDeliveryMetrics, type DeliveriesMeasured } from './delivery-metrics.ts'
import { addFlushHistogram } from './flush-histogram.ts'

/** What the figures are of. */
export interface Measured {
  readonly pool: { status(): PoolStatus }
  readonly store: { readonly status: StoreStatus }
  readonly scrubbing: Scrubbed
  readonly subscriptions: DeliveriesMeasured
}

export interface Scrubbed {
  readonly totals: { readonly bytes: number; readonly repaired: number; readonly damaged: number }
  readonly finishedSeconds: number
}

type Figure = (pool: PoolStatus, store: StoreStatus, scrubbing: Scrubbed) => number

/** Figures that go up and down. */
const gauges: ReadonlyArray<readonly [name: string, help: string, figure: Figure]> = [
  ['cenote_pool_open', '1 while the pool takes commits, 0 once it halted.', ({ state }) => Number(state === 'open')],
  ['cenote_pool_members', 'Members of the pool.', ({ members }) => members.length],
  [
    'cenote_pool_members_in_sync',
    'Members that hold everything.',
    ({ members }) => members.filter(({ state }) => state === 'in-sync').length,
  ],
  [
    'cenote_pool_members_stalled',
    'Members that have not answered for too long.',
    ({ members }) => members.filter(({ figures }) => figures?.isStalled).length,
  ],
  ['cenote_pool_bytes', 'Size of the pool.', ({ bytes }) => bytes],
  ['cenote_pool_free_bytes', 'Space that is free.', ({ freeBytes }) => freeBytes],
  ['cenote_pool_history_bytes', 'Space that the journal of records holds.', ({ historyBytes }) => historyBytes],
  ['cenote_pool_extent_bytes', 'Space that payloads hold outside the journal.', ({ extentBytes }) => extentBytes],
  [
    'cenote_pool_staged_bytes',
    'Space of uploads underway, and of what was deleted since the last checkpoint.',
    ({ stagedBytes }) => stagedBytes,
  ],
  [
    'cenote_pool_promised_bytes',
    'Of the space that is free, what uploads underway were promised.',
    ({ promisedBytes }) => promisedBytes,
  ],
  [
    'cenote_pool_retired_bytes',
    'Space to which a write has failed since the start, and that is out of use.',
    ({ retiredBytes }) => retiredBytes,
  ],
  ['cenote_pool_segments', 'Segments of the journal.', ({ segments }) => segments],
  ['cenote_pool_sequence', 'The last durable record.', ({ position }) => position.sequence],
  ['cenote_catalog_sequence', 'The last record that the catalog shows.', (_, { catalogSequence }) => catalogSequence],
  ['cenote_objects', 'Current objects.', (_, { index }) => index.objects],
  [
    'cenote_index_objects',
    'Current objects that the index has: fewer than there are while it is made anew.',
    (_, { index }) => index.built,
  ],
  ['cenote_uploads_open', 'Uploads underway, through all doors.', (_, { uploadsOpen }) => uploadsOpen],
  ['cenote_buckets', 'Buckets.', (_, { buckets }) => buckets],
  [
    'cenote_scrub_finished_timestamp_seconds',
    'When the last scrub finished, in seconds since 1970; 0 for never.',
    (_pool, _store, { finishedSeconds }) => finishedSeconds,
  ],
]

/** Figures that only go up, from the start of the process. */
const counters: ReadonlyArray<readonly [name: string, help: string, figure: Figure]> = [
  ['cenote_pool_commits_total', 'Transactions committed.', ({ commits }) => commits],
  ['cenote_pool_batches_total', 'Batches written, each a group of commits.', ({ batches }) => batches],
  ['cenote_pool_flushes_total', 'Flushes of the device.', ({ flushes }) => flushes],
  ['cenote_expired_objects_total', 'Objects removed because they had expired.', (_, { expired }) => expired.objects],
  ['cenote_expired_versions_total', 'Versions removed because they had expired.', (_, { expired }) => expired.versions],
  [
    'cenote_expired_markers_total',
    'Delete markers removed because they hid nothing any more.',
    (_, { expired }) => expired.markers,
  ],
  ['cenote_pool_mended_total', 'Copies that were found wrong and written anew.', ({ mended }) => mended],
  ['cenote_pool_checkpoints_total', 'Checkpoints written.', ({ checkpoints }) => checkpoints],
  [
    'cenote_scrub_bytes_total',
    'Bytes that scrubs have verified, all copies counted.',
    (_pool, _store, { totals }) => totals.bytes,
  ],
  ['cenote_scrub_repaired_total', 'Copies that scrubs have repaired.', (_pool, _store, { totals }) => totals.repaired],
  [
    'cenote_scrub_damaged_total',
    'Copies that scrubs found damaged and could not repair.',
    (_pool, _store, { totals }) => totals.damaged,
  ],
]

/** What the pool is, in labels. */
function addPoolInfo(registry: Registry, pool: Measured['pool']): void {
  const gauge: Gauge = new Gauge({
    name: 'cenote_pool_info',
    help: 'What the pool was configured for, and how it is; always 1.',
    labelNames: ['atomicity', 'layout', 'health'],
    registers: [registry],
    collect() {
      const { atomicity, layout, health } = pool.status()
      gauge.reset()
      gauge.set({ atomicity, layout, health }, 1)
    },
  })
}

/** The registry behind /metrics: figures of pool and store, read when asked, and those of the process. */
export function createMetrics({ pool, store, scrubbing, subscriptions }: Measured): Registry {
  const registry = new Registry()
  for (const [name, help, figure] of gauges) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => gauge.set(figure(pool.status(), store.status, scrubbing)),
    })
  }
  for (const [name, help, figure] of counters) {
    const collect = (): void => {
      counter.reset()
      counter.inc(figure(pool.status(), store.status, scrubbing))
    }
    const counter: Counter = new Counter({ name, help, registers: [registry], collect })
  }
  addPoolInfo(registry, pool)
  addFlushHistogram(registry, pool)
  addDeliveryMetrics(registry, subscriptions)
  collectDefaultMetrics({ register: registry })
  return registry
}
