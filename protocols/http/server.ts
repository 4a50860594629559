import { createServer, type RequestListener, type Server, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { refuse } from './answer.ts'
import { HttpError, problemOf } from './error.ts'
import type { Exchanges } from './exchanges.ts'
import type { HttpLimits } from './options.ts'
import { Pipelining } from './pipelining.ts'

/** Bytes that a connection may hold of a body before the socket is made to wait. */
const highWaterMark = 128 * 1024

export interface HttpServerOptions {
  readonly listener: RequestListener
  readonly limits: HttpLimits
  readonly exchanges: Exchanges
}

/** node's server, with every bound set, and with a problem for what never becomes a request. */
export function createHttpServer({ listener, limits, exchanges }: HttpServerOptions): Server {
  const server = createServer({
    highWaterMark,
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersMsMax,
    // How long a whole request takes is the client's line; a body that stalls is noticed by its own time-out.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(limits.headersMsMax, 30_000),
    keepAliveTimeout: limits.keepAliveMsMax,
  })
  server.setTimeout(limits.bodyIdleMsMax, (socket: Socket) => exchanges.onQuiet(socket))
  server.maxConnections = limits.connectionsMax
  // The bytes of headers are bounded; beyond a count of them node would drop some without a word.
  server.maxHeadersCount = 0
  const pipelining = new Pipelining(limits.pipelinedMax)
  server.on('request', pipelining.inTurn(listener))
  // Without a listener of its own a request with Expect would be asked for its body before it is verified.
  server.on('checkContinue', pipelining.inTurn(listener))
  const refuseExpectation: RequestListener = (request, response) =>
    refuse(request, response, new HttpError(417, 'ERR_UNSUPPORTED', 'Expect knows 100-continue only'), limits)
  server.on('checkExpectation', pipelining.inTurn(refuseExpectation))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (socket.writable && exchanges.mayRefuse(socket)) socket.end(messageOf(errorOf(error)))
    else socket.destroy()
  })
  return server
}

function errorOf({ code }: NodeJS.ErrnoException): HttpError {
  if (code === 'HPE_HEADER_OVERFLOW') return new HttpError(431, 'ERR_TOO_LARGE', 'the headers are too long')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new HttpError(408, 'ERR_TIMEOUT', 'the headers did not come in time')
  return new HttpError(400, 'ERR_INVALID', 'that is no HTTP request')
}

function messageOf(error: HttpError): string {
  const body = JSON.stringify(problemOf(error))
  const headers = ['Content-Type: application/problem+json', `Content-Length: ${Buffer.byteLength(body)}`]
  return [`HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`, ...headers, 'Connection: close', '', body].join(
    '\r\n',
  )
}
