import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import registry from 'ftp-srv/src/commands/registry.js'
import FtpConnection from 'ftp-srv/src/connection.js'
import FtpServer from 'ftp-srv/src/index.js'
import messages from 'ftp-srv/src/messages.js'
import { hostPort } from '../address.ts'
import { type Route, routeOf } from './address.ts'
import type { FileSystem } from './file-system.ts'
import type { FtpLimits } from './options.ts'
import { wrap } from './protection.ts'
import { oneLine } from './refusal.ts'

/**
 * ftp-srv 4.6.3, behind this file alone: it gives the server, the login with its event, the texts of replies and the
 * small commands below. Lines, data connections, transfers and whatever touches a name are ours, because there it
 * frames no commands, takes a killed client's upload for whole, and leaves the listeners of data connections open.
 */
export const smallCommands: ReadonlySet<string> = new Set(['MODE', 'NOOP', 'PWD', 'QUIT', 'STRU', 'SYST', 'XPWD'])

/** ftp-srv traces what it is told, passwords too: it gets a log that keeps nothing. */
const silent = { child: () => silent, trace() {}, debug() {}, info() {}, warn() {}, error() {} }

const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const

/** One who proved itself gets a FileSystem of its own. */
export type LogIn = (connection: ControlConnection, username: string, password: string) => Promise<FileSystem>

/** ftp-srv's server with our connections. It leaves the process's signals alone: when to stop is the server's to say. */
export class ControlServer extends FtpServer {
  constructor(host: string, port: number, accept: (socket: Socket) => void, logIn: LogIn) {
    const listenersBefore = signals.map((signal) => process.listeners(signal))
    super({ url: `ftp://${hostPort(host, port)}`, log: silent })
    for (const [index, signal] of signals.entries()) {
      for (const listener of process.listeners(signal)) {
        if (!listenersBefore[index]!.includes(listener)) process.off(signal, listener)
      }
    }
    this.server.removeAllListeners('connection').on('connection', accept)
    this.on('login', ({ connection, username, password }, resolve, reject) => {
      logIn(connection, username, password).then((fs) => resolve({ fs }), reject)
    })
  }
}

/** ftp-srv's connection with our lines, our replies and an orderly end. */
export class ControlConnection extends FtpConnection {
  declare fs: FileSystem | undefined
  /** The application whose sessions this one counts among. */
  joined: string | undefined
  /** Told when it does so no more; ftp-srv's own listeners are gone by the time a connection has closed. */
  parted: (application: string) => void = () => {}
  readonly route: Route
  /** The client's `address:port`. */
  readonly peer: string
  readonly #limits: FtpLimits
  readonly #receive: (chunk: Buffer) => void
  #closing = false

  constructor(server: ControlServer, socket: Socket, limits: FtpLimits, receive: (chunk: Buffer) => void) {
    super(server, { log: silent, socket })
    this.route = routeOf(socket)
    this.peer = hostPort(this.route.peerAddress, socket.remotePort ?? 0)
    this.#limits = limits
    this.#receive = receive
  }

  get closing(): boolean {
    return this.#closing
  }

  override get secure(): boolean {
    return this.commandSocket instanceof TLSSocket
  }

  /**
   * Speaks TLS from the next byte on. Called in the turn in which 234 is said: no ClientHello, however fast it comes,
   * is read as a command.
   */
  protect(context: SecureContext): TLSSocket {
    const inClear = this.commandSocket.removeAllListeners('data').pause()
    const secured = wrap(inClear, context, this.#limits.handshakeMsMax)
    this.commandSocket = secured
    return secured.on('data', (chunk: Buffer) => this._handleData(chunk))
  }

  override _handleData(chunk: Buffer): void {
    if (!this.#closing) this.#receive(chunk)
  }

  /** Several lines become one reply (RFC 959 section 4.2); those between first and last begin with a space. */
  override reply(code: number, ...lines: readonly string[]): void {
    const texts = (lines.length > 0 ? lines : [messages[code] ?? 'Done']).map(oneLine)
    const last = texts.pop()
    const before = texts.map((text, index) => (index === 0 ? `${code}-${text}\r\n` : ` ${text}\r\n`))
    const socket = this.commandSocket
    if (socket.writableLength > this.#limits.repliesBytesMax) socket.destroy()
    if (socket.writable) socket.write(`${before.join('')}${code} ${last}\r\n`)
  }

  /** Says a last word, then reads on without listening, so that the client sees our word and not a reset. */
  override close(code = 421, message?: string): void {
    if (this.#closing) return
    this.#closing = true
    this.reply(code, ...(message === undefined ? [] : [message]))
    this.commandSocket.end()
    const timer = setTimeout(() => this.commandSocket.destroy(), this.#limits.closeMsMax)
    this.commandSocket.once('close', () => clearTimeout(timer))
  }

  logOut(): void {
    this.authenticated = false
    this.username = undefined
    this.fs = undefined
    this.part()
  }

  /** It counts among the sessions of its application no more. */
  part(): void {
    const { joined } = this
    this.joined = undefined
    if (joined !== undefined) this.parted(joined)
  }

  offers(directive: string): boolean {
    return smallCommands.has(directive)
  }

  async run(directive: string, argument: string): Promise<void> {
    const command = { directive, arg: argument || null, flags: [] }
    await registry[directive]?.handler.call(this, { log: silent, command })
  }
}
