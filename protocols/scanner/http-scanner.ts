import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { Readable } from 'node:stream'
import { noVerdict, type Scanner, type ScanOutcome, type ScanSubject } from '../../streams/index.ts'
import { reasonOf } from '../webhook/outcome.ts'
import { outcomeOf } from './answer.ts'
import { displayString } from './display-string.ts'

const ANSWER_HEADER_BYTES_MAX = 16 * 1024

/**
 * A scanner that is asked by HTTP: a POST of the bytes, with what they are in its headers. Each question has a connection of
 * its own: what is sent cannot be sent again if one that was kept turns out to be closed. An answer that comes before the
 * last byte was sent counts. Redirects are not followed.
 */
export class HttpScanner implements Scanner {
  readonly name: string
  readonly #url: URL

  constructor(url: URL) {
    this.#url = url
    this.name = url.host
  }

  async scan(subject: ScanSubject, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ScanOutcome> {
    try {
      return await answerOf(this.#open(subject, signal), bytes)
    } catch (error) {
      return noVerdict(reasonOf(error))
    }
  }

  #open({ origin, name, size, sha256, contentType }: ScanSubject, signal: AbortSignal): ClientRequest {
    const headers = {
      'content-type': contentType,
      'content-length': size,
      accept: 'application/json',
      'user-agent': 'cenote',
      'cenote-application': origin.principal.application,
      'cenote-bucket': name.bucket,
      'cenote-key': displayString(name.key),
      'cenote-sha256': sha256,
    }
    const options = { method: 'POST', headers, signal, agent: false, maxHeaderSize: ANSWER_HEADER_BYTES_MAX } as const
    return this.#url.protocol === 'https:' ? secureRequest(this.#url, options) : request(this.#url, options)
  }
}

async function answerOf(outgoing: ClientRequest, bytes: AsyncIterable<Uint8Array>): Promise<ScanOutcome> {
  const answered = answerTo(outgoing)
  const source = Readable.from(bytes, { objectMode: false }).on('error', (error) => outgoing.destroy(error))
  source.pipe(outgoing)
  try {
    return await outcomeOf(await answered)
  } finally {
    outgoing.destroy()
    await ended(source)
  }
}

/** Nothing is read any more. */
function ended(source: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (source.closed) resolve()
    else source.on('close', resolve).destroy()
  })
}

function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject)
    // An answer that goes over to another protocol is neither a response nor an error.
    outgoing.on('close', () => reject(new Error('the connection was closed without an answer')))
  })
}
