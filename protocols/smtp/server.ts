import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
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
import { domainSet } from './envelope.ts'
import { discard, isBroken } from './message.ts'
import { domainsDefault, type SmtpLimits, type SmtpLogger, type SmtpOptions, smtpLimits } from './options.ts'
import { noteProtection } from './protection.ts'
import { Reception } from './reception.ts'
import { type Refusal, refusalOf } from './refusal.ts'
import { UlidSource } from './ulid.ts'
import { mayAuthenticate, Verifier } from './verify.ts'

/** Relics of sendmail, and extensions that let a client say who it is: smtp-server has them, we do not. */
const commandsNever = ['WIZ', 'SHELL', 'KILL', 'XCLIENT', 'XFORWARD']

type Answer<Value> = (error?: Error | null, value?: Value) => void

/** smtp-server keeps the order of a session's commands; the answers to them are the Verifier's and the Reception's. */
export class MailServer extends SMTPServer {
  /** Messages between DATA and their reply. */
  readonly messages = new Set<Promise<void>>()
  readonly #limits: SmtpLimits
  readonly #logger: SmtpLogger
  readonly #bannerDelayMs: number | undefined
  readonly #verifier: Verifier
  readonly #reception: Reception

  constructor(options: SmtpOptions) {
    const limits = { ...smtpLimits, ...options.limits }
    const { store, access, clock, random, domains = domainsDefault } = options
    super(serverOptions(options, domains, limits))
    this.#limits = limits
    this.#logger = options.logger
    this.#bannerDelayMs = options.bannerDelayMs
    this.#verifier = new Verifier(access, options.allowedNetworks, limits.authenticationFailuresMax)
    const ulids = new UlidSource(clock, random)
    this.#reception = new Reception(store, this.#verifier, ulids, domainSet(domains), limits.messageBytesMax)
    // A client that breaks off is nobody's fault, and a listener that fails is the frontend's to tell.
    this.on('error', (error: Error) => this.#logger.debug({ err: error }, 'SMTP connection failed'))
  }

  override connect(socket: Socket | TLSSocket, options?: SMTPConnectionOptions | null): void {
    const connection = new MailConnection(this, socket, options, this.#bannerDelayMs)
    this.connections.add(connection)
    connection.on('error', (error: Error) => this._onError(error))
    connection.init()
  }

  /** From here on nobody is let in, and any command is answered 421. */
  stop(): void {
    if (!this._closeTimeout) this.close()
  }

  /** Says a last word to the connections concerned, in the middle of whatever they do, and closes them. */
  dismiss({ responseCode, message }: Refusal, concerns: (connection: MailConnection) => boolean): void {
    for (const connection of [...this.connections] as MailConnection[]) {
      if (!concerns(connection)) continue
      connection.send(responseCode, message)
      connection.close()
    }
  }

  override onConnect(session: SMTPServerSession, callback: Answer<void>): void {
    if (!mayAuthenticate(session)) session.disabledCommands = [...this.options.disabledCommands, 'AUTH']
    callback()
  }

  override onSecure(socket: Socket | TLSSocket, session: SMTPServerSession, callback: Answer<void>): void {
    noteProtection(session, socket)
    session.disabledCommands = undefined
    callback()
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
    this.#answer(session, this.#reception.mail(session), callback)
  }

  override onRcptTo({ address }: SMTPServerAddress, session: SMTPServerSession, callback: Answer<void>): void {
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

  #answer<Value>(session: SMTPServerSession, step: Promise<Value>, callback: Answer<Value>): void {
    step.then(
      (value) => callback(null, value),
      (error) => callback(this.#refusal(error, session)),
    )
  }

  /** The reply follows the final dot, so the rest of the message is read first. */
  async #refuse(error: unknown, stream: SMTPServerDataStream, session: SMTPServerSession, callback: Answer<string>) {
    if (isBroken(stream)) {
      this.#logger.info(detailsOf(session), 'Connection broke before the final dot, nothing stored')
      return
    }
    const refusal = this.#refusal(error, session)
    if (await discard(stream, this.#limits.discardBytesMax)) callback(refusal)
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

function serverOptions({ tls }: SmtpOptions, domains: readonly string[], limits: SmtpLimits): SMTPServerOptions {
  return {
    ...tls,
    name: domains[0],
    banner: 'Cenote',
    heloResponse: '%s greets %s',
    logger: false,
    disableReverseLookup: true,
    hideENHANCEDSTATUSCODES: false,
    hidePIPELINING: false,
    // Who may send, and where AUTH may go in clear, is for verify.ts to say.
    authOptional: true,
    allowInsecureAuth: true,
    authMethods: ['PLAIN', 'LOGIN'],
    disabledCommands: tls ? commandsNever : [...commandsNever, 'STARTTLS'],
    maxClients: limits.clientsMax,
    maxRecipients: limits.recipientsMax,
    maxCommandLength: limits.commandBytesMax,
    size: limits.messageBytesMax,
    socketTimeout: limits.idleMsMax,
    closeTimeout: limits.drainMsMax,
  }
}
