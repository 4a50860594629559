import type { IncomingMessage, ServerResponse } from 'node:http'
import { StoreError, type Upload } from '../../streams/index.ts'
import { giveMemory } from '../../system/index.ts'
import type { HttpLimits } from './options.ts'

/** As much of an upload as takes its bytes. */
export type Sink = Pick<Upload, 'size' | 'write'>

type Bounds = Pick<HttpLimits, 'objectBytesMax' | 'bodyIdleMsMax'>

/**
 * Lets node read on. It calls a handler amid the bytes of a packet, and everything that the handler awaits without
 * waiting for the outside is done before node comes to the body, even to one that lies in the same packet.
 */
export async function turn(source: IncomingMessage): Promise<void> {
  if (!source.complete) await new Promise(setImmediate)
}

/**
 * Writes a request's body to `upload`. Resolves only once the last byte was taken of a message that arrived whole;
 * rejects when the client went away, fell silent or sent too much, and then the upload is to be aborted.
 *
 * A body that is here already is taken without an event or a listener; what is not is waited for by one Arrival.
 */
export async function receive(source: IncomingMessage, upload: Sink, bounds: Bounds): Promise<void> {
  await turn(source)
  let arrival: Arrival | undefined
  try {
    for (;;) {
      const chunk: Buffer | null = source.read()
      if (chunk !== null) await write(upload, chunk, bounds.objectBytesMax)
      else if (isTaken(source)) return
      else if (source.destroyed) {
        throw new StoreError('ERR_INVALID', 'the client went away before the end of the body')
      } else {
        arrival ??= new Arrival(source, bounds.bodyIdleMsMax)
        await arrival.next()
      }
    }
  } finally {
    arrival?.stop()
  }
}

/**
 * The message has arrived whole, and its last byte was read. Node destroys a message that was read to its end, which is
 * no sign of a client that went away; one whose client did is destroyed with bytes unread, complete or not.
 */
function isTaken(source: IncomingMessage): boolean {
  return source.complete && (source.readableEnded || !source.destroyed)
}

async function write(upload: Sink, chunk: Buffer, bytesMax: number): Promise<void> {
  if (upload.size + chunk.length > bytesMax)
    throw new StoreError('ERR_TOO_LARGE', `an object has at most ${bytesMax} bytes`)
  await upload.write(chunk)
}

/** Waits for a body to go on: for bytes, its end, or the client going away. */
class Arrival {
  readonly #source: IncomingMessage
  readonly #idleMsMax: number
  #resolve: (() => void) | undefined
  #reject: ((reason: Error) => void) | undefined

  constructor(source: IncomingMessage, idleMsMax: number) {
    this.#source = source
    this.#idleMsMax = idleMsMax
    source.on('readable', this.#onProgress).on('close', this.#onProgress).on('timeout', this.#onTimeout)
  }

  next(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  stop(): void {
    this.#source.off('readable', this.#onProgress).off('close', this.#onProgress).off('timeout', this.#onTimeout)
  }

  readonly #onProgress = (): void => this.#resolve?.()

  /** Node reports that the connection was idle; it counts only while we wait for the client and not it for us. */
  readonly #onTimeout = (): void =>
    this.#reject?.(new StoreError('ERR_TIMEOUT', `no byte of the body came for ${this.#idleMsMax} ms`))
}

/** A body of `length` bytes whose first chunk was read. */
export interface OpenBody {
  readonly first: IteratorResult<Uint8Array>
  readonly rest: AsyncIterator<Uint8Array>
  readonly length: number
}

/** Reads the first chunk, so that an error in it can still be answered. */
export async function openBody(body: AsyncIterable<Uint8Array>, length: number): Promise<OpenBody> {
  const rest = body[Symbol.asyncIterator]()
  return { first: await rest.next(), rest, length }
}

/**
 * Sends a body after its head, at the client's pace, and resolves when it is sent or the client went away. A body that
 * is cut off or has another length breaks the connection, for a short body must never look complete; rejects with why.
 */
export async function send(response: ServerResponse, { first, rest, length }: OpenBody): Promise<void> {
  let left = length
  let chunk = first
  try {
    while (!chunk.done && chunk.value.length < left) {
      if (response.destroyed) return
      const { value } = chunk
      left -= value.length
      if (!response.write(value, (error) => error ?? giveMemory(value))) await drained(response)
      chunk = await rest.next()
    }
    const last = chunk.done ? undefined : chunk.value
    if ((last?.length ?? 0) !== left) throw new StoreError('ERR_CORRUPT', 'the body has not the length of its object')
    if (!response.destroyed) response.end(last)
  } catch (error) {
    response.destroy()
    throw error
  } finally {
    await rest.return?.()
  }
}

/** Sends a body whose length is not known before its end (RFC 9112 section 7.1), like send(). */
export async function sendChunked(response: ServerResponse, { first, rest }: Omit<OpenBody, 'length'>): Promise<void> {
  try {
    for (let chunk = first; !chunk.done; chunk = await rest.next()) {
      if (response.destroyed) return
      if (!response.write(chunk.value)) await drained(response)
    }
    response.end()
  } catch (error) {
    response.destroy()
    throw error
  } finally {
    await rest.return?.()
  }
}

export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off('drain', settle).off('close', settle)
      resolve()
    }
    response.on('drain', settle).on('close', settle)
  })
}
