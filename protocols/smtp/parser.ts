import { PassThrough } from 'node:stream'
import type { SMTPServerDataStream } from 'smtp-server'
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js'
import { DotDecoder } from './dot-decoder.ts'
import { Refusal } from './refusal.ts'

/** A message on its way in: `end` follows the final dot, or an error, when a forged end was met before it. */
class MessageStream extends PassThrough implements SMTPServerDataStream {
  byteLength = 0
  sizeExceeded = false
  readonly #decoder: DotDecoder

  constructor(decoder: DotDecoder) {
    super()
    this.#decoder = decoder
    this.on('error', () => {}) // Told to whoever reads, and perhaps nobody does at the moment.
  }

  override _flush(done: (error?: Error | null) => void): void {
    done(this.#decoder.isForged ? forged() : null)
  }
}

function forged(): Refusal {
  return new Refusal(550, '5.6.0', 'A dot alone on a line that does not end in CR LF may be a forged end: send ..')
}

/**
 * The parser of smtp-server, but for messages: its own undoes dot-stuffing also behind a LF alone, keeps a dot that RFC
 * 5321 section 4.5.2 takes away, and waits for the event loop at each.
 */
export class MailParser extends SMTPStream {
  #decoder = new DotDecoder()

  override startDataMode(bytesMax?: number | string | null): SMTPServerDataStream {
    super.startDataMode(bytesMax)
    this.#decoder = new DotDecoder()
    const stream = new MessageStream(this.#decoder)
    this._dataStream = stream
    return stream
  }

  override _feedDataStream(chunk: Buffer, done: (error?: Error | null) => void): void {
    const { content, rest } = this.#decoder.decode(chunk)
    this._countDataBytes(content.length)
    if (rest) this._endDataMode(content, rest, done)
    else this.#forward(content, done)
  }

  /** Calls `done` when there is room for more; one that its reader gives up does not drain, it closes. */
  #forward(content: Buffer, done: () => void): void {
    const stream = this._dataStream
    if (!stream?.writable || content.length === 0 || stream.write(content)) {
      done()
      return
    }
    const resume = () => {
      stream.off('drain', resume).off('close', resume)
      done()
    }
    stream.on('drain', resume).on('close', resume)
  }
}
