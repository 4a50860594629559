import { StoreError } from '../../streams/index.ts'

export interface CommandLine {
  readonly directive: string
  /** Whatever follows the first space, spaces and quotes included. */
  readonly argument: string
}

/** Stands in the place of a line that was too long to keep. */
export const tooLong = Symbol('line too long')

/**
 * Cuts what a control connection receives into lines, across any packet boundary (RFC 959 section 5.3). Lines are
 * strings of bytes (latin1), so that a UTF-8 sequence may be split too; a lone LF ends a line as CRLF does.
 */
export class LineFramer {
  readonly #bytesMax: number
  #pending = ''
  /** Of what was received last: lines that nobody has taken yet. */
  #untaken = 0
  #skipping = false

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** True when nothing was received behind the line that was taken last. */
  get isEmpty(): boolean {
    return this.#untaken === 0 && this.#pending === '' && !this.#skipping
  }

  *lines(chunk: Buffer): Generator<string | typeof tooLong> {
    const pieces = (this.#pending + chunk.toString('latin1')).split('\n')
    this.#pending = pieces.pop() ?? ''
    this.#untaken = pieces.length
    for (const piece of pieces) {
      this.#untaken -= 1
      const line = withoutTelnet(piece).replace(/\r$/, '')
      if (this.#skipping) this.#skipping = false
      else if (piece.length > this.#bytesMax) yield tooLong
      else if (line !== '') yield line
    }
    if (this.#pending.length > this.#bytesMax) {
      this.#pending = ''
      if (!this.#skipping) yield tooLong
      this.#skipping = true
    }
    // Python's ftplib sends ABOR as urgent data, whose last byte, the LF, TCP then delivers out of line.
    if (!this.#skipping && /^ABOR\r$/i.test(withoutTelnet(this.#pending))) {
      this.#pending = ''
      yield 'ABOR'
    }
  }
}

/** Without the Telnet signals that RFC 959 section 4.1.3 lets a client send before ABOR and STAT. */
function withoutTelnet(line: string): string {
  return line.replace(/^(?:\xff[\xf0-\xfe]?)+/, '')
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws {StoreError} ERR_INVALID when the bytes are no UTF-8 (RFC 2640) */
export function parse(line: string): CommandLine {
  const space = line.indexOf(' ')
  const directive = (space < 0 ? line : line.slice(0, space)).toUpperCase()
  return { directive, argument: space < 0 ? '' : decode(line.slice(space + 1)) }
}

function decode(bytes: string): string {
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'))
  } catch (error) {
    throw new StoreError('ERR_INVALID', 'Names must be UTF-8', { cause: error })
  }
}
