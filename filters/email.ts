import type { Attributes, DsnFacts, EmailFacts, Envelope, Plain, Stage } from '../streams/index.ts'
import { bareAddress } from './address.ts'
import { bounded, LIST_LENGTH_MAX } from './bounds.ts'
import { headerAttributes } from './header-section.ts'
import { MailParts, partAttributes } from './mail-parts.ts'
import type { MimeStructure } from './mime/attachment.ts'
import { MimeReader } from './mime/mime-reader.ts'

/** Of a part nothing is read: what is known of it came with its envelope. */
export interface EmailState {
  readonly facts: EmailFacts
  readonly reader: MimeReader
  readonly parts: MailParts
}

type FrozenEmail = { readonly reader: Plain; readonly keys: readonly string[]; readonly key: string }

function stateOf(envelope: Envelope<EmailFacts>, frozen?: FrozenEmail): EmailState {
  const { facts } = envelope
  const parts = new MailParts(envelope, frozen?.keys, frozen?.key)
  return { facts, parts, reader: new MimeReader(parts, facts.parts, frozen?.reader) }
}

/**
 * The filter of request type email: the envelope of the mail (RFC 5321), the header section of its message (RFC 5322)
 * and the structure of that (RFC 2045). Of the message no more than the header section is kept. Where the envelope says
 * so, its attachments come out as objects of their own.
 */
export const email: Stage<EmailState, EmailFacts> = {
  name: 'email',
  start(envelope) {
    return stateOf(envelope)
  },
  step(state, chunk) {
    if (!state.facts.part) state.reader.step(chunk)
    return state
  },
  derive({ facts, reader, parts }, hasEnded) {
    if (hasEnded && !facts.part) reader.end()
    return parts.take()
  },
  freeze({ reader, parts: { keys, key } }) {
    const frozen: FrozenEmail = { reader: reader.freeze(), keys: [...keys], key }
    return frozen
  },
  thaw(plain, envelope) {
    return stateOf(envelope, plain as FrozenEmail)
  },
  finish({ facts, reader, parts }) {
    if (facts.part) return partAttributes(facts, facts.part)
    const structure = reader.end()
    return {
      ...envelopeAttributes(facts),
      ...headerAttributes(reader.headerSection),
      ...(reader.section === 'truncated' ? { 'email.headers-truncated': true } : {}),
      ...structureAttributes(structure),
      ...(parts.keys.length > 0 && { 'email.parts': parts.keys }),
    }
  },
}

/** An address as it came when it is none by RFC 5322: the envelope is evidence. */
function envelopeAttributes({ mailFrom, rcptTo, helo, secure, tag, route, tls, login, dsn }: EmailFacts): Attributes {
  return {
    'email.mail-from': bareAddress(mailFrom) || bounded(mailFrom),
    'email.rcpt-to': rcptTo.slice(0, LIST_LENGTH_MAX).map((address) => bareAddress(address) || bounded(address)),
    'email.helo': bounded(helo),
    'email.secure': secure,
    ...(tag === undefined ? {} : { 'email.tag': bounded(tag) }),
    ...(route === undefined ? {} : { 'email.route': bounded(route) }),
    ...(tls && { 'email.tls-version': bounded(tls.version), 'email.tls-cipher': bounded(tls.cipher) }),
    ...(login !== undefined && { 'email.login': bounded(login) }),
    ...(dsn && dsnAttributes(dsn)),
  }
}

function dsnAttributes({ ret, envid, recipients }: DsnFacts): Attributes {
  const told = (of: 'notify' | 'orcpt') =>
    recipients.flatMap((recipient) => (recipient[of] ? [bounded(`${recipient.address} ${recipient[of]}`)] : []))
  const [notify, orcpt] = [told('notify').slice(0, LIST_LENGTH_MAX), told('orcpt').slice(0, LIST_LENGTH_MAX)]
  return {
    ...(ret !== undefined && { 'email.dsn-ret': bounded(ret) }),
    ...(envid !== undefined && { 'email.dsn-envid': bounded(envid) }),
    ...(notify.length > 0 && { 'email.dsn-notify': notify }),
    ...(orcpt.length > 0 && { 'email.dsn-orcpt': orcpt }),
  }
}

function structureAttributes({ count, names, types, sizes, isTnef, protection, findings }: MimeStructure): Attributes {
  return {
    'email.attachment-count': count,
    ...(names.length > 0 && {
      'email.attachment-names': names,
      'email.attachment-types': types,
      'email.attachment-sizes': sizes.map(String),
    }),
    ...(isTnef && { 'email.tnef': true }),
    ...(protection.length > 0 && { 'email.protection': protection }),
    ...(findings.length > 0 && { 'email.findings': findings }),
  }
}
