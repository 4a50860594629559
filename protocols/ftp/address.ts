import type { Socket } from 'node:net'
import { plainAddress } from '../address.ts'

/** Both ends of a control connection: a data connection uses the same ones, and no other host can be reached by it. */
export interface Route {
  readonly localAddress: string
  readonly peerAddress: string
}

export function routeOf(socket: Socket): Route {
  return { localAddress: plainAddress(socket.localAddress), peerAddress: plainAddress(socket.remoteAddress) }
}
