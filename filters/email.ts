import type { Attributes, EmailFacts, Stage } from '../streams/index.ts'
import { bareAddress } from './address.ts'
import { bounded, LIST_LENGTH_MAX } from './bounds.ts'
import { Head } from './head.ts'
import { headerAttributes, headerSectionEnd } from './header-section.ts'

/** The longest header section that is kept and read; of a longer one the lines within it count. */
export const HEADER_BYTES_MAX = 256 * 1024

export interface EmailState {
  readonly facts: EmailFacts
  readonly head: Head
  /** What is known of the header section: its end is still to come, was seen, or lies beyond `HEADER_BYTES_MAX`. */
  section: 'open' | 'complete' | 'truncated'
}

type FrozenEmail = { readonly head: string; readonly section: EmailState['section'] }

/**
 * The filter of request type email: the envelope of the mail (RFC 5321) and the header section of its message.
 * Of the message no more than the header section is kept.
 */
export const email: Stage<EmailState, EmailFacts> = {
  name: 'email',
  start({ facts }) {
    return { facts, head: new Head(HEADER_BYTES_MAX), section: 'open' }
  },
  step(state, chunk) {
    if (state.section !== 'open') return state
    const end = headerSectionEnd(state.head.bytes, chunk)
    const rest = end < 0 ? chunk : chunk.subarray(0, end)
    const room = HEADER_BYTES_MAX - state.head.bytes.length
    state.head.append(rest)
    if (rest.length > room) state.section = 'truncated'
    else if (end >= 0) state.section = 'complete'
    return state
  },
  freeze({ head, section }) {
    const frozen: FrozenEmail = { head: head.bytes.toString('base64'), section }
    return frozen
  },
  thaw(plain, { facts }) {
    const { head, section } = plain as FrozenEmail
    return { facts, head: new Head(HEADER_BYTES_MAX, Buffer.from(head, 'base64')), section }
  },
  finish({ facts, head, section }) {
    const bytes = head.bytes
    const lines = section === 'truncated' ? bytes.subarray(0, bytes.lastIndexOf('\n') + 1) : bytes
    return {
      ...envelopeAttributes(facts),
      ...headerAttributes(lines),
      ...(section === 'truncated' ? { 'email.headers-truncated': true } : {}),
    }
  },
}

/** An address as it came when it is none by RFC 5322: the envelope is evidence. */
function envelopeAttributes({ mailFrom, rcptTo, helo, secure, tag }: EmailFacts): Attributes {
  return {
    'email.mail-from': bareAddress(mailFrom) || bounded(mailFrom),
    'email.rcpt-to': rcptTo.slice(0, LIST_LENGTH_MAX).map((address) => bareAddress(address) || bounded(address)),
    'email.helo': bounded(helo),
    'email.secure': secure,
    ...(tag === undefined ? {} : { 'email.tag': bounded(tag) }),
  }
}
