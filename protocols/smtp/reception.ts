import type { Readable } from 'node:stream'
import type { SMTPServerAddress, SMTPServerSession } from 'smtp-server'
import { type Principal, type Receipt, type Store, StoreError } from '../../streams/index.ts'
import type { SenderVerifier } from '../senders/contract.ts'
import { envelopesOf, folderOf, groupsOf, keyOf, type Recipient } from './envelope.ts'
import { Inspection } from './inspection.ts'
import { type Mailbox, Mailboxes } from './mailbox.ts'
import { receive } from './message.ts'
import { foldersMax, type SmtpSettings } from './options.ts'
import { Refusal } from './refusal.ts'
import type { MailRoutes } from './route.ts'
import type { UlidSource } from './ulid.ts'
import type { Verifier } from './verify.ts'

/** The steps of a mail transaction (RFC 5321 section 3.3) towards the store. Each throws to refuse its command. */
export class Reception {
  readonly #store: Store
  readonly #verifier: Verifier
  readonly #ulids: UlidSource
  readonly #mailboxes: Mailboxes
  readonly #routes: MailRoutes
  readonly #senders: SenderVerifier
  readonly #name: string
  readonly #messageBytesMax: number
  /** What the addresses of a message that were accepted stand for: a route may change before its bytes come. */
  readonly #recipients = new WeakMap<SMTPServerAddress, Recipient>()

  constructor(verifier: Verifier, ulids: UlidSource, settings: SmtpSettings) {
    this.#store = settings.store
    this.#verifier = verifier
    this.#ulids = ulids
    this.#mailboxes = new Mailboxes(settings)
    this.#routes = settings.routes
    this.#senders = settings.senders
    this.#name = settings.domains[0] ?? ''
    this.#messageBytesMax = settings.limits.messageBytesMax
  }

  /** MAIL FROM: anybody's name, from an application that is known, or where there are routes for others. */
  async mail(session: SMTPServerSession): Promise<void> {
    if (!this.#routes.admits(session.remoteAddress)) this.#verifier.principalOf(session)
  }

  /** RCPT TO: a bucket that exists, for mail never creates one, and that would take an upload at this moment. */
  async recipient(address: SMTPServerAddress, session: SMTPServerSession): Promise<void> {
    const mailbox = this.#mailboxes.find(address.address)
    if (!mailbox) throw new Refusal(550, '5.1.1', 'No mail is taken here for that domain')
    const recipient = { ...mailbox, address: address.address, ...this.#actorOf(mailbox, session) }
    requireTogether(recipient, this.#recipientsOf(session))
    await this.#admit(recipient, session)
    this.#recipients.set(address, recipient)
  }

  /** As whom the mail is stored; a stranger's is verified first. */
  #actorOf({ route }: Mailbox, session: SMTPServerSession): Pick<Recipient, 'principal' | 'isStranger'> {
    const known = this.#verifier.knownPrincipal(session)
    if (session.user || !route) return { principal: known ?? this.#verifier.principalOf(session), isStranger: false }
    const isTrusted = known !== undefined || route.networks.has(session.remoteAddress)
    if (!isTrusted && !route.strangers) this.#verifier.principalOf(session)
    return { principal: actorFor(route, session), isStranger: !isTrusted }
  }

  /** What the store would refuse later, a missing bucket or permission or space, is refused before the body is sent. */
  async #admit(recipient: Recipient, session: SMTPServerSession): Promise<void> {
    const [envelope] = envelopesOf(session, [recipient], keyOf(this.#ulids.next()))
    try {
      await this.#store.admits(envelope!)
    } catch (error) {
      const unknown = error instanceof StoreError && ['ERR_NOT_FOUND', 'ERR_INVALID'].includes(error.code)
      throw unknown ? new Refusal(550, '5.1.1', 'No bucket of that name here', { cause: error }) : error
    }
  }

  /** DATA: resolves, once the message is durable in all of its folders, with the text of the reply. */
  async data(stream: Readable, session: SMTPServerSession): Promise<string> {
    const recipients = this.#recipientsOf(session)
    const envelopes = envelopesOf(session, recipients, keyOf(this.#ulids.next()))
    const inspection = this.#inspectionOf(session, recipients)
    return replyText(await receive(stream, this.#store, { envelopes, inspection }, this.#messageBytesMax))
  }

  #inspectionOf(session: SMTPServerSession, recipients: readonly Recipient[]): Inspection | undefined {
    if (!recipients.some(({ isStranger }) => isStranger)) return undefined
    const { remoteAddress: peer, hostNameAppearsAs: helo, envelope } = session
    const mailFrom = envelope.mailFrom ? envelope.mailFrom.address : ''
    const check = this.#senders.begin({ peer, helo, mailFrom, receiver: this.#name })
    const strangers = groupsOf(recipients).map(([first]) => (first?.isStranger ? first.route : undefined))
    return new Inspection(check, strangers)
  }

  #recipientsOf({ envelope }: SMTPServerSession): readonly Recipient[] {
    return envelope.rcptTo.flatMap((address) => this.#recipients.get(address) ?? [])
  }
}

/** What is in one folder is one object: those who share it are dealt with alike, or come with a mail of their own. */
function requireTogether(recipient: Recipient, others: readonly Recipient[]): void {
  const folders = new Set([...others, recipient].map(folderOf))
  if (folders.size > foldersMax)
    throw new Refusal(452, '4.5.3', `Too many recipients: a message goes to at most ${foldersMax} folders`)
  const isOther = ({ principal, isStranger, route }: Recipient) =>
    principal.application !== recipient.principal.application ||
    isStranger !== recipient.isStranger ||
    (isStranger && route?.id !== recipient.route?.id)
  if (others.some((other) => folderOf(other) === folderOf(recipient) && isOther(other)))
    throw new Refusal(452, '4.5.3', 'Send this recipient a mail of its own: its route has other rules')
}

function actorFor(route: NonNullable<Mailbox['route']>, { remoteAddress }: SMTPServerSession): Principal {
  const principal = route.actor(remoteAddress)
  // RFC 3463 X.3.5: the mail is fine, and whoever runs this server has to mend it.
  if (!principal) throw new Refusal(451, '4.3.5', 'The application of this route is gone, try again later')
  return principal
}

function replyText(receipts: readonly Receipt[]): string {
  return `Stored ${receipts.map(({ object, version }) => `object ${object} version ${version}`).join(', ')}`
}
