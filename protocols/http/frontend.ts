import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostPort } from '../address.ts'
import type { Frontend } from '../frontend.ts'
import { createApplication } from './application.ts'
import { Exchanges } from './exchanges.ts'
import { HeldPages } from './held-pages.ts'
import { LiveReads } from './live-reads.ts'
import { HttpMetrics } from './metrics.ts'
import { type HttpOptions, httpLimits } from './options.ts'
import type { Application, Door } from './routes.ts'
import { createHttpServer } from './server.ts'

/** The door for HTTP (RFC 9110, RFC 9112). */
export function httpFrontend(options: HttpOptions): Frontend {
  return new HttpFrontend(options)
}

/**
 *   NEW ──listen──▶ OPEN ──drain──▶ DRAINED ──close──▶ CLOSED
 *                    └────────────────close──────────────▲
 */
class HttpFrontend implements Frontend {
  readonly protocol = 'http'
  readonly scheme = 'http'
  readonly #door: Door
  readonly #application: Application
  readonly #server: Server
  #address = ''

  constructor({ limits: given, clock = performance, random = { bytes: randomBytes }, ...options }: HttpOptions) {
    const limits = { ...httpLimits, ...given }
    const exchanges = new Exchanges((method, route, status) => metrics.answered(method, route, status))
    const metrics = new HttpMetrics(options.registry, () => exchanges.size)
    this.#door = { ...options, limits, clock, metrics, exchanges, live: new LiveReads(), held: new HeldPages(limits) }
    this.#application = createApplication(this.#door, {
      serve: (listener) => createHttpServer({ listener, limits, exchanges }),
      requestId: requestIds(random),
    })
    this.#server = this.#application.server
  }

  get address(): string {
    return this.#address
  }

  async listen(): Promise<void> {
    await this.#application.ready()
    this.#server.listen(this.#door.port, this.#door.host)
    await once(this.#server, 'listening')
    const { address, port } = this.#server.address() as AddressInfo
    this.#address = hostPort(address, port)
  }

  /** Waits `drainMsMax` at most: connections are closed then, and what they were sending is not stored. */
  async drain(): Promise<void> {
    this.#stop()
    const timer = setTimeout(() => this.#server.closeAllConnections(), this.#door.limits.drainMsMax)
    await this.#door.exchanges.drain()
    clearTimeout(timer)
    this.#server.closeIdleConnections()
  }

  async close(): Promise<void> {
    this.#stop()
    this.#server.closeAllConnections()
    await this.#door.exchanges.drain()
    await this.#application.close()
  }

  /** Stops accepting, and ends the connections that wait for a request, and reads that wait for what is to come. */
  #stop(): void {
    if (this.#server.listening) this.#server.close()
    this.#door.live.end()
  }
}

/** Names that no two requests share, of this process or of one before. */
function requestIds(random: { bytes(count: number): Uint8Array }): () => string {
  const prefix = Buffer.from(random.bytes(6)).toString('base64url')
  let count = 0
  return () => `${prefix}-${++count}`
}
