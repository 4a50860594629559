import type { Socket } from 'node:net'
import type { SMTPServer, SMTPServerAddress } from 'smtp-server'
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import { takeAddress } from './address-command.ts'
import type { SmtpLimits } from './options.ts'
import { MailParser } from './parser.ts'

const enhancedStatusPattern = /^[245]\.\d{1,3}\.\d{1,3} /
/** A CR or NUL within a command: to some servers the end of a line, and then two commands. */
const forbiddenInCommands = /[\r\0]/

export interface Manners {
  /** The wait before the greeting, in which a client that talks first is refused. */
  readonly bannerDelayMs: number
  /** Whether EHLO tells of AUTH. */
  readonly offersAuthentication: () => boolean
  readonly limits: SmtpLimits
}

/**
 * A connection of smtp-server, with bounds that it does not have and but for a few of its ways that have no option. What
 * we use of its inside is here and in parser.ts alone.
 *
 * Each wait for the client has its end, whatever bytes trickle in meanwhile: TLS, the next command, and a transaction
 * from MAIL to the final dot. A message that came whole is answered, however long that takes.
 */
export class MailConnection extends SMTPConnection {
  readonly #manners: Manners
  /** Commands since the connection began, or its last message was stored; and those that were refused for good. */
  #commands = 0
  #errors = 0
  #isRefused = false
  #waiting: NodeJS.Timeout | undefined
  #transaction: NodeJS.Timeout | undefined

  constructor(server: SMTPServer, socket: Socket, options: SMTPConnectionOptions, manners: Manners) {
    super(server, socket, options)
    this.#manners = manners
  }

  /** Whether a message is between DATA and its reply. */
  get receiving(): boolean {
    return Boolean(this._dataStream)
  }

  /**
   * Greets after `bannerDelayMs`. smtp-server waits 100 ms for each, which caps a client that sends one mail a connection
   * at ten a second.
   */
  override init(): void {
    this.#awaitClient(this.#manners.limits.handshakeMsMax)
    this._setListeners(() => {
      clearTimeout(this.#waiting)
      const { bannerDelayMs } = this.#manners
      if (this._server._closeTimeout) this.send(421, `${this.name} Closing, try again in a moment`, false)
      else if (bannerDelayMs === 0) this.connectionReady()
      else this.#waiting = setTimeout(() => this.connectionReady(), bannerDelayMs)
    })
  }

  /**
   * TLS over the connection. smtp-server takes every listener from it, and with them those that count it among who is
   * there: without them no place would ever be free again.
   */
  override upgrade(callback: () => void, secureCallback?: () => void): void {
    const socket = this._socket
    const closed = socket.rawListeners('close') as (() => void)[]
    super.upgrade(callback, secureCallback)
    for (const listener of closed) socket.on('close', listener)
  }

  override _createParser(): MailParser {
    const parser = new MailParser({ maxCommandLength: this._server.options.maxCommandLength })
    parser.oncommand = (command, callback) => this._onCommand(command, callback)
    parser.on('error', (error) => this.send(421, `Error: ${error.message}`))
    return parser
  }

  override _onCommand(command: Buffer, callback: () => void = () => {}): void {
    clearTimeout(this.#waiting)
    this.#isRefused = false
    this.#commands += 1
    const done = () => this.#goOn(callback)
    if (this.#commands > this.#manners.limits.commandsMax) {
      this.send(421, '4.7.0 Too many commands without a message')
    } else if (forbiddenInCommands.test(command.toString('latin1'))) {
      this.send(500, '5.5.2 A command ends in CR LF, and has no CR or NUL in it')
      setImmediate(done)
    } else super._onCommand(command, done)
  }

  #goOn(callback: () => void): void {
    if (this.#isRefused) this.#errors += 1
    if (this.#errors >= this.#manners.limits.errorsMax) {
      this.send(421, '4.7.0 Too many errors')
      return
    }
    this.#awaitCommand()
    callback()
  }

  /** From the start, and after RSET, EHLO, a message, and TLS. */
  override _resetSession(): void {
    super._resetSession()
    clearTimeout(this.#transaction)
    this.#transaction = undefined
    this.#awaitCommand()
  }

  override handler_EHLO(command: Buffer, callback: () => void): void {
    const { disabledCommands } = this._server.options
    this.session.disabledCommands = this.#manners.offersAuthentication() ? undefined : [...disabledCommands, 'AUTH']
    super.handler_EHLO(command, callback)
    this.session.disabledCommands = undefined // AUTH in spite of that is refused in words of its own.
  }

  /** Addresses are taken by our rules, and the rest of the command by smtp-server's. */
  override _parseAddressCommand(name: string, command: Buffer | string): SMTPServerAddress | false {
    const taken = takeAddress(String(command))
    const parsed = taken !== undefined && super._parseAddressCommand(name, taken.bare)
    return parsed && { ...parsed, address: taken.address }
  }

  override handler_MAIL(command: Buffer, callback: () => void): void {
    super.handler_MAIL(command, () => {
      if (this.session.envelope.mailFrom) this.#transaction ??= this.#limitTransaction()
      callback()
    })
  }

  /** LMTP answers DATA once for each RCPT that was accepted (RFC 2033 section 4.2), so that none replaces another. */
  override handler_RCPT(command: Buffer, callback: () => void): void {
    if (this._server.options.lmtp) this._rcptIndex.clear()
    super.handler_RCPT(command, callback)
  }

  /** RFC 5321 section 4.2.4: what is known, and not done here, is 502. */
  handler_EXPN(_command: Buffer, callback: () => void): void {
    this.send(502, '5.5.1 EXPN is not for strangers')
    callback()
  }

  handler_BDAT(_command: Buffer, callback: () => void): void {
    this.send(502, '5.5.1 CHUNKING is not offered: send DATA')
    callback()
  }

  /** A text that brings its own enhanced status code goes without smtp-server's guess by reply code. */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    if (code >= 500) this.#isRefused = true
    if (context === 'DATA_OK') this.#commands = this.#errors = 0
    super.send(code, data, typeof data === 'string' && enhancedStatusPattern.test(data) ? false : context)
  }

  override _onClose(): void {
    clearTimeout(this.#waiting)
    clearTimeout(this.#transaction)
    super._onClose()
  }

  #awaitCommand(): void {
    const { handshakeMsMax, idleMsMax } = this.#manners.limits
    this.#awaitClient(this._upgrading ? handshakeMsMax : idleMsMax)
  }

  /** A byte now and then is no command. A message is bounded by its transaction. */
  #awaitClient(msMax: number): void {
    clearTimeout(this.#waiting)
    if (this._closed) return
    this.#waiting = setTimeout(() => {
      if (this._upgrading) this._socket.destroy()
      else if (!this.receiving) this.send(421, '4.4.2 Timeout - closing connection')
    }, msMax)
  }

  #limitTransaction(): NodeJS.Timeout {
    const { transactionMsMax } = this.#manners.limits
    return setTimeout(() => {
      const isOurTurn = this.receiving && this._parser && !this._parser._dataMode
      if (!isOurTurn) this.send(421, `4.4.2 A mail takes ${transactionMsMax / 1000} s at most`)
    }, transactionMsMax)
  }
}
