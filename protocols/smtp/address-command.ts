import { domainToUnicode } from 'node:url'

/** Octets of an address; a path is two longer, its brackets (RFC 5321 section 4.5.3.1.3). */
export const addressBytesMax = 254

const command = /^([^:]*:)\s*(?:<([^<>]*)>|([^\s<>]+))(?=\s|$)(.*)$/s
/** RFC 5321 section 4.1.2 and appendix C: a source route must be accepted, and should be ignored. */
const sourceRoute = /^@[^\s,:@]+(?:,@[^\s,:@]+)*:/
/** White space and control characters, and such as are not seen: they forge logs and header fields. */
const forbidden = /[\s\p{Cc}\u200B\u2060\uFEFF]/u

/** What a MAIL or RCPT command names, and the command without it: with `<>` in its place. */
export interface AddressCommand {
  readonly address: string
  readonly bare: string
}

/**
 * Takes the address out of a MAIL or RCPT command; undefined when there is none, or one that is no address. More is taken
 * than RFC 5321 section 4.1.2 has, of what devices send and Postfix takes, too: spaces around the address, an address
 * without its brackets, and, in brackets, a sender without a domain (`copier`). What follows an `@` may be any name: it is what
 * a device is called on its network.
 */
export function takeAddress(line: string): AddressCommand | undefined {
  const [, start = '', path, alone = '', parameters = ''] = command.exec(line) ?? []
  // Without brackets, what has no `@` may be a parameter as well.
  if (path === undefined && !alone.includes('@')) return undefined
  const address = (path ?? alone).trim().replace(sourceRoute, '')
  if (forbidden.test(address) || Buffer.byteLength(address) > addressBytesMax) return undefined
  const bare = `${start}<>${parameters}`
  const [local = '', domain, ...more] = address.split('@')
  if (domain === undefined) return mayLackDomain(start, address) ? { address, bare } : undefined
  if (local === '' || domain === '' || more.length > 0) return undefined
  return { address: `${local}@${shown(domain)}`, bare }
}

/** Senders, nobody's among them, and of recipients the postmaster (RFC 5321 section 4.1.1.3). */
function mayLackDomain(start: string, address: string): boolean {
  return /^mail/i.test(start) || address.toLowerCase() === 'postmaster'
}

/** As people write it; what is no name that IDNA knows stays as it is. */
function shown(domain: string): string {
  return /(^|\.)xn--/i.test(domain) ? domainToUnicode(domain) || domain : domain
}
