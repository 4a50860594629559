import { once } from 'node:events'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { rootAuthorization } from './http-door.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Call {
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string | Uint8Array
  /** The Authorization header; root's unless told otherwise, none for null. */
  readonly as?: string | null
}

/** One request on a connection of its own. The path goes out as given. */
export async function call(
  port: number,
  method: string,
  path: string,
  { headers, body, as = rootAuthorization }: Call = {},
): Promise<Answer> {
  const authorization = as === null ? {} : { authorization: as }
  const outgoing = request({
    port,
    host: '127.0.0.1',
    method,
    path,
    agent: false,
    headers: { ...authorization, ...headers },
  })
  outgoing.end(body)
  const [incoming] = await once(outgoing, 'response')
  return { status: incoming.statusCode, headers: incoming.headers, body: await buffer(incoming) }
}

/** The same with a JSON body, and with the answer's JSON. */
export async function callJson(port: number, method: string, path: string, content?: unknown, as?: string) {
  const json =
    content === undefined ? {} : { body: JSON.stringify(content), headers: { 'content-type': 'application/json' } }
  const { status, headers, body } = await call(port, method, path, { ...json, ...(as && { as }) })
  return { status, headers, json: body.length > 0 ? JSON.parse(body.toString()) : undefined }
}

/** A connection whose bytes a test writes itself. */
export class RawClient implements Disposable {
  readonly socket: Socket
  /** Resolves when the connection is gone, however it went. */
  readonly closed: Promise<void>
  #received = Buffer.alloc(0)
  #ended = false
  #wake = (): void => {}

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    const end = (): void => {
      this.#ended = true
      this.#wake()
    }
    socket.on('error', end).on('end', end).on('close', end)
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  send(...parts: (string | Uint8Array)[]): void {
    for (const part of parts) this.socket.write(part)
  }

  /** Sends a request line and headers, root's credentials among them, and then `body`. */
  request(line: string, headers: readonly string[] = [], body: string | Uint8Array = ''): void {
    const head = [`${line} HTTP/1.1`, 'Host: cenote', `Authorization: ${rootAuthorization}`, ...headers, '', '']
    this.send(Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), Buffer.from(body)]))
  }

  /** The next answer. Rejects when the connection ends within it. */
  async answer(): Promise<Answer> {
    const head = await this.#take(() => {
      const end = this.#received.indexOf('\r\n\r\n')
      return end < 0 ? undefined : end + 4
    })
    const [line = '', ...fields] = head.toString('latin1').trimEnd().split('\r\n')
    const status = Number(line.split(' ')[1])
    const headers = Object.fromEntries(
      fields.map((field) => [
        field.slice(0, field.indexOf(':')).toLowerCase(),
        field.slice(field.indexOf(':') + 1).trim(),
      ]),
    )
    const length = Number(headers['content-length'] ?? 0)
    return { status, headers, body: await this.#take(() => (this.#received.length < length ? undefined : length)) }
  }

  /** Everything that comes until the server ends the connection. */
  async rest(): Promise<Buffer> {
    return this.#take(() => (this.#ended ? this.#received.length : undefined))
  }

  async #take(measure: () => number | undefined): Promise<Buffer> {
    for (;;) {
      const length = measure()
      if (length !== undefined) {
        const taken = this.#received.subarray(0, length)
        this.#received = this.#received.subarray(length)
        return taken
      }
      if (this.#ended)
        throw new Error(`the connection ended after ${JSON.stringify(this.#received.toString('latin1'))}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
