import type { Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import {
  SMTPServer,
  type SMTPServerAddress,
  type SMTPServerAuthentication,
  type SMTPServerAuthenticationResponse,
  type SMTPServerDataStream,
  type SMTPServerOptions,
  type SMTPServerSession,
} from 'smtp-server'
import type { SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import { type Principal, StoreError } from '../../streams/index.ts'
import { MailConnection } from './connection.ts'
import { Entrance } from './entrance.ts'
import { discard, isBroken } from './message.ts'
import type { SmtpLimits, SmtpLogger, SmtpSettings } from './options.ts'
import { noteProtection } from './protection.ts'
import { Reception } from './reception.ts'
import { Refusal, refusalOf } from './refusal.ts'
import { UlidSource } from './ulid.ts'
import { Verifier } from './verify.ts'

/** Relics of sendmail, and extensions that let a client say who it is: smtp-server has them, we do not. */
const commandsNever = ['WIZ', 'SHELL', 'KILL', 'XCLIENT', 'XFORWARD']

type Answer<Value> = (error?: Error | null, value?: Value) => void

/** smtp-server keeps the order of a session's commands; the answers to them are the Verifier's and the Reception's. */
export class MailServer extends SMTPServer {
  /** Messages between DATA and their reply. */
  readonly messages = new Set<Promise<void>>()
  readonly #limits: SmtpLimits
  readonly #logger: SmtpLogger
  readonly #bannerDelayMs: number
  readonly #requiresTls: boolean
  readonly #verifier: Verifier
  readonly #reception: Reception
  readonly #entrance: Entrance

  constructor(settings: SmtpSettings) {
    super(serverOptions(settings))
    const { clock, random, limits, tls } = settings
    this.#limits = limits
    this.#logger = settings.logger
    this.#bannerDelayMs = settings.bannerDelayMs
    this.#requiresTls = tls?.mode === 'required'
    if (tls) this.secureContext = new CurrentContext(tls.context)
    this.#verifier = new Verifier(settings)
    const ulids = new UlidSource(clock, random)
    this.#reception = new Reception(this.#verifier, ulids, settings)
    // In place of smtp-server's own way in, which knows no networks and no version 2 of the PROXY protocol.
    this.server.removeAllListeners('connection')
    const isTls = tls?.mode === 'implicit'
    this.#entrance = new Entrance(this.server, { ...settings, isTls }, (socket, { address, port }) =>
      this.connect(socket, { remoteAddress: address, remotePort: port }),
    )
    // A client that breaks off is nobody's fault, and a listener that fails is the frontend's to tell.
    this.on('error', (error: Error) => this.#logger.debug({ err: error }, 'SMTP connection failed'))
  }

  override connect(socket: Socket, options: SMTPConnectionOptions = {}): void {
    const connection: MailConnection = new MailConnection(this, socket, options, {
      limits: this.#limits,
      bannerDelayMs: this.#verifier.isTrusted(options.remoteAddress ?? '') ? 0 : this.#bannerDelayMs,
      offersAuthentication: () => this.#verifier.mayAuthenticate(connection),
    })
    this.connections.add(connection)
    connection.on('error', (error: Error) => this._onError(error))
    connection.init()
  }

  /** From here on nobody is let in, and any command is answered 421. */
  stop(): void {
    if (!this._closeTimeout) this.close()
    this.#entrance.close()
  }

  /** Says a last word to the connections concerned, in the middle of whatever they do, and closes them. */
  dismiss({ responseCode, message }: Refusal, concerns: (connection: MailConnection) => boolean): void {
    for (const connection of [...this.connections] as MailConnection[]) {
      if (!concerns(connection)) continue
      connection.send(responseCode, message)
      connection.close()
    }
  }

  /** RFC 3207 section 4.2: what was proved in clear is forgotten. */
  override onSecure(socket: Socket | TLSSocket, session: SMTPServerSession, callback: Answer<void>): void {
    noteProtection(session, socket)
    this.#verifier.part(session)
    callback()
  }

  override onClose(session: SMTPServerSession): void {
    this.#verifier.end(session)
  }

  override onAuth(
    evidence: SMTPServerAuthentication,
    session: SMTPServerSession,
    callback: (error: Error | null | undefined, response?: SMTPServerAuthenticationResponse) => void,
  ): void {
    const verified = this.#verifier.authenticate(evidence, session)
    this.#answer<Principal>(session, verified, (error, principal) => callback(error, { user: principal }))
  }

  override onMailFrom(_address: SMTPServerAddress, session: SMTPServerSession, callback: Answer<void>): void {
    this.#answer(session, this.#mail(session), callback)
  }

  override onRcptTo(address: SMTPServerAddress, session: SMTPServerSession, callback: Answer<void>): void {
    this.#answer(session, this.#reception.recipient(address, session), callback)
  }

  override onData(stream: SMTPServerDataStream, session: SMTPServerSession, callback: Answer<string>): void {
    const replied = this.#reception.data(stream, session).then(
      (text) => callback(null, text),
      (error) => this.#refuse(error, stream, session, callback),
    )
    const message = replied.finally(() => this.messages.delete(message))
    this.messages.add(message)
  }

  async #mail(session: SMTPServerSession): Promise<void> {
    if (this.#requiresTls && !session.secure) throw new Refusal(530, '5.7.0', 'Must issue a STARTTLS command first')
    await this.#reception.mail(session)
  }

  #answer<Value>(session: SMTPServerSession, step: Promise<Value>, callback: Answer<Value>): void {
    step.then(
      (value) => callback(null, value),
      (error) => callback(this.#refusal(error, session)),
    )
  }

  /** The reply follows the final dot, so the rest of the message is read first. */
  async #refuse(error: unknown, stream: SMTPServerDataStream, session: SMTPServerSession, callback: Answer<string>) {
    if (isBroken(stream) && !(error instanceof Refusal)) {
      this.#logger.info(detailsOf(session), 'Connection broke before the final dot, nothing stored')
      return
    }
    const refusal = this.#refusal(error, session)
    if (stream.destroyed || (await discard(stream, this.#limits.discardBytesMax))) callback(refusal)
    else this.dismiss(refusal, (connection) => connection.session === session)
  }

  #refusal(error: unknown, session: SMTPServerSession): Refusal {
    const refusal = refusalOf(error)
    const expected = refusal.cause === undefined || refusal.cause instanceof StoreError
    if (expected) this.#logger.info({ ...detailsOf(session), reply: refusal.responseCode }, refusal.message)
    else this.#logger.error({ ...detailsOf(session), err: refusal.cause }, 'SMTP command failed')
    return refusal
  }
}

function detailsOf({ id, remoteAddress }: SMTPServerSession): object {
  return { session: id, peer: remoteAddress }
}

/** Whatever name a client asks for, it gets the one certificate that the doors have. */
class CurrentContext extends Map<string, SecureContext> {
  readonly #context: () => SecureContext

  constructor(context: () => SecureContext) {
    super()
    this.#context = context
  }

  override get(): SecureContext {
    return this.#context()
  }
}

function serverOptions({ tls, domains, lmtp, cramMd5, limits }: SmtpSettings): SMTPServerOptions {
  return {
    name: domains[0],
    banner: 'Cenote',
    heloResponse: '%s greets %s',
    logger: false,
    lmtp,
    // TLS from the first byte on comes after a PROXY header, which is ours to read.
    ...(tls?.mode === 'implicit' && { secure: true, needsUpgrade: true }),
    disableReverseLookup: true,
    hideENHANCEDSTATUSCODES: false,
    hideDSN: false,
    // Who may send, and where AUTH may go in clear, is for verify.ts to say.
    authOptional: true,
    allowInsecureAuth: true,
    authMethods: ['PLAIN', 'LOGIN', ...(cramMd5 ? ['CRAM-MD5'] : [])],
    disabledCommands: tls ? commandsNever : [...commandsNever, 'STARTTLS'],
    maxRecipients: limits.recipientsMax,
    maxCommandLength: limits.commandBytesMax,
    size: limits.messageBytesMax,
    socketTimeout: limits.idleMsMax,
    closeTimeout: limits.drainMsMax,
  }
}
