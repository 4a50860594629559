import type { Server, Socket } from 'node:net'
import type { Origin, Principal } from '../../streams/index.ts'
import { hostPort } from '../address.ts'
import type { Frontend } from '../frontend.ts'
import { asLogIn } from '../login.ts'
import { turnAway } from '../turn-away.ts'
import { VerdictQueue } from '../verdict-queue.ts'
import { routeOf } from './address.ts'
import { FileSystem } from './file-system.ts'
import { type ControlConnection, ControlServer } from './ftp-srv-adapter.ts'
import { type FtpOptions, type FtpSettings, settingsOf } from './options.ts'
import { Session } from './session.ts'
import { verify } from './verify.ts'

/** The FTP door (RFC 959, 2389, 2428, 3659, 4217): buckets are directories, and 226 means durable. */
export function ftpFrontend(options: FtpOptions): Frontend {
  return new FtpFrontend(settingsOf(options))
}

class FtpFrontend implements Frontend {
  readonly protocol = 'ftp'
  readonly #settings: FtpSettings
  readonly #control: ControlServer
  readonly #sessions = new Set<Session>()
  readonly #verdicts: VerdictQueue

  constructor(settings: FtpSettings) {
    this.#settings = settings
    const { store, limits, logger } = settings
    this.#verdicts = new VerdictQueue({
      store,
      waitMsMax: limits.verdictMsMax,
      verdictsMax: limits.verdictsMax,
      waitingMax: limits.verdictsWaitingMax,
      onFailure: (error) => logger.error({ err: error }, 'what is known of the end of files could not be written'),
    })
    this.#control = new ControlServer(
      settings.host,
      settings.port,
      (socket) => this.#accept(socket),
      (connection, user, password) => this.#logIn(connection, user, password),
    )
  }

  get scheme(): string {
    return this.#settings.tls?.mode === 'implicit' ? 'ftps' : 'ftp'
  }

  get address(): string {
    const { host, port } = this.#settings
    const bound = this.#control.server.address()
    return hostPort(host, typeof bound === 'object' && bound ? bound.port : port)
  }

  async listen(): Promise<void> {
    await this.#control.listen()
  }

  async drain(): Promise<void> {
    const closed = closing(this.#control.server)
    await Promise.all([...this.#sessions].map((session) => session.drain()))
    await closed
  }

  async close(): Promise<void> {
    const closed = closing(this.#control.server)
    await Promise.all([...this.#sessions].map((session) => session.close()))
    await closed
  }

  #accept(socket: Socket): void {
    const { limits } = this.#settings
    const refusal = this.#refusalOf(socket)
    if (refusal !== undefined) {
      turnAway(socket, `421 ${refusal}`, limits.closeMsMax)
      return
    }
    socket.setNoDelay(true).setKeepAlive(true)
    const session = new Session(this.#control, socket, this.#settings, this.#verdicts)
    this.#sessions.add(session)
    session.connection.parted = (application) => this.#settings.guests.part(application)
    socket.once('close', () => this.#forget(session))
  }

  /** Why a connection is not taken; undefined for one that is, and that is counted from then on. */
  #refusalOf(socket: Socket): string | undefined {
    const { limits, guests, networks } = this.#settings
    const { peerAddress } = routeOf(socket)
    if (networks && !networks.has(peerAddress)) return 'Connections from your address are not taken'
    if (this.#sessions.size >= limits.connectionsMax) return 'Too many connections'
    return guests.enter(peerAddress) ? undefined : 'Too many connections from your address'
  }

  /** A session counts until its last command is done, so that close() leaves no upload underway behind. */
  async #forget(session: Session): Promise<void> {
    await session.close()
    session.connection.logOut()
    this.#settings.guests.leave(session.connection.route.peerAddress)
    this.#sessions.delete(session)
  }

  async #logIn(connection: ControlConnection, user: string, password: string): Promise<FileSystem> {
    const { store, partials, guests } = this.#settings
    const { id, peer, secure } = connection
    const principal = await this.#prove(connection, user, password)
    // Whoever it was before, where PASS was said again, it is no more, come what may.
    connection.part()
    connection.authenticated = false
    guests.join(principal)
    connection.joined = principal.application
    const origin: Origin = { principal, protocol: 'ftp', peer, request: id }
    return new FileSystem(store, partials, { origin, user, secure })
  }

  async #prove({ route }: ControlConnection, user: string, password: string): Promise<Principal> {
    const { access, guests, anonymous } = this.#settings
    const { peerAddress } = route
    const guest = await asLogIn(async () => (/^(?:anonymous|ftp)$/i.test(user) ? anonymous(peerAddress) : undefined))
    if (guest) return guest
    return guests.logIn(peerAddress, user, () => verify(access, user, password, peerAddress))
  }
}

/** Resolves when a server that stops listening has no connection left; also when it never listened. */
function closing(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}
