import type { Registry } from 'prom-client'
import type { MemberFigures, PoolStatus } from '../pool/index.ts'

const NAME = 'cenote_pool_flush_seconds'

interface Sample {
  readonly metricName: string
  readonly labels: { readonly [name: string]: string | number }
  readonly value: number
}

/**
 * How long flushes took, for each device. The devices count for themselves, so the histogram is told as it is when asked:
 * prom-client's own would have to see every flush.
 */
export function addFlushHistogram(registry: Registry, pool: { status(): PoolStatus }): void {
  const metric = {
    name: NAME,
    help: 'Flushes of each device of the pool, by how long they took.',
    type: 'histogram',
    aggregator: 'sum',
    async get() {
      return { ...metric, values: pool.status().members.flatMap(samplesOf) }
    },
    reset() {},
  }
  registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0])
}

function samplesOf({ device = '', figures }: PoolStatus['members'][number]): readonly Sample[] {
  if (!figures) return []
  const { count, microseconds, buckets } = figures.flushes
  const sample = (suffix: string, value: number, labels = {}): Sample => ({
    metricName: NAME + suffix,
    labels: { ...labels, device },
    value,
  })
  return [
    ...bounded(buckets).map(([bound, below]) => sample('_bucket', below, { le: bound })),
    sample('_bucket', count, { le: '+Inf' }),
    sample('_sum', microseconds / 1e6),
    sample('_count', count),
  ]
}

/** Bounds in seconds, each with all that took less. The last bucket has no bound. */
function bounded(buckets: MemberFigures['flushes']['buckets']): [number, number][] {
  let below = 0
  return buckets.slice(0, -1).map((count, index) => {
    below += count
    return [2 ** index / 1e6, below]
  })
}
