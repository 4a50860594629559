import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { Client } from '../../../server/cli/client.ts'
import type { Shell } from '../../../server/cli/shell.ts'

export interface Exchange {
  readonly method: string
  /** As it came: percent-encoded, with its query. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export type Answer = (response: ServerResponse, exchange: Exchange) => void

/** An HTTP server that remembers what it was asked, and answers as the test says. */
export class FakeServer {
  readonly exchanges: Exchange[] = []
  answer: Answer = (response) => response.end()
  readonly #server: Server

  /** Answers a client that asks before it sends, in place of `100 Continue`. */
  refusal: Answer | undefined

  constructor() {
    this.#server = createServer((request, response) => void this.#receive(request, response))
    this.#server.on('checkContinue', (request, response) => {
      if (this.refusal) return this.refusal(response, exchangeOf(request, Buffer.alloc(0)))
      response.writeContinue()
      void this.#receive(request, response)
    })
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = exchangeOf(request, await buffer(request))
    this.exchanges.push(exchange)
    this.answer(response, exchange)
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** A shell that speaks to this server, and what it has said so far. */
  shell({ json = false, input = '' } = {}): { shell: Shell; said: () => string } {
    const output = new PassThrough()
    const client = new Client({ url: this.url, key: 'camera', secret: 'a:secret' })
    const shell = { client, input: Readable.from([Buffer.from(input)]), output, json }
    return { shell, said: () => String(output.read() ?? '') }
  }
}

function exchangeOf({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Exchange {
  return { method, url, headers, body }
}

export function json(value: unknown, status = 200): Answer {
  return (response) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
