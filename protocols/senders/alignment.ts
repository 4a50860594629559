import { domainToASCII } from 'node:url'
import { getDomain } from 'tldts'

/** Every owner of a name below a public suffix is somebody else, be the suffix ICANN's or a company's. */
const OWNERS = { allowPrivateDomains: true }

/** The domain of an address in the form that it is compared in; '' for what has none. */
export function domainOf(address: string): string {
  return domainToASCII(address.slice(address.lastIndexOf('@') + 1).trim())
}

/** The domain that its owner registered (RFC 7489 section 3.2); undefined for a public suffix, and for what is no domain. */
export function organisationOf(domain: string): string | undefined {
  return getDomain(domain, OWNERS) ?? undefined
}

/** Whether a domain that was proved stands for the author's (RFC 7489 section 3.1). */
export function isAligned(proved: string, author: string, isStrict: boolean): boolean {
  const [domain, ours] = [domainToASCII(proved), domainToASCII(author)]
  if (domain === '' || domain === ours) return domain !== ''
  const organisation = organisationOf(domain)
  return !isStrict && organisation !== undefined && organisation === organisationOf(ours)
}
