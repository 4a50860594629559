import type { Attributes, Derived, EmailFacts, Envelope, PartFacts } from '../streams/index.ts'
import { bareAddress } from './address.ts'
import { bounded } from './bounds.ts'
import type { Attachment, AttachmentEvents } from './mime/attachment.ts'
import { NAME_BYTES_MAX, safeName } from './mime/safe-name.ts'

/** Of a key, as the store has it: filters know no more of that than its types. */
export const KEY_BYTES_MAX = 1024

/** Makes an object of each attachment that it is told of, beside the message and linked to it. */
export class MailParts implements AttachmentEvents {
  readonly #message: Envelope<EmailFacts>
  /** Of the parts that are whole, in their order. */
  readonly keys: string[]
  #derived: Derived[] = []
  #key: string

  constructor(message: Envelope<EmailFacts>, keys: readonly string[] = [], key = '') {
    this.#message = message
    this.keys = [...keys]
    this.#key = key
  }

  /** The key of the part that has begun and not ended; '' when none has. */
  get key(): string {
    return this.#key
  }

  begin({ number, entity }: Attachment): void {
    const { type: mediaType, declared: declaredType, name, disposition, contentId } = entity
    const message = this.#message.name.key
    const part = { message, number, mediaType, declaredType, name, disposition, contentId }
    const envelope = partEnvelope(this.#message, part)
    this.#key = envelope.name.key
    this.#derived.push({ kind: 'begin', envelope })
  }

  bytes(bytes: Buffer): void {
    this.#derived.push({ kind: 'bytes', bytes })
  }

  end(isWhole: boolean): void {
    if (isWhole) this.keys.push(this.#key)
    this.#key = ''
    this.#derived.push({ kind: 'end', isWhole })
  }

  take(): readonly Derived[] {
    const derived = this.#derived
    this.#derived = []
    return derived
  }
}

function partEnvelope({ origin, name, facts }: Envelope<EmailFacts>, part: PartFacts): Envelope<EmailFacts> {
  const { parts: _parts, ...transfer } = facts
  return {
    origin,
    name: { bucket: name.bucket, key: partKey(part) },
    facts: { ...transfer, part },
    expected: {},
    attributes: {},
    refers: { 'email.message': name },
  }
}

/** `2025/03/01/<ULID>/2.1-scan.pdf` beside `2025/03/01/<ULID>.eml`: the number tells parts of one name apart. */
export function partKey({ message, number, name, mediaType }: PartFacts): string {
  const folder = message.replace(/\.eml$/, '')
  const bytesMax = Math.min(NAME_BYTES_MAX, KEY_BYTES_MAX - Buffer.byteLength(folder) - 1)
  return `${folder}/${number}-${safeName(name, mediaType, bytesMax - number.length - 1)}`
}

/** What is known of a part: from the message that it came with, where more is known. */
export function partAttributes({ mailFrom }: EmailFacts, part: PartFacts): Attributes {
  const { message, number, declaredType, name, disposition, contentId } = part
  return {
    'email.mail-from': bareAddress(mailFrom) || bounded(mailFrom),
    'email.message-key': message,
    'email.part': number,
    ...(declaredType !== '' && { 'content.declared-type': declaredType }),
    ...(name !== '' && { 'email.part-name': name }),
    ...(disposition !== '' && { 'email.disposition': disposition }),
    ...(contentId !== '' && { 'email.content-id': contentId }),
  }
}
