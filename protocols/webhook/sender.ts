import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import type { Message, Outcome } from '../../streams/index.ts'
import { outcomeOf, reasonOf } from './outcome.ts'
import { allowedLookup, type Resolve, systemResolve } from './resolve.ts'
import { signatureHeaders } from './signature.ts'
import type { TargetRules } from './target.ts'

export interface WebhookLimits {
  /** From the connection to the end of the answer. */
  readonly timeoutMsMax: number
  /** Of an answer, which is read to use its connection again; one that is longer costs it. */
  readonly answerBytesMax: number
  readonly answerHeaderBytesMax: number
  /** Connections kept open between two messages. */
  readonly idleConnectionsMax: number
}

export const WEBHOOK_LIMITS: WebhookLimits = {
  timeoutMsMax: 15_000,
  answerBytesMax: 64 * 1024,
  answerHeaderBytesMax: 16 * 1024,
  idleConnectionsMax: 64,
}

export interface WebhookOptions {
  readonly rules: TargetRules
  /** Milliseconds since 1970. */
  readonly clock: { now(): number }
  readonly limits?: Partial<WebhookLimits>
  readonly resolve?: Resolve
}

export interface WebhookTarget {
  readonly url: string
  /** The one that is valid, and those that still are. */
  readonly secrets: readonly string[]
}

/** Sends messages as webhooks. Redirects are not followed: they would lead where nobody was asked about. */
export class WebhookSender {
  readonly #options: WebhookOptions
  readonly #limits: WebhookLimits
  readonly #agents: { readonly plain: Agent; readonly secure: SecureAgent }

  constructor(options: WebhookOptions) {
    this.#options = options
    this.#limits = { ...WEBHOOK_LIMITS, ...options.limits }
    const lookup = allowedLookup(options.rules, options.resolve ?? systemResolve)
    const agentOptions = { keepAlive: true, maxFreeSockets: this.#limits.idleConnectionsMax, lookup }
    this.#agents = { plain: new Agent(agentOptions), secure: new SecureAgent(agentOptions) }
  }

  /** One attempt; resolves in any case. */
  async send(target: WebhookTarget, message: Message, signal: AbortSignal): Promise<Outcome> {
    try {
      return await this.#post(target, message, signal)
    } catch (error) {
      return { kind: 'refused', reason: reasonOf(error) }
    }
  }

  close(): void {
    this.#agents.plain.destroy()
    this.#agents.secure.destroy()
  }

  /** A connection that was kept may have been closed just then: that says nothing of the subscriber, and costs nothing. */
  async #post(target: WebhookTarget, message: Message, signal: AbortSignal): Promise<Outcome> {
    for (;;) {
      const outgoing = this.#open(target, message)
      try {
        return await this.#exchange(outgoing, message.body, signal)
      } catch (error) {
        const isStale = outgoing.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET'
        if (!isStale || signal.aborted) throw error
      }
    }
  }

  #open({ url: text, secrets }: WebhookTarget, { id, mediaType, body }: Message): ClientRequest {
    const url = this.#options.rules.parse(text)
    const timestamp = Math.floor(this.#options.clock.now() / 1000)
    const headers = {
      'content-type': mediaType,
      'content-length': Buffer.byteLength(body),
      'user-agent': 'cenote',
      ...signatureHeaders({ id, timestamp, body }, secrets),
    }
    const { plain, secure } = this.#agents
    const bounds = { maxHeaderSize: this.#limits.answerHeaderBytesMax }
    if (url.protocol === 'https:') return secureRequest(url, { method: 'POST', headers, agent: secure, ...bounds })
    return request(url, { method: 'POST', headers, agent: plain, ...bounds })
  }

  #exchange(outgoing: ClientRequest, body: string, signal: AbortSignal): Promise<Outcome> {
    const { timeoutMsMax } = this.#limits
    return new Promise<Outcome>((resolve, reject) => {
      const late = () => outgoing.destroy(new Error(`no answer within ${timeoutMsMax} ms`))
      const timer = setTimeout(late, timeoutMsMax)
      const cut = () => outgoing.destroy(new Error('cut off'))
      signal.addEventListener('abort', cut)
      outgoing.on('response', (answer) => {
        resolve(outcomeOf(answer, this.#options.clock.now()))
        this.#readOut(outgoing, answer)
      })
      outgoing.on('error', reject)
      outgoing.on('close', () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', cut)
        // An answer that goes over to another protocol is neither a response nor an error.
        reject(new Error('the connection was closed without an answer'))
      })
      if (signal.aborted) cut()
      else outgoing.end(body)
    })
  }

  /** The status says all: the rest is read so that the connection can be used again, and no more than that is worth. */
  #readOut(outgoing: ClientRequest, answer: IncomingMessage): void {
    let left = this.#limits.answerBytesMax
    answer.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) outgoing.destroy()
    })
    answer.on('error', () => outgoing.destroy())
  }
}
