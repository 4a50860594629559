import type { Socket } from 'node:net'
import type { Attributes, Receipt } from '../../streams/index.ts'
import type { TokenBucket } from '../token-bucket.ts'
import type { VerdictQueue } from '../verdict-queue.ts'
import { LineFramer, parse, tooLong } from './command-line.ts'
import { CommandQueue } from './command-queue.ts'
import { commands, precedeLogIn } from './commands.ts'
import { Completion } from './completion.ts'
import type { DataChannel } from './data-channel.ts'
import type { ByteRange } from './digest-commands.ts'
import type { Entry } from './entry.ts'
import type { DigestName } from './file-digest.ts'
import type { FileSystem } from './file-system.ts'
import { ControlConnection, type ControlServer } from './ftp-srv-adapter.ts'
import type { FtpSettings } from './options.ts'
import { type FtpTls, type ProtectionLevel, protect } from './protection.ts'
import { Refusal, replyOf } from './refusal.ts'
import { type Protect, Transfer } from './transfer.ts'

type Line = string | typeof tooLong

function isAbort(line: Line): boolean {
  return line !== tooLong && /^ABOR\b/i.test(line)
}

/** What one client has said so far, and what its next command stands on. */
export class Session {
  readonly settings: FtpSettings
  readonly connection: ControlConnection
  /** What becomes known of the end of the last upload. */
  readonly completion: Completion
  readonly verdicts: VerdictQueue
  /** Where the next transfer starts, in bytes (REST). */
  restart = 0
  /** Bytes of the next upload, as the client said (ALLO). */
  allocation: number | undefined
  /** What RNFR named, for RNTO. */
  renameSource: Entry | undefined
  /** EPSV ALL was said: no other way to a data connection is taken (RFC 2428 section 4). */
  extendedOnly = false
  /** What HASH calculates. */
  hashName: DigestName = 'SHA-256'
  /** Of the next HASH alone (RANG). */
  hashRange: ByteRange | undefined
  /** PBSZ was said. */
  isBufferSized = false
  /** Of the data connections to come. */
  protection: ProtectionLevel = 'C'
  readonly #framer: LineFramer
  readonly #loginTimer: NodeJS.Timeout
  #buckets: readonly TokenBucket[] = []
  /** The client said something between the end of its file and 226. */
  #spokeAtEnd = false
  readonly #queue: CommandQueue<Line>
  #channel: DataChannel | undefined
  #transfer: Transfer | undefined
  #aborted = false
  #logInFailures = 0
  #gone = false

  constructor(server: ControlServer, socket: Socket, settings: FtpSettings, verdicts: VerdictQueue) {
    const { limits } = settings
    this.settings = settings
    this.verdicts = verdicts
    this.completion = new Completion(verdicts)
    this.#framer = new LineFramer(limits.commandBytesMax)
    this.connection = new ControlConnection(server, socket, limits, (chunk) => this.#receive(chunk))
    this.#loginTimer = setTimeout(() => this.connection.close(421, 'No login in time'), limits.loginMsMax)
    const expire = () => this.connection.close(421, 'No command for too long')
    this.#queue = new CommandQueue(limits, (line) => this.#execute(line), expire)
    this.#watch(socket)
    if (settings.tls?.mode === 'implicit') this.#protect(settings.tls)
    this.connection.reply(220, 'Cenote')
    socket.resume()
  }

  /** The tree of the application that logged in; commands that need it run only then. */
  get files(): FileSystem {
    return this.connection.fs!
  }

  /**
   * Answers AUTH. What came in clear behind it would be taken for something that was said under TLS, by whoever put it
   * there: that is the end of the connection.
   */
  startTls(tls: FtpTls): void {
    if (this.connection.secure) throw new Refusal(503, 'TLS is up already')
    if (!this.#queue.isEmpty || !this.#framer.isEmpty) {
      this.connection.close(421, 'Nothing may follow AUTH TLS in clear')
      return
    }
    this.connection.logOut()
    this.connection.reply(234, 'Go on with TLS')
    this.#protect(tls)
  }

  /** Forgets what was said (REIN), but for TLS, which cannot be taken back (RFC 4217 section 8). */
  restartSession(): void {
    this.connection.logOut()
    this.connection.transferType = 'binary'
    this.restart = 0
    this.renameSource = undefined
    this.allocation = undefined
    this.hashName = 'SHA-256'
    this.hashRange = undefined
    this.prepare(undefined)
  }

  /** Lets a transfer underway finish, then says 421. */
  async drain(): Promise<void> {
    await this.#queue.stop()
    this.completion.forget()
    this.connection.close(421, 'The server is stopping')
  }

  /**
   * Cuts the connection; resolves when the command underway has come to its end, and what is known of the last upload is
   * durable. Of one whose client did not leave by itself nothing more is known.
   */
  async close(): Promise<void> {
    const left = this.#gone
    this.connection.commandSocket.destroy()
    await this.#queue.stop()
    if (left) this.completion.lose()
    else this.completion.forget()
    await this.verdicts.flush()
  }

  /**
   * Anybody can have a login refused, as often as it likes: that is one line of the log, and says nothing of what was
   * shown, where the secret may stand in the name's place. An error that nobody foresaw is logged where it is answered.
   */
  async logIn(user: string, password: string): Promise<void> {
    const { id, peer } = this.connection
    const { guests, bytesPerSecond } = this.settings
    try {
      await this.connection.login(user, password)
      clearTimeout(this.#loginTimer)
      this.#buckets = guests.bucketsOf(this.files.origin.principal, bytesPerSecond)
    } catch (error) {
      this.settings.logger.info({ session: id, peer, reason: replyOf(error).message }, 'FTP login refused')
      this.#logInFailures += 1
      throw error
    }
  }

  /** Takes the way to the next transfer's data connection, and closes the one before. */
  prepare(channel: DataChannel | undefined): void {
    this.#channel?.close()
    this.#channel = channel
    if (this.#gone) channel?.close()
  }

  /** Runs a transfer over the prepared data connection. `work` resolves with the words of its success; 150 says `opening`. */
  async transfer(work: (transfer: Transfer) => Promise<string>, ...opening: readonly string[]): Promise<void> {
    const channel = this.#channel
    if (this.protection === 'C' && this.settings.tls?.mode === 'required')
      throw new Refusal(521, 'Data connections must be protected: say PROT P')
    if (!channel) throw new Refusal(425, 'Say EPSV, PASV, EPRT or PORT first')
    this.#channel = undefined
    const { limits } = this.settings
    const announce = () => this.connection.reply(150, ...opening)
    this.#transfer = new Transfer({ channel, limits, announce, protect: this.#protection(), buckets: this.#buckets })
    try {
      this.connection.reply(226, await work(this.#transfer))
    } finally {
      this.#transfer = undefined
      this.#spokeAtEnd = false
      channel.close()
    }
  }

  /**
   * Asked between an upload's last byte and its commit. The end of a data connection is all that FTP has for the end
   * of a file, and a client that died ends it too; one that died has lost its control connection with it.
   */
  async confirm(evidence: Attributes): Promise<Attributes> {
    if (this.#gone) throw new Refusal(426, 'The control connection was lost')
    return evidence
  }

  /** Takes note of what is durable: how it ended is known by what the client says next, or said once it had ended it. */
  stored(receipt: Receipt): void {
    this.completion.stored(this.files.origin, receipt)
    if (this.#spokeAtEnd) this.completion.confirm()
    this.#spokeAtEnd = false
  }

  /** What came while bytes were on their way is no word on their end: it was sent before. */
  #confirmLast(): void {
    if (this.#transfer?.isCommitting) this.#spokeAtEnd = true
    this.completion.confirm()
  }

  #protect(tls: FtpTls): void {
    this.#watch(this.connection.protect(tls.context()))
    this.protection = tls.mode === 'implicit' ? 'P' : 'C'
  }

  #protection(): Protect {
    const { tls, limits } = this.settings
    if (this.protection === 'C' || !tls) return (connection) => connection
    return (connection) => protect(connection, tls, limits.handshakeMsMax)
  }

  #watch(socket: Socket): void {
    for (const event of ['end', 'error', 'close']) socket.once(event, () => this.#leave())
    socket.on('error', () => {}) // A second one is no news.
  }

  #receive(chunk: Buffer): void {
    for (const line of this.#framer.lines(chunk)) {
      if (this.connection.closing) return
      if (!isAbort(line)) this.#confirmLast()
      if (this.#interrupt(line) || this.#queue.push(line)) continue
      this.connection.close(421, 'Too many commands at once')
      this.#leave()
    }
  }

  /**
   * What is understood while a transfer runs: ABOR and STAT (RFC 959 section 4.1.3), and NOOP. The last two wait behind
   * whatever was sent before them: a client that sends ahead takes replies in the order of its commands.
   */
  #interrupt(line: Line): boolean {
    if (!this.#transfer || line === tooLong) return false
    const directive = line.toUpperCase()
    if (directive === 'ABOR') return !this.#aborted && this.#abort(this.#transfer)
    if (directive === 'NOOP' && this.#queue.isEmpty) this.connection.reply(200)
    else if (directive === 'STAT' && this.#queue.isEmpty) this.connection.reply(213, moved(this.#transfer))
    else return false
    return true
  }

  /** False when it is too late. This and a second ABOR are answered in their turn. */
  #abort(transfer: Transfer): boolean {
    this.#aborted = transfer.abort(new Refusal(426, 'The transfer was aborted'))
    return this.#aborted
  }

  async #execute(line: Line): Promise<void> {
    try {
      if (line === tooLong) throw new Refusal(500, 'The command line is too long')
      await this.#perform(line)
    } catch (error) {
      this.#refuse(error)
    }
    if (this.#aborted) this.connection.reply(226, 'ABOR done')
    this.#aborted = false
    if (this.#logInFailures >= this.settings.limits.loginAttemptsMax)
      this.connection.close(421, 'Too many failed logins')
    if (this.connection.closing) void this.#queue.stop() // What came in the same breath is not done.
  }

  async #perform(line: string): Promise<void> {
    const { directive, argument } = parse(line)
    const command = commands.get(directive)
    if (!command && !this.connection.offers(directive)) throw new Refusal(502, 'The command is not offered')
    if (!this.connection.authenticated && !precedeLogIn.has(directive)) throw new Refusal(530, 'Log in first')
    if (!command) await this.connection.run(directive, argument)
    else if (argument === '' && command.argument === 'needed') throw new Refusal(501, `${directive} needs an argument`)
    else await command.run(this, argument)
  }

  #refuse(error: unknown): void {
    const { code, message } = replyOf(error)
    if (code === 451) {
      this.settings.logger.error({ err: error, session: this.connection.id }, 'FTP command failed')
    }
    this.connection.reply(code, message)
  }

  /** Nobody is there to be answered any more. */
  #leave(): void {
    if (this.#gone) return
    this.#gone = true
    clearTimeout(this.#loginTimer)
    const reason = new Refusal(426, 'The control connection was closed')
    this.#transfer?.abort(reason)
    this.#channel?.close(reason)
    void this.#queue.stop()
  }
}

function moved({ size }: Transfer): string {
  return `${size} bytes transferred`
}
