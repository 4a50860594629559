import { domainToASCII } from 'node:url'
import type { Principal, UnverifiedFate } from '../../streams/index.ts'
import { StoreError } from '../../streams/index.ts'
import type { Networks } from '../networks.ts'
import type { Address } from './mailbox.ts'

/** How the mail of some addresses is taken (docs/doors/email.md). */
export interface MailRoute {
  /** The pattern of its addresses. */
  readonly id: string
  readonly bucket: string
  /** '' or a folder, such as `invoices/`. */
  readonly prefix: string
  /** As the door has it when it is absent. */
  readonly parts?: boolean | undefined
  /** Hosts whose mail is taken without a login, and not verified. */
  readonly networks: Networks
  /** Strangers: mail that any host may deliver, and that is verified first. Absent where none is taken. */
  readonly strangers?: Strangers | undefined
  /** What mail acts as whose sender did not log in; throws ERR_FORBIDDEN where that may not send from `address`. */
  actor(address: string): Principal | undefined
}

export interface Strangers {
  /** Domains of authors: `example.com`, `*.example.com`, `*`. */
  readonly senders: readonly string[]
  /** What becomes of mail that is not proved to come from one of these. */
  readonly unverified: UnverifiedFate
}

/** What the door asks of the routes that there are at this moment. */
export interface MailRoutes {
  /** The one whose pattern says most of the address. */
  find(address: Address): MailRoute | undefined
  /** Whether the mail of a host is taken by some route, though it did not log in. */
  admits(peer: string): boolean
}

const LOCAL_CHARACTERS_MAX = 64

/**
 * Routes by their patterns: `local@domain`, also with any `+tag`, and `beginning*@domain`. The one with the longest text
 * before `*` or `@` is it, and a whole address before a pattern of the same length.
 */
export class RouteTable<Route extends MailRoute = MailRoute> implements MailRoutes {
  readonly #routes = new Map<string, Route>()

  get size(): number {
    return this.#routes.size
  }

  [Symbol.iterator](): Iterator<Route> {
    return this.#routes.values()
  }

  get(id: string): Route | undefined {
    return this.#routes.get(id)
  }

  set(route: Route): void {
    this.#routes.set(route.id, route)
  }

  delete(id: string): boolean {
    return this.#routes.delete(id)
  }

  find({ local, domain }: Address): Route | undefined {
    if (local.length > LOCAL_CHARACTERS_MAX) return undefined // RFC 5321 section 4.5.3.1.1
    const plus = local.indexOf('+')
    for (let length = local.length; length >= 0; length--) {
      const text = local.slice(0, length)
      const isWhole = length === local.length || length === plus
      const route = (isWhole && this.#routes.get(`${text}@${domain}`)) || this.#routes.get(`${text}*@${domain}`)
      if (route) return route
    }
    return undefined
  }

  admits(peer: string): boolean {
    for (const { strangers, networks } of this.#routes.values()) if (strangers || networks.has(peer)) return true
    return false
  }
}

/** A pattern in the one form that it is known by. Throws ERR_INVALID for what is none. */
export function patternOf(text: string): string {
  const [, local = '', domain = ''] = /^([^@\s"\\*]*\*?)@([^@\s*]+)$/u.exec(text) ?? []
  const ascii = domainToASCII(domain)
  if (local !== '' && local.length <= LOCAL_CHARACTERS_MAX && ascii !== '' && !/\p{Cc}/u.test(local))
    return `${local.toLowerCase()}@${ascii}`
  throw new StoreError(
    'ERR_INVALID',
    `'${text}' is no address of a route: name@example.org, name+tag@example.org, name*@example.org or *@example.org`,
  )
}

/** A domain of senders in the one form that it is known by. Throws ERR_INVALID for what is none. */
export function senderDomainOf(text: string): string {
  if (text === '*') return text
  const [, any = '', domain = ''] = /^(\*\.)?([^*@\s]+)$/u.exec(text) ?? []
  const ascii = domainToASCII(domain)
  if (ascii !== '') return `${any}${ascii}`
  throw new StoreError('ERR_INVALID', `'${text}' is no domain of senders: example.com, *.example.com or *`)
}

/** Whether an author's domain is one of these. */
export function isSender(domain: string, senders: readonly string[]): boolean {
  const ascii = domainToASCII(domain)
  const is = (sender: string) =>
    sender === '*' || sender === ascii || (sender.startsWith('*.') && ascii.endsWith(sender.slice(1)))
  return ascii !== '' && senders.some(is)
}
