import { BlockList, isIP } from 'node:net'
import { StoreError } from '../streams/index.ts'

/** Of an IPv4 address in IPv6's clothes (RFC 4291 section 2.5.5.2): a shorter prefix takes in all of IPv4, and more. */
const MAPPED_BITS_MIN = 96

/** Addresses and CIDR ranges: `192.0.2.7`, `10.0.0.0/8`, `fd00::/8`. */
export class Networks {
  readonly #list = new BlockList()

  /** Throws ERR_INVALID for what is neither an address nor a range. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) this.#add(range)
  }

  /** An IPv4 address is known in IPv6's clothes, too. */
  has(address: string): boolean {
    const family = familyOf(address)
    return family !== undefined && this.#list.check(address, family)
  }

  #add(range: string): void {
    const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(range) ?? []
    const family = familyOf(address)
    const bitsMax = family === 'ipv4' ? 32 : 128
    const bits = Number(prefix ?? bitsMax)
    if (!family || bits > bitsMax)
      throw new StoreError('ERR_INVALID', `'${range}' is neither an address nor a range such as 10.0.0.0/8`)
    if (family === 'ipv6' && address.includes('.') && bits < MAPPED_BITS_MIN)
      throw new StoreError('ERR_INVALID', `'${range}' is more than IPv4 addresses: write it without ::ffff:`)
    this.#list.addSubnet(address, bits, family)
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6'
}
