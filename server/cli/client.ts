import { once } from 'node:events'
import {
  type IncomingMessage,
  type ClientRequest as Outgoing,
  type OutgoingHttpHeaders,
  request as requestHttp,
} from 'node:http'
import { request as requestHttps } from 'node:https'
import { readCliFile } from '../cli-file.ts'
import { CommandError, type ExitCode, exitCode } from './exit.ts'

const idleMsMax = 5 * 60_000
/** RFC 9110 section 10.1.1: a client that waits for 100 (Continue) does not wait for ever. */
const continueMsMax = 1000
const answerBytesMax = 64 * 1024 * 1024

export interface Connection {
  readonly url: string
  readonly key: string
  readonly secret: string
}

export interface ClientRequest {
  readonly method: string
  /** Segments, not yet percent-encoded. */
  readonly path: readonly string[]
  readonly query?: { readonly [name: string]: string | number | undefined }
  readonly headers?: OutgoingHttpHeaders
  readonly body?: AsyncIterable<Uint8Array>
  /** Waits for ever: for a request that the server works on for hours before it answers. */
  readonly patient?: boolean
}

/** A request that carries JSON. */
export function sending(method: string, path: readonly string[], content: object): ClientRequest {
  return { method, path, headers: { 'content-type': 'application/json' }, body: bodyOf(content) }
}

async function* bodyOf(content: object): AsyncGenerator<Uint8Array> {
  yield Buffer.from(JSON.stringify(content))
}

/**
 * Which server, and as whom: CENOTE_URL, CENOTE_KEY and CENOTE_SECRET, or the cli.json of a server's data folder. The
 * credentials in cli.json are for the server in cli.json and never go to another.
 */
export async function findConnection(
  environment: { readonly [name: string]: string | undefined },
  cliFile: string,
): Promise<Connection> {
  const file = (await readCliFile(cliFile)) ?? {}
  const url = environment.CENOTE_URL || file.url
  const known = environment.CENOTE_URL ? {} : file
  const key = environment.CENOTE_KEY || known.key
  const secret = environment.CENOTE_SECRET || known.secret
  if (url) checkUrl(url, environment.CENOTE_URL ? 'CENOTE_URL' : `the url in ${cliFile}`)
  if (url && key && secret) return { url, key, secret }
  const missing = url ? 'no credentials: set CENOTE_KEY and CENOTE_SECRET' : 'no server: set CENOTE_URL'
  throw new CommandError(
    exitCode.usage,
    `${missing}, or name a server's data folder with --data (no use of ${cliFile})`,
  )
}

/** The API and the credentials have places of their own: whatever else a URL says would be passed over in silence. */
function checkUrl(text: string, source: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && ['http:', 'https:'].includes(url.protocol) && url.href === `${url.origin}/`) return
  throw new CommandError(
    exitCode.usage,
    `${source} must be http://host:port or https://host:port, with no path and no credentials in it`,
  )
}

/** The HTTP API, as a client sees it. An answer that is not a success is thrown as a CommandError. */
export class Client {
  readonly #base: URL
  readonly #authorization: string

  constructor({ url, key, secret }: Connection) {
    this.#base = new URL(url)
    this.#authorization = `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`
  }

  /** Resolves with an answer of status 2xx; its body is the caller's to read. */
  async send(request: ClientRequest): Promise<IncomingMessage> {
    const answer = await this.#exchange(request)
    const status = answer.statusCode ?? 0
    if (status >= 200 && status < 300) return answer
    const { detail, code } = await explain(answer)
    answer.destroy()
    throw new CommandError(code === 'ERR_CORRUPT' ? exitCode.damage : exitOf(status), detail)
  }

  async json<T>(request: ClientRequest): Promise<T> {
    return JSON.parse(await text(await this.send(request))) as T
  }

  #exchange({ method, path, query = {}, headers = {}, body, patient }: ClientRequest): Promise<IncomingMessage> {
    const open = this.#base.protocol === 'https:' ? requestHttps : requestHttp
    return new Promise((resolve, reject) => {
      const outgoing = open({
        method,
        hostname: this.#base.hostname.replace(/^\[|\]$/g, ''),
        port: this.#base.port,
        path: pathOf(path, query),
        headers: { authorization: this.#authorization, 'user-agent': 'cenote', ...headers },
        ...(patient ? {} : { timeout: idleMsMax }),
      })
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 5 minutes')))
      outgoing.on('error', (error) => reject(this.#failure(error)))
      outgoing.on('response', (answer) => resolve(answer))
      sendBody(outgoing, body).catch((error) => {
        outgoing.destroy()
        reject(this.#failure(error))
      })
    })
  }

  #failure(error: NodeJS.ErrnoException): CommandError {
    if (error instanceof CommandError) return error
    const cause = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException) : error
    const connecting = cause.syscall === 'connect' || cause.syscall === 'getaddrinfo'
    const exit = connecting ? exitCode.unreachable : exitCode.failure
    const what = connecting ? 'no server answers' : 'the connection failed'
    return new CommandError(exit, `${what} at ${this.#base.origin}: ${cause.message}`, { cause })
  }
}

/** Stops at an answer, or when the connection is gone: a refusal may come before all was sent. */
async function sendBody(outgoing: Outgoing, body: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  const over = new AbortController()
  for (const event of ['response', 'close']) outgoing.once(event, () => over.abort())
  if (outgoing.hasHeader('expect')) {
    outgoing.flushHeaders()
    const patience = AbortSignal.any([over.signal, AbortSignal.timeout(continueMsMax)])
    await once(outgoing, 'continue', { signal: patience }).catch(() => {})
  }
  for await (const chunk of body ?? []) {
    if (over.signal.aborted) return
    // A drain that never comes is told by the events above.
    if (!outgoing.write(chunk)) await once(outgoing, 'drain', over).catch(() => {})
  }
  outgoing.end()
}

/** Keys are opaque: `..` and `//` in them are just characters, so the path is built by hand and never resolved. */
function pathOf(segments: readonly string[], query: NonNullable<ClientRequest['query']>): string {
  const path = segments.map((segment) => segment.split('/').map(encodeURIComponent).join('/'))
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value))
  return `/v1/${path.join('/')}${search.size > 0 ? `?${search}` : ''}`
}

function exitOf(status: number): ExitCode {
  if (status === 401 || status === 403) return exitCode.refused
  return status === 404 ? exitCode.notFound : exitCode.failure
}

/** The bytes of an answer, to their end. Of one that ends before it node says no more than 'aborted'. */
export async function* bytesOf(answer: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    yield* answer as AsyncIterable<Buffer>
  } catch (cause) {
    throw new CommandError(
      exitCode.failure,
      'the server broke its answer off: what it holds is damaged, as its log would say, or the connection was lost',
      { cause },
    )
  }
}

async function text(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of bytesOf(answer)) {
    length += chunk.length
    if (length > answerBytesMax) throw new CommandError(exitCode.failure, 'the answer is longer than 64 MiB')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** The server's sentence and code (RFC 9457 `detail`), or the status where there are none. */
async function explain(answer: IncomingMessage): Promise<{ readonly detail: string; readonly code?: unknown }> {
  const body = await text(answer).catch(() => '')
  try {
    const { detail, code } = JSON.parse(body) as { detail?: unknown; code?: unknown }
    if (typeof detail === 'string') return { detail, code }
  } catch {
    // Not our server's words: the status has to do.
  }
  return { detail: `the server answered ${answer.statusCode} ${answer.statusMessage ?? ''}`.trim() }
}
