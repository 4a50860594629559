import type { IncomingMessage, ServerResponse } from 'node:http'
import type { StoreError } from '../../streams/index.ts'
import { headersOf, problemOf } from './error.ts'
import type { HttpLimits } from './options.ts'

/** Nothing that the server says of itself runs, or is framed, in a browser. */
export const secureFields = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
}
/** The same, names and values alternately. */
export const secureHeaders: readonly string[] = Object.entries(secureFields).flat()

/** Writes a whole answer in one go. `headers` holds names and values alternately. */
export function answer(
  response: ServerResponse,
  status: number,
  headers: readonly string[],
  body: string | Buffer,
): void {
  if (response.destroyed) return
  response.writeHead(status, [...headers, 'Content-Length', String(Buffer.byteLength(body))])
  response.end(body)
}

/** An answer that has no body, of a status that has none (RFC 9110 section 8.6). */
export function answerNothing(response: ServerResponse, status: 204 | 304, headers: readonly string[]): void {
  if (response.destroyed) return
  response.writeHead(status, [...headers])
  response.end()
}

/**
 * Says no. When the client may still be sending a body, the connection ends with the answer: we send FIN, so that the
 * client sees the answer whole, and read on within bounds, because a close with unread bytes makes the kernel send a
 * reset that may take the answer away again (RFC 9112 section 9.6).
 */
export function refuse(source: IncomingMessage, response: ServerResponse, error: StoreError, limits: HttpLimits): void {
  if (response.headersSent) response.destroy()
  if (response.destroyed) return
  const problem = problemOf(error)
  const headers = ['Content-Type', 'application/problem+json', ...secureHeaders, ...headersOf(error)]
  const body = JSON.stringify(problem)
  if (!source.complete) headers.push('Connection', 'close')
  if (source.complete) answer(response, problem.status, headers, body)
  else {
    response.writeHead(problem.status, [...headers, 'Content-Length', String(Buffer.byteLength(body))])
    response.write(body)
    discard(source, limits)
  }
}

/** RFC 9112 section 6.3. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0)
}

function discard(source: IncomingMessage, { discardBytesMax, discardMsMax }: HttpLimits): void {
  const { socket } = source
  let left = discardBytesMax
  const timer = setTimeout(() => socket.destroy(), discardMsMax)
  socket.once('close', () => clearTimeout(timer))
  source.on('data', (chunk: Uint8Array) => {
    left -= chunk.length
    if (left < 0) socket.destroy()
  })
  source.on('end', () => socket.destroy())
  source.resume()
  socket.end()
}
