import koffi from 'koffi'
import { errnoName } from './errno.ts'

const SOL_SOCKET = 1
const SO_ERROR = 4
const INT_BYTES = 4
const EPIPE = 32

const IPPROTO_TCP = 6
const TCP_INFO = 11
/** The state is the first of the bytes that are asked for (linux/tcp.h, struct tcp_info). */
const STATE_BYTES = 1
const TCP_CLOSE = 7

type Call = (descriptor: number, level: number, option: number, value: Uint8Array, bytes: number[]) => number
let getsockopt: Call | undefined

/**
 * Why the connection of a TCP socket that says its peer has ended was in truth cut: `ECONNRESET`, `ETIMEDOUT`;
 * undefined when the peer's FIN did come. To be asked in the turn in which the end is told, before anything is shut
 * down; the answer clears the socket's error (SO_ERROR, socket(7)).
 *
 * An end of file alone does not tell: when bytes and a reset wait together, libuv takes the bytes and, on POLLHUP,
 * reports an end without asking for the error (uv__stream_io in src/unix/stream.c). A reset that follows a FIN is
 * EPIPE (tcp_reset in net/ipv4/tcp_input.c) and cuts nothing. The error may be gone, too: a write that failed has taken
 * it, of a TLS ticket perhaps. A connection that its peer has ended and we have not is in CLOSE_WAIT; one that is in
 * CLOSE was cut.
 */
export function cutOf(descriptor: number): string | undefined {
  const error = option(descriptor, SOL_SOCKET, SO_ERROR, INT_BYTES)?.readInt32LE()
  const state = option(descriptor, IPPROTO_TCP, TCP_INFO, STATE_BYTES)?.[0]
  if (error === undefined || state === undefined) return errnoName(koffi.errno())
  if (error === EPIPE) return undefined
  if (error !== 0) return errnoName(error)
  return state === TCP_CLOSE ? 'ECONNRESET' : undefined
}

/** Undefined when the descriptor is no socket of TCP's: then nobody can say that its peer has ended. */
function option(descriptor: number, level: number, name: number, length: number): Buffer | undefined {
  getsockopt ??= koffi.load(null).func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)') as Call
  const value = Buffer.alloc(length)
  return getsockopt(descriptor, level, name, value, [length]) === 0 ? value : undefined
}
