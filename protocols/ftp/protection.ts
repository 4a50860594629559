import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { type SecureContext, TLSSocket } from 'node:tls'
import { Refusal } from './refusal.ts'
import { RECORD_READS, readIntoSpareMemory } from './wide-reads.ts'

/**
 * Bytes to a client that wait for its connection: they go to the system together, and under TLS are sealed together.
 */
export const DATA_WAITING_BYTES = 256 * 1024

/** How a door speaks TLS (RFC 4217). */
export interface FtpTls {
  /**
   * `offered`: AUTH TLS may be said; `required`: it must; `implicit`: TLS from the first byte on, at a port of its own.
   * Data moves in clear only where it is `offered`.
   */
  readonly mode: 'offered' | 'required' | 'implicit'
  /** A data connection must go on with a session of before: whoever stole its port has none (RFC 4217 section 10). */
  readonly reuseRequired: boolean
  /** The certificate of the moment; connections that are open keep theirs. */
  context(): SecureContext
}

/** PROT's levels: in clear, or private (RFC 2228 section 3). */
export type ProtectionLevel = 'C' | 'P'

/** The server's side of TLS over a connection. One that does not come up within `handshakeMsMax` is cut. */
export function wrap(connection: Socket, context: SecureContext, handshakeMsMax: number): TLSSocket {
  const options = { isServer: true, secureContext: context, highWaterMark: DATA_WAITING_BYTES }
  const secured = new TLSSocket(connection, options)
  const timer = setTimeout(() => connection.destroy(), handshakeMsMax)
  const settle = () => clearTimeout(timer)
  return secured.once('secure', settle).once('close', settle)
}

/** TLS over a data connection, up. Rejects with a Refusal 425 or, where no session of before goes on, 522. */
export async function protect(connection: Socket, tls: FtpTls, handshakeMsMax: number): Promise<TLSSocket> {
  const secured = wrap(connection, tls.context(), handshakeMsMax)
  readIntoSpareMemory(secured, RECORD_READS)
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause?: Error) => reject(new Refusal(425, 'TLS did not come up on the data connection', { cause }))
    secured.once('secure', resolve).once('close', () => refuse())
    secured.on('error', refuse) // Later ones are told by the stream to whoever transfers over it.
  })
  await setImmediate() // In the turn of its handshake OpenSSL would send no close_notify (RFC 8446 section 6.1).
  if (!tls.reuseRequired || secured.isSessionReused()) return secured
  secured.destroy()
  throw new Refusal(522, 'The data connection must go on with the TLS session of the control connection')
}
