import { Counter, Gauge, type Registry } from 'prom-client'
import type { SubscriptionSummary } from '../streams/index.ts'

export interface DeliveriesMeasured {
  readonly summaries: readonly SubscriptionSummary[]
}

type Figure = readonly [name: string, help: string, figure: (summary: SubscriptionSummary) => number]

const gauges: readonly Figure[] = [
  ['cenote_subscription_lag', 'Sequences between what was delivered and the end of the stream.', ({ lag }) => lag],
  ['cenote_subscription_dead_letters', 'Records whose delivery was given up.', ({ deadLetters }) => deadLetters],
  [
    'cenote_subscription_failing',
    '1 while something is tried again, 0 else.',
    ({ health }) => Number(health === 'failing' || health === 'blocked'),
  ],
]

const counters: readonly Figure[] = [
  ['cenote_subscription_delivered_total', 'Records that the subscriber accepted.', ({ delivered }) => delivered],
  ['cenote_subscription_attempts_failed_total', 'Attempts in vain.', ({ failed }) => failed],
]

const labelNames = ['subscription']

/** Figures of each subscription, read when asked. */
export function addDeliveryMetrics(registry: Registry, measured: DeliveriesMeasured): void {
  const registers = [registry]
  for (const [name, help, figure] of gauges) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        gauge.reset()
        for (const summary of measured.summaries) gauge.set({ subscription: summary.id }, figure(summary))
      },
    })
  }
  for (const [name, help, figure] of counters) {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        counter.reset()
        for (const summary of measured.summaries) counter.inc({ subscription: summary.id }, figure(summary))
      },
    })
  }
}
