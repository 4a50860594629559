import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { SMTPServer } from 'smtp-server'
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import { isLoopback } from '../address.ts'

const earlyTalkerMs = 100
const enhancedStatusPattern = /^[245]\.\d{1,3}\.\d{1,3} /

/** A connection of smtp-server, but for two of its ways that have no option. What we use of its inside is here alone. */
export class MailConnection extends SMTPConnection {
  readonly #bannerDelayMs: number

  constructor(
    server: SMTPServer,
    socket: Socket | TLSSocket,
    options?: SMTPConnectionOptions | null,
    bannerDelayMs?: number,
  ) {
    super(server, socket, options)
    this.#bannerDelayMs = bannerDelayMs ?? (isLoopback(this.remoteAddress) ? 0 : earlyTalkerMs)
  }

  /** Whether a message is between DATA and its reply. */
  get receiving(): boolean {
    return Boolean(this._dataStream)
  }

  /**
   * Greets after `bannerDelayMs`, in which a client that talks first is refused. smtp-server waits 100 ms for each,
   * which caps a client that sends one mail a connection at ten a second.
   */
  override init(): void {
    this._setListeners(() => {
      const { options, connections, _closeTimeout } = this._server
      if (_closeTimeout) return this.send(421, `${this.name} Closing, try again in a moment`, false)
      if (options.maxClients && connections.size > options.maxClients) {
        return this.send(421, `${this.name} Too many connected clients, try again in a moment`, false)
      }
      if (this.#bannerDelayMs === 0) return this.connectionReady()
      setTimeout(() => this.connectionReady(), this.#bannerDelayMs).unref()
    })
  }

  /** A text that brings its own enhanced status code goes without smtp-server's guess by reply code. */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    super.send(code, data, typeof data === 'string' && enhancedStatusPattern.test(data) ? false : context)
  }
}
