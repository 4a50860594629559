import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** Called once for each exchange when it is over. */
export type Ended = (method: string, route: string, status: string) => void

/** The requests being answered: what a drain waits for, and what is watched for standing still. */
export class Exchanges {
  readonly #requests = new Map<ServerResponse, FastifyRequest>()
  readonly #ended: Ended
  readonly #onClose: (this: ServerResponse) => void
  #draining = false
  #settled: (() => void) | undefined

  constructor(ended: Ended) {
    this.#ended = ended
    const exchanges = this
    // One listener for all responses, because there is one for each request.
    this.#onClose = function () {
      exchanges.#end(this)
    }
  }

  get size(): number {
    return this.#requests.size
  }

  begin(request: FastifyRequest, { raw: response }: FastifyReply): void {
    this.#requests.set(response, request)
    if (this.#draining) response.shouldKeepAlive = false
    response.on('close', this.#onClose)
  }

  #end(response: ServerResponse): void {
    const { method, routeOptions } = this.#requests.get(response)!
    this.#requests.delete(response)
    this.#ended(method, routeOptions.url ?? '', response.headersSent ? String(response.statusCode) : 'aborted')
    if (this.#requests.size === 0) this.#settled?.()
  }

  /** From now on each answer ends its connection. Resolves when none is left to give. */
  async drain(): Promise<void> {
    this.#draining = true
    for (const response of this.#requests.keys()) response.shouldKeepAlive = false
    if (this.#requests.size === 0) return
    await new Promise<void>((resolve) => {
      this.#settled = resolve
    })
  }

  /**
   * Whether a connection may be told that what comes on it is no HTTP: not within an answer, where it would be taken for
   * bytes of that; and not while a whole request waits for its own, for which it would be taken.
   */
  mayRefuse(socket: Socket): boolean {
    const response = this.#on(socket)
    return response === undefined || (!response.headersSent && !this.#requests.get(response)!.raw.complete)
  }

  /**
   * Nothing moved on a connection for as long as it may. Between two requests it is closed. Bytes that wait to be sent
   * mean that the client does not read, and it is cut off, too. Else it is our turn, or a body's, whose reader was told.
   */
  onQuiet(socket: Socket): void {
    if (this.#on(socket) === undefined || socket.writableLength > 0) socket.destroy()
    else socket.setTimeout(socket.timeout ?? 0)
  }

  #on(socket: Socket): ServerResponse | undefined {
    for (const response of this.#requests.keys()) if (response.socket === socket) return response
    return undefined
  }
}
