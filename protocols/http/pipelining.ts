import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** An exchange that waits for its turn. */
type Waiting = () => void

/**
 * One exchange at a time on each connection, in the order of the requests (RFC 9112 section 9.3.2).
 *
 * Node hands over every request that a packet holds at once, and tells a response that still waits for the connection
 * neither that it may be written nor that the client has gone: its handler would wait for ever, and hold what it holds.
 * So a request waits here until the response before it is over, and then it owns the connection. More than
 * `pipelinedMax` that wait end the connection.
 */
export class Pipelining {
  readonly #pipelinedMax: number
  readonly #waiting = new Map<Socket, Waiting[]>()

  constructor(pipelinedMax: number) {
    this.#pipelinedMax = pipelinedMax
  }

  /** `listener`, called for a request once it has its turn. */
  inTurn(listener: RequestListener): RequestListener {
    return (request, response) => {
      const { socket } = request
      const waiting = this.#waiting.get(socket)
      if (waiting === undefined) this.#begin(listener, request, response)
      else if (waiting.length < this.#pipelinedMax) waiting.push(() => this.#begin(listener, request, response))
      else socket.destroy()
    }
  }

  #begin(listener: RequestListener, request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    // Node gives the connection to the next response before it closes the one before; none has it once it ends.
    if (response.socket !== socket) return void this.#waiting.delete(socket)
    if (!this.#waiting.has(socket)) this.#waiting.set(socket, [])
    response.once('close', () => this.#next(socket))
    listener(request, response)
  }

  #next(socket: Socket): void {
    const next = this.#waiting.get(socket)?.shift()
    if (next) next()
    else this.#waiting.delete(socket)
  }
}
