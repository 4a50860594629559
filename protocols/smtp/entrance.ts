import type { Server, Socket } from 'node:net'
import { plainAddress } from '../address.ts'
import type { Guests } from '../guests.ts'
import type { Networks } from '../networks.ts'
import { type ProxiedPeer, readProxyHeader } from '../proxy-header.ts'
import { turnAway } from '../turn-away.ts'
import type { SmtpLimits, SmtpLogger } from './options.ts'

export interface EntranceOptions {
  readonly limits: SmtpLimits
  readonly guests: Guests
  /** Proxies, which tell in a PROXY header whom they speak for. From anybody else one is no command. */
  readonly proxies: Networks
  /** TLS comes first, so that nothing can be said in clear. */
  readonly isTls: boolean
  readonly logger: SmtpLogger
}

/** Who comes to a listener: bounded in number, in all and from one address, and known by where it comes from. */
export class Entrance {
  readonly #options: EntranceOptions
  readonly #take: (socket: Socket, peer: ProxiedPeer) => void
  /** All that are there, and those of proxies whose header is still to come. */
  readonly #sockets = new Set<Socket>()
  readonly #unknown = new Set<Socket>()

  constructor(server: Server, options: EntranceOptions, take: (socket: Socket, peer: ProxiedPeer) => void) {
    this.#options = options
    this.#take = take
    server.on('connection', (socket) => this.#accept(socket))
  }

  /** Ends those that have not said yet whom they speak for. */
  close(): void {
    for (const socket of this.#unknown) socket.destroy()
  }

  #accept(socket: Socket): void {
    const { limits, proxies } = this.#options
    if (this.#sockets.size >= limits.connectionsMax) {
      this.#turnAway(socket, 'Too many connections')
      return
    }
    this.#sockets.add(socket)
    socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket))
    const peer = { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 }
    if (proxies.has(peer.address)) void this.#acceptProxied(socket, peer)
    else this.#enter(socket, peer)
  }

  async #acceptProxied(socket: Socket, proxy: ProxiedPeer): Promise<void> {
    this.#unknown.add(socket)
    try {
      const peer = await readProxyHeader(socket, this.#options.limits.handshakeMsMax)
      this.#enter(socket, peer ?? proxy)
    } catch (error) {
      this.#options.logger.info({ peer: proxy.address, err: error }, 'A proxy did not say whom it speaks for')
      socket.destroy()
    } finally {
      this.#unknown.delete(socket)
    }
  }

  #enter(socket: Socket, peer: ProxiedPeer): void {
    const { guests } = this.#options
    if (socket.destroyed) return
    if (!guests.enter(peer.address)) {
      this.#turnAway(socket, 'Too many connections from your address')
      return
    }
    socket.once('close', () => guests.leave(peer.address))
    this.#take(socket, peer)
  }

  #turnAway(socket: Socket, why: string): void {
    if (this.#options.isTls) socket.destroy()
    else turnAway(socket, `421 4.7.0 ${why}, try again in a moment`, this.#options.limits.closeMsMax)
  }
}
