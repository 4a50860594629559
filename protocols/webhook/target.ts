import { BlockList, isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { StoreError } from '../../streams/index.ts'

export const TARGET_BYTES_MAX = 2048

/**
 * Where a webhook may go. A server stands where its clients may not reach, beside services that trust whoever is near:
 * what clients name must not let them reach there through it. So only addresses of the public internet are allowed,
 * and the networks that the configuration names.
 */
export class TargetRules {
  readonly #allowed = new BlockList()

  /** `networks` are addresses and networks in CIDR notation. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', bits] = network.split('/')
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
      if (bits === undefined) this.#allowed.addAddress(address, family)
      else this.#allowed.addSubnet(address, Number(bits), family)
    }
  }

  /** An IPv4 address that is written as one of IPv6 is what it says. */
  allows(address: string): boolean {
    if (!ipaddr.isValid(address)) return false
    const parsed = ipaddr.process(address)
    const family = parsed.kind()
    return isPublic(parsed) || this.#allowed.check(parsed.toString(), family)
  }

  /** Throws ERR_INVALID for what can be no target, whatever its host's name may stand for. */
  parse(text: string): URL {
    if (Buffer.byteLength(text) > TARGET_BYTES_MAX) throw invalid(`has at most ${TARGET_BYTES_MAX} bytes`)
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url === undefined || !['http:', 'https:'].includes(url.protocol)) throw invalid('is an http or https URL')
    if (url.username !== '' || url.password !== '') throw invalid('has no credentials in it')
    if (url.hash !== '') throw invalid('has no fragment')
    const address = url.hostname.replace(/^\[|\]$/g, '')
    if (isIP(address) !== 0 && !this.allows(address)) throw notAllowed(address)
    return url
  }
}

/** Of IPv6 2000::/3 alone is given out for global unicast (RFC 4291 section 2.4, and IANA's registry). */
const GLOBAL_UNICAST = [ipaddr.IPv6.parse('2000::'), 3] as const

function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast') return false
  return !(address instanceof ipaddr.IPv6) || address.match(...GLOBAL_UNICAST)
}

export function notAllowed(address: string): StoreError {
  return new StoreError(
    'ERR_INVALID',
    `a webhook does not go to ${address}, which is no public address: webhooks.networks allows others`,
  )
}

function invalid(what: string): StoreError {
  return new StoreError('ERR_INVALID', `the target of a webhook ${what}`)
}
