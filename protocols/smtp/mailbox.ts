import { domainToASCII } from 'node:url'
import { StoreError } from '../../streams/index.ts'
import type { MailRoute, MailRoutes } from './route.ts'

/** An address, case-folded: `local@domain`, whose local part may be `name+tag`. */
export interface Address {
  readonly local: string
  /** In ASCII (RFC 5890). */
  readonly domain: string
}

/** Where the mail of an address goes. */
export interface Mailbox {
  readonly bucket: string
  /** What keys begin with there. */
  readonly prefix: string
  /** The part after the first `+` of the local part. */
  readonly tag?: string
  /** Whether attachments become objects of their own, beside the message. */
  readonly parts: boolean
  /** By which it goes there; absent where the address names its bucket itself. */
  readonly route?: MailRoute
}

export interface MailboxSettings {
  readonly domains: readonly string[]
  readonly routes: MailRoutes
  readonly parts: boolean
}

/** The addresses that mail is taken for: those of routes and, in the door's own domains, those that name a bucket. */
export class Mailboxes {
  readonly #domains: ReadonlySet<string>
  readonly #domain: string
  readonly #routes: MailRoutes
  readonly #parts: boolean

  /** @throws {StoreError} ERR_INVALID for what is no domain */
  constructor({ domains, routes, parts }: MailboxSettings) {
    this.#domains = domainSet(domains)
    this.#domain = [...this.#domains][0] ?? ''
    this.#routes = routes
    this.#parts = parts
  }

  /**
   * Undefined for an address that is none of ours. One without a domain, which RFC 5321 section 4.1.1.3 allows to
   * postmaster alone, is in the first of our domains.
   */
  find(text: string): Mailbox | undefined {
    const address = addressOf(text.includes('@') ? text : `${text}@${this.#domain}`)
    const [name = '', ...after] = address.local.split('+')
    const tag = after.join('+')
    const tagged = tag === '' ? {} : { tag }
    const route = this.#routes.find(address)
    if (route) {
      const { bucket, prefix, parts = this.#parts } = route
      return { bucket, prefix, ...tagged, parts, route }
    }
    return this.#domains.has(address.domain) ? { bucket: name, prefix: '', ...tagged, parts: this.#parts } : undefined
  }
}

export function addressOf(text: string): Address {
  const at = text.lastIndexOf('@')
  return { local: text.slice(0, at).toLowerCase(), domain: domainToASCII(text.slice(at + 1)) }
}

/** Domains in the form that they are compared in: ASCII, lower case. */
function domainSet(domains: readonly string[]): ReadonlySet<string> {
  const invalid = domains.find((domain) => domainToASCII(domain) === '')
  if (invalid !== undefined) throw new StoreError('ERR_INVALID', `'${invalid}' is no domain`)
  return new Set(domains.map(domainToASCII))
}
