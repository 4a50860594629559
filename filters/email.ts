import type { Attributes, DsnFacts, EmailFacts, Plain, Stage } from '../streams/index.ts'
import { bareAddress } from './address.ts'
import { bounded, LIST_LENGTH_MAX } from './bounds.ts'
import { headerAttributes } from './header-section.ts'
import type { MimeStructure } from './mime/attachment.ts'
import { MimeReader } from './mime/mime-reader.ts'

export interface EmailState {
  readonly facts: EmailFacts
  readonly reader: MimeReader
}

/**
 * The filter of request type email: the envelope of the mail (RFC 5321), the header section of its message (RFC 5322)
 * and the structure of that (RFC 2045). Of the message no more than the header section is kept.
 */
export const email: Stage<EmailState, EmailFacts> = {
  name: 'email',
  start({ facts }) {
    return { facts, reader: new MimeReader() }
  },
  step(state, chunk) {
    state.reader.step(chunk)
    return state
  },
  freeze({ reader }) {
    return reader.freeze()
  },
  thaw(plain: Plain, { facts }) {
    return { facts, reader: new MimeReader(undefined, undefined, plain) }
  },
  finish({ facts, reader }) {
    const structure = reader.end()
    return {
      ...envelopeAttributes(facts),
      ...headerAttributes(reader.headerSection),
      ...(reader.section === 'truncated' ? { 'email.headers-truncated': true } : {}),
      ...structureAttributes(structure),
    }
  },
}

/** An address as it came when it is none by RFC 5322: the envelope is evidence. */
function envelopeAttributes({ mailFrom, rcptTo, helo, secure, tag, tls, login, dsn }: EmailFacts): Attributes {
  return {
    'email.mail-from': bareAddress(mailFrom) || bounded(mailFrom),
    'email.rcpt-to': rcptTo.slice(0, LIST_LENGTH_MAX).map((address) => bareAddress(address) || bounded(address)),
    'email.helo': bounded(helo),
    'email.secure': secure,
    ...(tag === undefined ? {} : { 'email.tag': bounded(tag) }),
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
