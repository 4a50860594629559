import { connect, createServer, type Server, type Socket } from 'node:net'
import { plainAddress } from '../address.ts'
import type { Route } from './address.ts'
import type { FtpSettings } from './options.ts'
import { DATA_WAITING_BYTES } from './protection.ts'
import { Refusal } from './refusal.ts'
import { PLAIN_READS, readIntoSpareMemory } from './wide-reads.ts'

/**
 * The data connection of one transfer.
 *
 *   PREPARED (PASV, EPSV, PORT, EPRT) ──open──▶ OPEN ──close──▶ CLOSED
 *      └── no connection in time, another one prepared ──────────▲
 */
export interface DataChannel {
  /** Resolves with the connection, nothing of it read yet. Rejects with a Refusal 425 or the reason of close(). */
  open(): Promise<Socket>
  /** Cuts the connection, or stops waiting for it. */
  close(reason?: Error): void
}

/** The half that both kinds share: one connection to come, and an end to waiting for it. */
abstract class Channel implements DataChannel {
  #waitMsMax: number
  #isReset = false
  readonly #connection: Promise<Socket>
  #accept: (socket: Socket) => void = () => {}
  #refuse: (reason: Error) => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #socket: Socket | undefined

  constructor(waitMsMax: number) {
    this.#waitMsMax = waitMsMax
    this.#connection = new Promise((resolve, reject) => {
      this.#accept = resolve
      this.#refuse = reject
    })
    this.#connection.catch(() => {}) // It may fail with nobody waiting: a PASV that no transfer followed.
  }

  open(): Promise<Socket> {
    if (!this.#socket) this.wait()
    return this.#connection
  }

  close(reason: Error = new Refusal(425, 'The data connection was closed')): void {
    clearTimeout(this.#timer)
    this.#refuse(reason)
    this.#socket?.destroy(reason)
  }

  protected wait(): void {
    clearTimeout(this.#timer)
    const words = this.#isReset
      ? 'The data connection was lost before it came up'
      : 'No data connection came up in time'
    this.#timer = setTimeout(() => this.close(new Refusal(425, words)), this.#waitMsMax)
  }

  /** One was reset that may have been the client's, or anybody's: a client that has none any more is not waited for as long. */
  protected expectNoMore(waitMsMax: number): void {
    this.#isReset = true
    this.#waitMsMax = Math.min(this.#waitMsMax, waitMsMax)
    this.wait()
  }

  protected get isTaken(): boolean {
    return this.#socket !== undefined
  }

  /** There is one connection, and this is it. */
  protected take(socket: Socket): void {
    socket.on('error', () => {}) // Whoever transfers over it hears of its end from its stream.
    clearTimeout(this.#timer)
    readIntoSpareMemory(socket, PLAIN_READS)
    this.#socket = socket
    this.#accept(socket)
  }
}

/** We listen, for one connection from the peer of the control connection and for nobody else's. */
export class PassiveChannel extends Channel {
  readonly port: number
  readonly #server: Server

  static async listen(route: Route, settings: FtpSettings): Promise<PassiveChannel> {
    return new PassiveChannel(await listenWithin(route.localAddress, settings), route, settings)
  }

  private constructor(server: Server, route: Route, settings: FtpSettings) {
    super(settings.limits.dataConnectMsMax)
    const address = server.address()
    this.port = typeof address === 'object' && address ? address.port : 0
    this.#server = server
    server.on('connection', (socket) => {
      const { remoteAddress } = socket
      if (remoteAddress === undefined) {
        if (!this.isTaken) this.expectNoMore(settings.limits.dataReconnectMsMax)
        return void socket.destroy()
      }
      const isInvited = plainAddress(remoteAddress) === route.peerAddress && !this.isTaken
      if (!isInvited) return void socket.destroy()
      server.close()
      this.take(socket)
    })
    this.wait()
  }

  override close(reason?: Error): void {
    this.#server.close()
    super.close(reason)
  }
}

/** We connect, to the peer of the control connection; when the transfer begins (RFC 959 section 3.2). */
export class ActiveChannel extends Channel {
  readonly #route: Route
  readonly #port: number
  #socket: Socket | undefined

  constructor(route: Route, port: number, waitMsMax: number) {
    super(waitMsMax)
    this.#route = route
    this.#port = port
  }

  override open(): Promise<Socket> {
    const { localAddress, peerAddress } = this.#route
    const waiting = { writableHighWaterMark: DATA_WAITING_BYTES }
    const socket = connect({ host: peerAddress, port: this.#port, localAddress, noDelay: true, ...waiting })
    this.#socket = socket
    socket.once('error', (cause) => this.close(new Refusal(425, 'The data connection was refused', { cause })))
    socket.once('connect', () => this.take(socket))
    return super.open()
  }

  override close(reason?: Error): void {
    super.close(reason)
    this.#socket?.destroy()
  }
}

/** A listening server on a port of the range, from a random one upwards. */
async function listenWithin(host: string, { passivePorts, random, limits }: FtpSettings): Promise<Server> {
  const { min, max } = passivePorts
  const span = max - min + 1
  const start = random.integer(min, max)
  for (let attempt = 0; attempt < Math.min(span, limits.passiveAttemptsMax); attempt++) {
    const server = await listen(host, min + ((start - min + attempt) % span))
    if (server) return server
  }
  throw new Refusal(425, 'No passive port is free; try again')
}

/** Undefined when the port is taken. */
function listen(host: string, port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true, noDelay: true, highWaterMark: DATA_WAITING_BYTES })
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE') resolve(undefined)
      else reject(new Refusal(425, 'Passive mode is not available', { cause }))
    })
    server.listen({ port, host, backlog: 1, exclusive: true }, () => {
      server.removeAllListeners('error').on('error', () => {}) // A failed accept: the client's wait runs out.
      resolve(server)
    })
  })
}
