import type { Plain } from '../../streams/index.ts'

const LF = 0x0a
const CR = 0x0d
const HYPHEN = 0x2d

/** A longer line is neither a delimiter nor the end of a header section. */
const LINE_BYTES_MAX = 1024

const NOTHING = Buffer.alloc(0)

/** What is told of a message as it comes, line by line as far as its structure goes. */
export interface ScannerEvents {
  /** Bytes of a header section, the empty line at its end included. */
  header(bytes: Buffer): void
  /** A header section has ended; what comes next is the body of it. */
  headerEnd(): void
  /** Bytes of a body, without the line end that belongs to the delimiter behind it. */
  body(bytes: Buffer): void
  /** A delimiter of the boundary at `level` of those that are open; `isLast` when it closes. */
  delimiter(level: number, isLast: boolean): void
}

interface FrozenScanner {
  readonly mode: 'header' | 'body'
  readonly boundaries: readonly string[]
  readonly held: string
  readonly lineEnd: string
  readonly isLineStart: boolean
}

/**
 * Finds header sections and delimiters (RFC 2046 section 5.1.1) in the bytes of a message, however they are cut into
 * chunks. It keeps one line at the most. Between lines of interest it moves by searching, so that a body costs no more
 * than to read it. A bare LF ends a line, too; a bare CR does not.
 *
 *   header ──empty line──▶ body ──delimiter──▶ header, or body again behind a closing one
 */
export class Scanner {
  readonly #events: ScannerEvents
  #mode: 'header' | 'body' = 'header'
  /** `--boundary` of each multipart that is open, the outermost first. */
  #delimiters: Buffer[] = []
  /** Bytes that cannot be told yet. */
  #held: Buffer = NOTHING
  /** For what was held and a chunk behind it. */
  #room: Buffer = NOTHING
  /** The line end before the line that is looked at: a delimiter's if it is one, else the body's. */
  #lineEnd: Buffer = NOTHING
  #isLineStart = true

  constructor(events: ScannerEvents, frozen?: Plain) {
    this.#events = events
    if (!frozen) return
    const { mode, boundaries, held, lineEnd, isLineStart } = frozen as unknown as FrozenScanner
    this.#mode = mode
    for (const boundary of boundaries) this.open(boundary)
    this.#held = Buffer.from(held, 'latin1')
    this.#lineEnd = Buffer.from(lineEnd, 'latin1')
    this.#isLineStart = isLineStart
  }

  /** From here on `boundary` delimits, within those that are open. */
  open(boundary: string): void {
    this.#delimiters.push(Buffer.from(`--${boundary}`))
  }

  /** Boundaries from `depth` on delimit no more. */
  closeTo(depth: number): void {
    this.#delimiters.length = depth
  }

  step(chunk: Uint8Array): void {
    const bytes = this.#joined(chunk)
    for (let at = 0; at < bytes.length; ) {
      const next = this.#mode === 'header' ? this.#header(bytes, at) : this.#body(bytes, at)
      if (next < 0) this.#hold(bytes, at)
      at = next < 0 ? bytes.length : next
    }
  }

  /** What was held back, and the chunk. The memory is that of the chunk, or used again by the next step. */
  #joined(chunk: Uint8Array): Buffer {
    const held = this.#held
    if (held.length === 0) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    const length = held.length + chunk.length
    if (this.#room.length < length) this.#room = Buffer.allocUnsafeSlow(length)
    this.#room.set(held)
    this.#room.set(chunk, held.length)
    this.#held = NOTHING
    return this.#room.subarray(0, length)
  }

  /** No more comes: what was held back is a line, too. */
  end(): void {
    const last = this.#held
    this.#held = NOTHING
    const isDelimiter = () => this.#isLineStart && this.#levelOf(last) >= 0
    if (this.#mode === 'header') {
      if (!isDelimiter() && last.length > 0) this.#events.header(last)
      this.#endHeader()
      if (!isDelimiter()) return
    }
    if (isDelimiter()) this.#delimited(last, this.#levelOf(last))
    else this.#emit(Buffer.concat([this.#lineEnd, last]))
  }

  freeze(): Plain {
    const frozen: FrozenScanner = {
      mode: this.#mode,
      boundaries: this.#delimiters.map((delimiter) => delimiter.toString().slice(2)),
      held: this.#held.toString('latin1'),
      lineEnd: this.#lineEnd.toString('latin1'),
      isLineStart: this.#isLineStart,
    }
    return frozen as unknown as Plain
  }

  /** Each of these returns where to go on, and -1 when the rest is to be held until more comes. */
  #header(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(LF, at)
    if (lineFeed < 0 && this.#isLineStart && bytes.length - at <= LINE_BYTES_MAX) return -1
    const end = lineFeed < 0 ? bytes.length : lineFeed + 1
    const line = lineFeed < 0 || !this.#isLineStart ? undefined : bytes.subarray(at, lineFeed)
    if (line && this.#levelOf(line) >= 0) {
      // A section without an end: the delimiter is looked at again, as one behind an empty body.
      this.#endHeader()
      return at
    }
    this.#events.header(bytes.subarray(at, end))
    this.#isLineStart = lineFeed >= 0
    if (line && (line.length === 0 || (line.length === 1 && line[0] === CR))) this.#endHeader()
    return end
  }

  #endHeader(): void {
    this.#mode = 'body'
    this.#lineEnd = NOTHING
    this.#events.headerEnd()
  }

  #body(bytes: Buffer, at: number): number {
    if (this.#delimiters.length === 0) {
      this.#emit(bytes.subarray(at))
      return bytes.length
    }
    if (this.#isLineStart) {
      const lineFeed = this.#lineFeedOfCandidate(bytes, at)
      if (lineFeed === undefined) return -1
      const level = lineFeed < 0 ? -1 : this.#levelOf(bytes.subarray(at, lineFeed))
      if (level >= 0) {
        this.#delimited(bytes.subarray(at, lineFeed), level)
        return lineFeed + 1
      }
      this.#emit(this.#lineEnd)
      this.#lineEnd = NOTHING
      this.#isLineStart = false
    }
    return this.#toNextCandidate(bytes, at)
  }

  /** Where a line that may be a delimiter ends; -1 when it is none, undefined when more must come to tell. */
  #lineFeedOfCandidate(bytes: Buffer, at: number): number | undefined {
    for (let index = at; index < at + 2; index++) {
      if (index === bytes.length) return undefined
      if (bytes[index] !== HYPHEN) return -1
    }
    const lineFeed = bytes.subarray(at, at + LINE_BYTES_MAX + 1).indexOf(LF)
    if (lineFeed >= 0) return at + lineFeed
    return bytes.length - at <= LINE_BYTES_MAX ? undefined : -1
  }

  #toNextCandidate(bytes: Buffer, at: number): number {
    const candidate = bytes.indexOf('\n--', at, 'latin1')
    if (candidate >= 0) {
      const end = candidate > at && bytes[candidate - 1] === CR ? candidate - 1 : candidate
      this.#emit(bytes.subarray(at, end))
      this.#lineEnd = Buffer.from(bytes.subarray(end, candidate + 1))
      this.#isLineStart = true
      return candidate + 1
    }
    const end = contentEnd(bytes, at)
    this.#emit(bytes.subarray(at, end))
    if (end < bytes.length) this.#hold(bytes, end)
    return bytes.length
  }

  /** A copy: the memory of a chunk is its owner's again. */
  #hold(bytes: Buffer, at: number): void {
    this.#held = Buffer.from(bytes.subarray(at))
  }

  #emit(bytes: Buffer): void {
    if (bytes.length > 0) this.#events.body(bytes)
  }

  #delimited(line: Buffer, level: number): void {
    const isLast = line.toString('latin1', this.#delimiters[level]!.length).startsWith('--')
    this.#mode = isLast ? 'body' : 'header'
    this.#lineEnd = NOTHING
    this.#isLineStart = true
    this.#events.delimiter(level, isLast)
  }

  /**
   * The boundary that a line is a delimiter of: the innermost, where several are the same. The whole line must be one,
   * but for spaces at its end, so that of two boundaries one may be the beginning of the other; RFC 2046 would have it
   * suffice that the line begins so, and nobody reads it that way.
   */
  #levelOf(line: Buffer): number {
    if (line[0] !== HYPHEN || line[1] !== HYPHEN || line.length > LINE_BYTES_MAX) return -1
    return this.#delimiters.findLastIndex((delimiter) => {
      if (line.length < delimiter.length || delimiter.compare(line, 0, delimiter.length) !== 0) return false
      return /^(?:--)?[ \t\r]*$/.test(line.toString('latin1', delimiter.length))
    })
  }
}

/** Where what is content for sure ends: a line end, and a hyphen behind it, may belong to a delimiter. */
function contentEnd(bytes: Buffer, at: number): number {
  let end = bytes.length
  if (end - at >= 2 && bytes[end - 1] === HYPHEN && bytes[end - 2] === LF) end--
  if (end > at && bytes[end - 1] === LF) end--
  if (end > at && bytes[end - 1] === CR) end--
  return end
}
