import type { PartBounds, Plain } from '../../streams/index.ts'
import { Head } from '../head.ts'
import type { AttachmentEvents, MimeStructure } from './attachment.ts'
import { Attachments } from './attachments.ts'
import { type Entity, readEntity } from './entity.ts'
import { Scanner } from './scanner.ts'

/** The longest header section of a message that is kept and read; of a longer one the lines within it count. */
export const HEADER_BYTES_MAX = 256 * 1024
/** The same of a part. */
export const PART_HEADER_BYTES_MAX = 16 * 1024
/** Multiparts within each other; one that is deeper is not looked into. */
export const NESTING_MAX = 16
/** Parts and multiparts whose header sections are read; what is behind them is not looked at. */
export const ENTITIES_MAX = 1024

/** A multipart that is open. */
interface Frame {
  /** What the numbers of its parts begin with. */
  readonly prefix: string
  readonly isDigest: boolean
  readonly isSigned: boolean
  parts: number
}

interface FrozenReader {
  readonly scanner: Plain
  readonly attachments: Plain
  readonly section: MimeReader['section']
  /** base64. */
  readonly top: string
  readonly head: string
  readonly isHeadLong: boolean
  readonly frames: readonly Frame[]
  readonly entities: number
  readonly hasEnded: boolean
}

const TEXTS = new Set(['text/plain', 'text/html', 'text/enriched', 'text/x-amp-html', 'text/watch-html'])
const PKCS7 = new Set(['application/pkcs7-mime', 'application/x-pkcs7-mime'])
const SIGNATURES = new Set([
  'application/pgp-signature',
  'application/pkcs7-signature',
  'application/x-pkcs7-signature',
])

const NOBODY: AttachmentEvents = { begin() {}, bytes() {}, end() {} }
const NO_PARTS: PartBounds = { countMax: 0, bytesMax: 0 }

/**
 * Reads the structure of a message as it comes (RFC 2045 to 2049): its header section, and what is attached to it,
 * told to `events` as far as `limits` allow. What is malformed yields less, never an error; what is beyond the bounds
 * above is not looked at, and a finding says so. A message within the message is an attachment, and not looked into. What
 * is encrypted is not looked into either, and of what is signed nothing is told: both stay whole.
 */
export class MimeReader {
  /** The end of the message's header section is still to come, was seen, or lies beyond `HEADER_BYTES_MAX`. */
  section: 'open' | 'complete' | 'truncated' = 'open'
  readonly #scanner: Scanner
  readonly #attachments: Attachments
  readonly #top: Head
  #head: Head
  #isHeadLong = false
  readonly #frames: Frame[] = []
  #entities = 0
  #hasEnded = false

  constructor(events: AttachmentEvents = NOBODY, limits: PartBounds = NO_PARTS, frozen?: Plain) {
    const state = frozen as unknown as FrozenReader | undefined
    const fold = {
      header: (bytes: Buffer) => this.#header(bytes),
      headerEnd: () => this.#headerEnd(),
      body: (bytes: Buffer) => this.#attachments.bytes(bytes),
      delimiter: (level: number, isLast: boolean) => this.#delimiter(level, isLast),
    }
    this.#scanner = new Scanner(fold, state?.scanner)
    this.#attachments = new Attachments(events, limits, state?.attachments)
    this.#top = headOf(HEADER_BYTES_MAX, state?.top)
    this.#head = headOf(PART_HEADER_BYTES_MAX, state?.head)
    if (!state) return
    this.section = state.section
    this.#isHeadLong = state.isHeadLong
    this.#frames = structuredClone([...state.frames])
    this.#entities = state.entities
    this.#hasEnded = state.hasEnded
  }

  /** The message's header section, as far as it is kept, without the line that the bound has cut. */
  get headerSection(): Buffer {
    return wholeLines(this.#top.bytes, this.section === 'truncated')
  }

  step(chunk: Uint8Array): void {
    this.#attachments.reset()
    this.#scanner.step(chunk)
  }

  /** No more comes. It may be said again. */
  end(): MimeStructure {
    if (!this.#hasEnded) {
      this.#hasEnded = true
      this.#scanner.end()
      this.#attachments.end()
      if (this.#frames.length > 0) this.#attachments.find('no-final-boundary')
    }
    return this.#attachments.structure
  }

  freeze(): Plain {
    const frozen: FrozenReader = {
      scanner: this.#scanner.freeze(),
      attachments: this.#attachments.freeze(),
      section: this.section,
      top: this.#top.bytes.toString('base64'),
      head: this.#head.bytes.toString('base64'),
      isHeadLong: this.#isHeadLong,
      frames: structuredClone(this.#frames),
      entities: this.#entities,
      hasEnded: this.#hasEnded,
    }
    return frozen as unknown as Plain
  }

  #header(bytes: Buffer): void {
    const isTop = this.section === 'open'
    const head = isTop ? this.#top : this.#head
    const bytesMax = isTop ? HEADER_BYTES_MAX : PART_HEADER_BYTES_MAX
    if (bytes.length > bytesMax - head.bytes.length) this.#isHeadLong = true
    head.append(bytes)
  }

  #headerEnd(): void {
    const isLong = this.#isHeadLong
    this.#isHeadLong = false
    if (this.section === 'open') {
      this.section = isLong ? 'truncated' : 'complete'
      this.#entity(readEntity(this.headerSection), '')
      return
    }
    if (isLong) this.#attachments.find('part-header-too-long')
    const section = wholeLines(this.#head.bytes, isLong)
    this.#head = new Head(PART_HEADER_BYTES_MAX)
    const { isDigest, prefix, parts } = this.#frames.at(-1)!
    this.#entity(readEntity(section, isDigest ? 'message/rfc822' : 'text/plain'), `${prefix}${parts}`)
  }

  #entity(entity: Entity, number: string): void {
    this.#entities++
    if (this.#entities > ENTITIES_MAX) {
      this.#attachments.find('too-many-entities')
      this.#closeTo(0)
    } else if (entity.type.startsWith('multipart/')) this.#multipart(entity, number)
    else this.#leaf(entity, number || '1')
  }

  #multipart({ type, boundary }: Entity, number: string): void {
    const attachments = this.#attachments
    const isSigned = type === 'multipart/signed'
    if (isSigned) attachments.protect('signed')
    if (type === 'multipart/encrypted') attachments.protect('encrypted')
    else if (boundary === '') attachments.find('no-boundary')
    else if (this.#frames.length === NESTING_MAX) attachments.find('nested-too-deeply')
    else {
      const prefix = number === '' ? '' : `${number}.`
      this.#frames.push({
        prefix,
        isDigest: type === 'multipart/digest',
        isSigned: isSigned || this.#isSigned,
        parts: 0,
      })
      this.#scanner.open(boundary)
    }
  }

  #leaf(entity: Entity, number: string): void {
    const { type, smimeType } = entity
    const isWithinSigned = this.#isSigned
    if (PKCS7.has(type)) this.#attachments.protect(OPAQUE_SIGNED.has(smimeType) ? 'signed' : 'encrypted')
    else if (!isText(entity) && !(isWithinSigned && SIGNATURES.has(type)))
      this.#attachments.begin({ number, entity }, isWithinSigned)
  }

  get #isSigned(): boolean {
    return this.#frames.at(-1)?.isSigned ?? false
  }

  #delimiter(level: number, isLast: boolean): void {
    this.#attachments.end()
    if (level < this.#frames.length - 1) this.#attachments.find('no-final-boundary')
    this.#closeTo(isLast ? level : level + 1)
    if (!isLast) this.#frames[level]!.parts++
  }

  #closeTo(depth: number): void {
    this.#frames.length = depth
    this.#scanner.closeTo(depth)
  }
}

/** RFC 8551 section 3.2.2: the content is within the signature. Anything else is taken for encrypted. */
const OPAQUE_SIGNED = new Set(['signed-data', 'certs-only'])

/** Text to be read with the message: neither named nor said to be attached. */
function isText({ type, name, disposition }: Entity): boolean {
  return TEXTS.has(type) && name === '' && disposition !== 'attachment'
}

function headOf(bytesMax: number, frozen = ''): Head {
  return new Head(bytesMax, Buffer.from(frozen, 'base64'))
}

function wholeLines(bytes: Buffer, isCut: boolean): Buffer {
  return isCut ? bytes.subarray(0, bytes.lastIndexOf('\n') + 1) : bytes
}
