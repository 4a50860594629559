import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { onRequestAsyncHookHandler } from 'fastify'
import { type Access, type Credentials, type Origin, StoreError } from '../../streams/index.ts'
import { hostPort } from '../address.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; known in every route behind verification(). */
    origin: Origin
  }
}

/** Proves who asks, before a byte of the body is read. */
export function verification(access: Access): onRequestAsyncHookHandler {
  return async (request) => {
    const { raw } = request
    const principal = await access.verify(credentialsOf(raw.headers.authorization), 'http', raw.socket.remoteAddress)
    request.origin = { principal, protocol: 'http', peer: peerOf(raw), request: request.id }
  }
}

/** `Authorization: Bearer key:secret` or Basic (RFC 7617). Throws ERR_UNAUTHENTICATED where there is neither. */
export function credentialsOf(header: string | undefined): Credentials {
  if (header === undefined) throw new StoreError('ERR_UNAUTHENTICATED', 'the request shows no credentials')
  const [, scheme = '', token = ''] = /^(bearer|basic) +(\S.*)$/i.exec(header) ?? []
  const pair = scheme.toLowerCase() === 'basic' ? Buffer.from(token, 'base64').toString() : token
  const colon = pair.indexOf(':')
  if (colon > 0) return { key: pair.slice(0, colon), secret: pair.slice(colon + 1) }
  throw new StoreError('ERR_UNAUTHENTICATED', 'credentials are Bearer key:secret, or Basic')
}

function peerOf({ socket }: IncomingMessage & { readonly socket: Socket }): string {
  return hostPort(socket.remoteAddress ?? '', socket.remotePort ?? 0)
}
