import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'

export interface Received {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type Answer = (response: ServerResponse, received: Received, count: number) => void

export const answerOk: Answer = (response) => response.writeHead(204).end()

/** A plain server that webhooks come to. */
export class WebhookReceiver {
  readonly received: Received[] = []
  readonly server: Server
  answer: Answer
  #wake = () => {}

  private constructor(answer: Answer) {
    this.answer = answer
    this.server = createServer(async (request, response) => {
      const { method, url: path, headers } = request
      const received = { method, path, headers, body: await text(request) }
      this.received.push(received)
      this.answer(response, received, this.received.length)
      this.#wake()
    })
  }

  static async open(answer = answerOk): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(answer)
    await once(receiver.server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => receiver.close())
    return receiver
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`
  }

  /** Resolves once it holds of what has come. */
  async until(holds: (received: readonly Received[]) => boolean): Promise<void> {
    while (!holds(this.received)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): void {
    this.server.closeAllConnections()
    this.server.close()
  }
}
