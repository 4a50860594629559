import { isIPv6, type Socket, SocketAddress } from 'node:net'

/** An address in one spelling, and an IPv4 address as such, also where a socket for IPv6 carries it. */
export function plainAddress(address: string | undefined): string {
  const plain = (address ?? '').replace(/^::ffff:(?=\d+\.)/, '')
  return isIPv6(plain) ? new SocketAddress({ address: plain, family: 'ipv6' }).address : plain
}

/** Both ends of a control connection: a data connection uses the same ones, and no other host can be reached by it. */
export interface Route {
  readonly localAddress: string
  readonly peerAddress: string
}

export function routeOf(socket: Socket): Route {
  return { localAddress: plainAddress(socket.localAddress), peerAddress: plainAddress(socket.remoteAddress) }
}
