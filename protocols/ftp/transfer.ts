import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { StoreError } from '../../streams/index.ts'
import { cutOf, giveMemory } from '../../system/index.ts'
import type { UploadSink } from '../sink.ts'
import type { TokenBucket } from '../token-bucket.ts'
import type { DataChannel } from './data-channel.ts'
import type { FtpLimits } from './options.ts'
import { Refusal } from './refusal.ts'

/** What a socket's stream says when the peer is gone. */
const lostCodes = new Set([
  'ECONNABORTED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ETIMEDOUT',
])

/** Makes a data connection what PROT asked for. */
export type Protect = (connection: Socket) => Promise<Socket> | Socket

/** Changes bytes on their way. */
export type Conversion = (bytes: AsyncIterable<Buffer>) => AsyncGenerator<Buffer>

/** What a transfer is made of. */
export interface TransferParts {
  readonly channel: DataChannel
  readonly limits: FtpLimits
  /** Says 150, which comes before the connection: a client may wait for it before it connects. */
  readonly announce: () => void
  readonly protect: Protect
  /** What bounds its rate. */
  readonly buckets: readonly TokenBucket[]
}

const LOST = 'The data connection was lost'

/**
 * One command that uses a data connection.
 *
 *   PREPARING ──open (150)──▶ MOVING ──last byte──▶ COMMITTING ──▶ 226
 *        └──────abort──────────▶└──▶ 426            (from here on abort is void: the outcome stands)
 */
export class Transfer {
  readonly #parts: TransferParts
  readonly #dataIdleMsMax: number
  readonly #over = new AbortController()
  /** It waits for its turn under a bound on the rate. */
  #isThrottled = false
  #socket: Socket | undefined
  #abortReason: Error | undefined
  #abortable = () => true

  constructor(parts: TransferParts) {
    this.#parts = parts
    this.#dataIdleMsMax = parts.limits.dataIdleMsMax
  }

  /** Bytes moved so far. */
  get size(): number {
    return this.#socket ? this.#socket.bytesRead + this.#socket.bytesWritten : 0
  }

  /** The client has made an end of the file that it sends, whose outcome stands from here on. */
  get isCommitting(): boolean {
    return !this.#abortable()
  }

  /** False when it is too late. */
  abort(reason: Error): boolean {
    const abortable = this.#abortable()
    if (!abortable) return false
    this.#abortReason = reason
    this.#parts.channel.close(reason)
    this.#over.abort() // A connection whose end was read tells whoever waits for a bucket of no other.
    return true
  }

  /** From the client into the store, converted perhaps; resolves once that is durable. Whatever goes wrong, the sink ends closed. */
  async receive(sink: UploadSink, convert?: Conversion): Promise<void> {
    this.#abortable = () => !sink.writableEnded
    sink.on('error', () => {}) // Told by the pipeline; a sink that never came to have one must not throw.
    try {
      const socket = await this.#open(() => !sink.writableNeedDrain)
      sink.isFed = true
      sink.on('drain', () => socket.setTimeout(this.#dataIdleMsMax)) // From here on it is the client's turn again.
      socket.once('end', () => refuseCut(socket, sink)) // Before the pipeline hears of the end and takes it for one.
      const through = this.#throughBuckets(convert)
      await (through ? pipeline(socket, through, sink) : pipeline(socket, sink))
    } catch (error) {
      await closed(sink, error)
      throw this.#abortReason ?? lostOr(error)
    }
  }

  /** From the store to the client; resolves once the system has taken the last byte. */
  async send(body: AsyncIterable<Uint8Array> | AsyncIterable<string>): Promise<void> {
    const socket: Socket = await this.#open(() => socket.writableLength > 0)
    socket.once('close', () => this.#over.abort()) // Whoever sends may close and be waited for; whoever receives has gone.
    try {
      const bounded = this.#isBounded ? this.#throttled<Uint8Array | string>(body) : body
      await pipeline(reclaimed(bounded, socket), socket)
    } catch (error) {
      throw this.#abortReason ?? lostOr(error)
    }
  }

  get #isBounded(): boolean {
    return this.#parts.buckets.length > 0
  }

  #throughBuckets(convert: Conversion | undefined): Conversion | undefined {
    if (!this.#isBounded) return convert
    return (bytes) => (convert ? convert(this.#throttled(bytes)) : this.#throttled(bytes))
  }

  /** The same, no faster than every bucket lets it go. */
  async *#throttled<Chunk extends Uint8Array | string>(bytes: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
    for await (const chunk of bytes) {
      this.#isThrottled = true
      for (const bucket of this.#parts.buckets) await bucket.take(Buffer.byteLength(chunk), this.#over.signal)
      this.#isThrottled = false
      if (this.#abortReason) throw this.#abortReason
      yield chunk
    }
  }

  /** The connection, cut when it stays silent while it is the client's turn: a slow store is no fault of the client. */
  async #open(clientsTurn: () => boolean): Promise<Socket> {
    const { announce, protect, channel } = this.#parts
    announce()
    const socket = await protect(await channel.open())
    this.#socket = socket
    socket.once('error', () => this.#over.abort())
    socket.setTimeout(this.#dataIdleMsMax).on('timeout', () => {
      if (clientsTurn() && !this.#isThrottled)
        socket.destroy(new StoreError('ERR_TIMEOUT', 'The data connection was idle for too long'))
      else socket.setTimeout(this.#dataIdleMsMax)
    })
    return socket
  }
}

/** The end of a file is the FIN of its sender, and nothing else that looks like one. */
function refuseCut(socket: Socket, sink: UploadSink): void {
  const { _handle } = socket as Socket & { readonly _handle: { readonly fd: number } }
  const cut = cutOf(_handle.fd)
  if (cut) sink.destroy(new Refusal(426, LOST, { cause: cut }))
}

/** The same; the memory of each chunk is given back once the socket has written it. */
async function* reclaimed<Chunk extends Uint8Array | string>(
  body: AsyncIterable<Chunk>,
  socket: Socket,
): AsyncGenerator<Chunk> {
  const sent: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    yield chunk
    if (typeof chunk === 'string') continue
    sent.push(chunk)
    bytes += chunk.length
    // What waits for a connection that is gone counts as gone from it, and the system may look at it still.
    while (sent[0] && bytes - sent[0].length >= socket.writableLength && !socket.destroyed) {
      bytes -= sent[0].length
      giveMemory(sent.shift()!)
    }
  }
}

/** Destroys a sink, and waits until its upload is aborted. */
async function closed(sink: UploadSink, error: unknown): Promise<void> {
  if (sink.closed) return
  await new Promise<void>((resolve) => {
    sink.once('close', resolve)
    sink.destroy(error as Error)
  })
}

function lostOr(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code !== 'string' || !lostCodes.has(code)) return error
  return new Refusal(426, LOST, { cause: error })
}
