import koffi from 'koffi'
import { errnoName } from './errno.ts'

const SOL_SOCKET = 1
const SO_ERROR = 4
const INT_BYTES = 4
const EPIPE = 32

type Call = (descriptor: number, level: number, option: number, value: number[], bytes: number[]) => number
let getsockopt: Call | undefined

/**
 * Why the connection of a TCP socket that says its peer has ended was in truth cut: `ECONNRESET`, `ETIMEDOUT`;
 * undefined when the peer's FIN did come. Taking the answer clears it (SO_ERROR, socket(7)).
 *
 * An end of file alone does not tell: when bytes and a reset wait together, libuv takes the bytes and, on POLLHUP,
 * reports an end without asking for the error (uv__stream_io in src/unix/stream.c). A reset that follows a FIN is
 * EPIPE (tcp_reset in net/ipv4/tcp_input.c) and cuts nothing.
 */
export function cutOf(descriptor: number): string | undefined {
  getsockopt ??= koffi.load(null).func('int getsockopt(int, int, int, _Out_ int *, _Inout_ uint32_t *)') as Call
  const error = [0]
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, error, [INT_BYTES]) !== 0) return errnoName(koffi.errno())
  return error[0] === 0 || error[0] === EPIPE ? undefined : errnoName(error[0]!)
}
