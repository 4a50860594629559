import type { Readable } from 'node:stream'
import type { SMTPServerSession } from 'smtp-server'
import { type Origin, type Receipt, type Store, StoreError } from '../../streams/index.ts'
import { domainSet, envelopesOf, keyOf, mailboxOf, originOf, type Recipient, recipientsOf } from './envelope.ts'
import { receive } from './message.ts'
import { bucketsMax, type SmtpSettings } from './options.ts'
import { Refusal } from './refusal.ts'
import type { UlidSource } from './ulid.ts'
import type { Verifier } from './verify.ts'

/** The steps of a mail transaction (RFC 5321 section 3.3) towards the store. Each throws to refuse its command. */
export class Reception {
  readonly #store: Store
  readonly #verifier: Verifier
  readonly #ulids: UlidSource
  readonly #domains: ReadonlySet<string>
  readonly #messageBytesMax: number
  readonly #parts: boolean

  constructor(store: Store, verifier: Verifier, ulids: UlidSource, { domains, limits, parts }: SmtpSettings) {
    this.#store = store
    this.#verifier = verifier
    this.#ulids = ulids
    this.#domains = domainSet(domains)
    this.#messageBytesMax = limits.messageBytesMax
    this.#parts = parts
  }

  /** MAIL FROM: anybody's name, from an application that is known. */
  async mail(session: SMTPServerSession): Promise<void> {
    this.#verifier.principalOf(session)
  }

  /** RCPT TO: a bucket that exists, for mail never creates one, and that would take an upload at this moment. */
  async recipient(address: string, session: SMTPServerSession): Promise<void> {
    const mailbox = mailboxOf(address, this.#domains)
    if (!mailbox) throw new Refusal(550, '5.1.1', 'No mail is taken here for that domain')
    const recipients = [...recipientsOf(session, this.#domains), { ...mailbox, address }]
    if (new Set(recipients.map(({ bucket }) => bucket)).size > bucketsMax) {
      throw new Refusal(452, '4.5.3', `Too many recipients: a message goes to at most ${bucketsMax} buckets`)
    }
    await this.#admit({ ...mailbox, address }, session)
  }

  /**
   * Asks the store by beginning an upload and letting go of it: what it would refuse later, a missing bucket or
   * permission or space, it refuses now, before the body is sent.
   */
  async #admit(recipient: Recipient, session: SMTPServerSession): Promise<void> {
    const [envelope] = envelopesOf(session, this.#origin(session), [recipient], keyOf(this.#ulids.next()))
    try {
      const upload = await this.#store.begin(envelope!)
      await upload.abort()
    } catch (error) {
      const unknown = error instanceof StoreError && ['ERR_NOT_FOUND', 'ERR_INVALID'].includes(error.code)
      throw unknown ? new Refusal(550, '5.1.1', 'No bucket of that name here', { cause: error }) : error
    }
  }

  /** DATA: resolves, once the message is durable in all of its buckets, with the text of the reply. */
  async data(stream: Readable, session: SMTPServerSession): Promise<string> {
    const recipients = recipientsOf(session, this.#domains).map((one) => ({ ...one, parts: this.#parts }))
    const envelopes = envelopesOf(session, this.#origin(session), recipients, keyOf(this.#ulids.next()))
    return replyText(await receive(stream, this.#store, envelopes, this.#messageBytesMax))
  }

  #origin(session: SMTPServerSession): Origin {
    return originOf(session, this.#verifier.principalOf(session))
  }
}

function replyText(receipts: readonly Receipt[]): string {
  return `Stored ${receipts.map(({ object, version }) => `object ${object} version ${version}`).join(', ')}`
}
