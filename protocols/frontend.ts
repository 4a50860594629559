import type { Protocol } from '../streams/index.ts'

/** A door: it listens, drains and closes; everything else is its protocol's business. */
export interface Frontend {
  readonly protocol: Protocol
  /** Of a URL to it: its protocol, with an `s` where TLS is spoken from the first byte on; or `lmtp`. */
  readonly scheme: string
  /** Where it listens, `host:port`, once listen() resolved. */
  readonly address: string
  listen(): Promise<void>
  /** Stops accepting; resolves when uploads in flight are done. */
  drain(): Promise<void>
  /** Ends every connection. */
  close(): Promise<void>
}
