import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** From what stays in memory to what takes a slow line an hour. */
const uploadSecondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600, 3600]

/** What the door counts of itself. */
export class HttpMetrics {
  /** Requests by method, route and status, joined by a space; told to the registry when it is asked. */
  readonly #requests = new Map<string, number>()
  readonly #uploadBytes: Counter
  readonly #uploadSeconds: Histogram

  constructor(registry: Registry, inFlight: () => number) {
    const registers = [registry]
    const requests: Counter = new Counter({
      name: 'cenote_http_requests_total',
      help: 'Requests by route and status; aborted are those whose client went away before an answer.',
      labelNames: ['method', 'route', 'status'],
      registers,
      collect: () => this.#tell(requests),
    })
    this.#uploadBytes = new Counter({
      name: 'cenote_http_upload_bytes_total',
      help: 'Bytes of the objects stored.',
      registers,
    })
    this.#uploadSeconds = new Histogram({
      name: 'cenote_http_upload_seconds',
      help: 'From the verified request to the receipt.',
      buckets: uploadSecondsBuckets,
      registers,
    })
    const gauge: Gauge = new Gauge({
      name: 'cenote_http_requests_in_flight',
      help: 'Requests being answered.',
      registers,
      collect: () => gauge.set(inFlight()),
    })
  }

  answered(method: string, route: string, status: string): void {
    const labels = `${method} ${route} ${status}`
    this.#requests.set(labels, (this.#requests.get(labels) ?? 0) + 1)
  }

  #tell(counter: Counter): void {
    counter.reset()
    for (const [labels, count] of this.#requests) {
      const [method = '', route = '', status = ''] = labels.split(' ')
      counter.inc({ method, route, status }, count)
    }
  }

  uploaded(bytes: number, seconds: number): void {
    this.#uploadBytes.inc(bytes)
    this.#uploadSeconds.observe(seconds)
  }
}
