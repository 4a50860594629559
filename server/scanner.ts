import type { Logger } from 'pino'
import { Histogram, type Registry } from 'prom-client'
import { HttpScanner } from '../protocols/index.ts'
import { type Scanned, Scanning, type ScanningOptions } from '../streams/index.ts'
import type { Configuration } from './config.ts'

/** From what a scanner knows by heart to the bound of a question. */
const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

export interface ServedScanner {
  readonly scanning: Scanning
  /** Shows its figures. */
  register(registry: Registry): void
}

/** Has uploads judged by the scanner that is configured, if one is, and tells of it in the log and in figures. */
export function openScanner(
  { url, policy, ...limits }: Configuration['scanner'],
  timers: ScanningOptions['timers'],
  log: Logger,
): ServedScanner {
  const seconds = new Histogram({
    name: 'cenote_scan_seconds',
    help: 'Questions to the scanner by verdict, from asking to its answer or to what stands for one.',
    labelNames: ['verdict'],
    buckets: secondsBuckets,
    registers: [],
  })
  const onScanned = (scanned: Scanned): void => {
    seconds.observe({ verdict: scanned.outcome.verdict }, scanned.milliseconds / 1000)
    tell(log, scanned)
  }
  const scanner = url === null ? undefined : new HttpScanner(url)
  const scanning = new Scanning({ scanner, policy, limits, timers, clock: Date, onScanned })
  return { scanning, register: (registry) => registry.registerMetric(seconds) }
}

function tell(log: Logger, { subject: { origin, name }, outcome }: Scanned): void {
  if (outcome.verdict === 'clean') return
  const { verdict, reason } = outcome
  const details = { application: origin.principal.application, ...name, request: origin.request, reason }
  if (verdict === 'refused') log.info(details, 'a scanner refused an upload')
  else log.warn(details, 'an upload was not scanned')
}
