import { isIP, isIPv6, SocketAddress } from 'node:net'

/** `address:port`, an IPv6 address in brackets. */
export function hostPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}

/** An address in one spelling, and an IPv4 address as such, also where a socket for IPv6 carries it. */
export function plainAddress(address: string | undefined): string {
  const plain = (address ?? '').replace(/^::ffff:(?=\d+\.)/, '')
  return isIPv6(plain) ? new SocketAddress({ address: plain, family: 'ipv6' }).address : plain
}

/**
 * Whom an address stands for: itself, or the network of 64 bits that an IPv6 address is in, all of which a host has
 * that has one of it (RFC 6177 section 2).
 */
export function guestOf(address: string): string {
  const plain = plainAddress(address)
  if (!isIPv6(plain)) return plain
  const [before = '', after] = plain.replace(/%.*$/, '').split('::')
  const groups = before === '' ? [] : before.split(':')
  const rest = after ? after.split(':').flatMap((group) => (group.includes('.') ? [group, group] : [group])) : []
  while (after !== undefined && groups.length + rest.length < 8) groups.push('0')
  return `${[...groups, ...rest].slice(0, 4).join(':')}::/64`
}

/** Whether nobody but this machine reaches `host`, a name or an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
